//! Headless Chromium with a profile of its own, which goes away with it.
//!
//! Knows command line switches. Knows nothing about pages.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::program::Program;

/// A running browser.
pub(super) struct Browser {
    // Dropped, and thereby ended, before its profile.
    pub(super) program: Program,
    _profile: Profile,
}

struct Profile(PathBuf);

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

impl Browser {
    /// Opens one page.
    pub(super) fn open(url: &str) -> Result<Self, String> {
        let profile = std::env::temp_dir().join(format!("interop-chromium-{}", std::process::id()));
        fs::create_dir_all(&profile).map_err(|error| format!("{}: {error}", profile.display()))?;
        let profile = Profile(profile);
        let mut command = Command::new("chromium");
        command.args(SWITCHES).arg(format!("--user-data-dir={}", profile.0.display())).arg(url);
        Ok(Self { program: Program::start(&mut command)?, _profile: profile })
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        // Processes that are still ending may write once more; what they leave lies in the temporary folder.
        let _ = fs::remove_dir_all(&self.0);
    }
}
