//! Headless Firefox.
//!
//! Knows the preferences. Knows no page.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use super::running::{Browser, Profile};

/// Each preference isolates the run from the machine or the network.
const PREFERENCES: &[(&str, &str)] = &[
    // No welcome pages, no questions, no updates, no reports.
    ("browser.aboutwelcome.enabled", "false"),
    ("browser.shell.checkDefaultBrowser", "false"),
    ("browser.startup.homepage_override.mstone", "\"ignore\""),
    ("browser.safebrowsing.downloads.enabled", "false"),
    ("browser.safebrowsing.malware.enabled", "false"),
    ("browser.safebrowsing.phishing.enabled", "false"),
    ("app.normandy.enabled", "false"),
    ("app.update.enabled", "false"),
    ("datareporting.policy.dataSubmissionEnabled", "false"),
    ("extensions.update.enabled", "false"),
    ("media.gmp-manager.updateEnabled", "false"),
    ("network.captive-portal-service.enabled", "false"),
    ("network.connectivity-service.enabled", "false"),
    ("toolkit.telemetry.enabled", "false"),
    // Firefox fetches no remote settings: nothing listens at the discard port.
    ("services.settings.server", "\"http://127.0.0.1:9/\""),
    // The page has no visible window; its timers and video must not slow down.
    ("dom.min_background_timeout_value", "4"),
    ("dom.timeout.enable_budget_timer_throttling", "false"),
    ("media.autoplay.default", "0"),
    ("media.autoplay.blocking_policy", "0"),
    ("media.navigator.permission.disabled", "true"),
    ("media.navigator.streams.fake", "true"),
    // The server is on this machine and receives addresses instead of mDNS names.
    ("media.peerconnection.ice.loopback", "true"),
    // A page without microphone permission only learns the address of the default route, and none where there is no
    // such route.
    ("permissions.default.camera", "1"),
    ("permissions.default.microphone", "1"),
    ("media.peerconnection.ice.obfuscate_host_addresses", "false"),
];

/// Opens one page.
pub(super) fn open(url: &str) -> Result<Browser, String> {
    let profile = Profile::new("firefox")?;
    let mut preferences = String::new();
    for (name, value) in PREFERENCES {
        let _ = writeln!(preferences, "user_pref(\"{name}\", {value});");
    }
    let path = profile.folder().join("user.js");
    fs::write(&path, preferences).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut command = Command::new("firefox-esr");
    // The files outside the profile are removed with it as well.
    command.env("HOME", profile.folder()).args(["--headless", "--no-remote", "--profile"]);
    command.arg(profile.folder()).arg(url);
    Browser::start(&mut command, profile)
}
