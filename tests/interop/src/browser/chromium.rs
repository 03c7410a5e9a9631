//! Headless Chromium.
//!
//! Knows the command line switches. Knows no page.

use std::process::Command;

use super::running::{Browser, Profile};

/// Each switch isolates the run from the machine or the network.
const SWITCHES: &[&str] = &[
    "--headless",
    // The sandbox does not work for root, and CI runs as root.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    // The page has no visible window; its timers and video must not slow down.
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows",
    "--autoplay-policy=no-user-gesture-required",
    "--mute-audio",
    // The server is on this machine and receives addresses instead of mDNS names.
    "--allow-loopback-in-peer-connection",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
];

/// Opens one page.
pub(super) fn open(url: &str) -> Result<Browser, String> {
    let profile = Profile::new("chromium")?;
    let mut command = Command::new("chromium");
    command.args(SWITCHES).arg(format!("--user-data-dir={}", profile.folder().display())).arg(url);
    Browser::start(&mut command, profile)
}
