//! Headless Chromium.
//!
//! Knows command line switches. Knows nothing about pages.

use std::process::Command;

use super::running::{Browser, Profile};

/// Each of them keeps the run apart from the machine or from the network.
const SWITCHES: &[&str] = &[
    "--headless",
    // Root has no sandbox, and CI is root.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    // The page has no window in front: its timers and pictures must not slow down.
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows",
    "--autoplay-policy=no-user-gesture-required",
    "--mute-audio",
    // The server is on this machine, and is told addresses instead of mDNS names.
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
