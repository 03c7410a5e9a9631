//! The echo server and a headless Chromium that has its page open. Both end with their value.
//!
//! Knows processes and one HTTP request. What the report means is not its concern.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::wait_until;
use crate::program::Program;

/// A page that runs through its scenario.
pub(super) struct Browser {
    // Dropped in this order: the page before its server, and before its files.
    chromium: Program,
    server: Program,
    address: String,
    _profile: Profile,
}

/// Chromium's folder, which goes with it.
struct Profile(PathBuf);

impl Browser {
    /// Starts the server, and Chromium with a new profile.
    pub(super) fn start() -> Result<Self, String> {
        let mut command = Command::new(whip()?);
        let server = Program::start(command.args(["--listen", "127.0.0.1:0"]))?;
        let address = server.wait_for("listening on http://", Duration::from_secs(10))?;
        let profile = Profile::new();
        let mut command = Command::new("chromium");
        command.args(FLAGS);
        command.arg(format!("--user-data-dir={}", profile.0.display()));
        command.arg(format!("http://{address}/?script=interop"));
        let chromium = Program::start(&mut command)
            .map_err(|error| format!("{error}; install it with `cargo xtask interop --install chromium`"))?;
        Ok(Self { chromium, server, address, _profile: profile })
    }

    /// Waits until what the page has reported is enough.
    pub(super) fn until(&mut self, limit: Duration, enough: impl Fn(&Value) -> bool) -> Result<Value, String> {
        let waited = wait_until(limit, || Ok(self.report()?.filter(|report| enough(report))));
        waited.map_err(|message| self.chromium.blame(&self.server.blame(&message)))
    }

    /// The last report; `None` before the first one.
    fn report(&self) -> Result<Option<Value>, String> {
        let fail = |error: std::io::Error| format!("the echo server does not answer: {error}");
        let mut stream = TcpStream::connect(&self.address).map_err(fail)?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).map_err(fail)?;
        // HTTP/1.0, so that the response ends with the connection.
        write!(stream, "GET /report HTTP/1.0\r\nHost: {}\r\n\r\n", self.address).map_err(fail)?;
        let mut response = String::new();
        stream.read_to_string(&mut response).map_err(fail)?;
        let (_, body) = response.split_once("\r\n\r\n").ok_or("the echo server answers without a header")?;
        if body.is_empty() {
            return Ok(None);
        }
        serde_json::from_str(body).map(Some).map_err(|error| format!("the report cannot be read: {error}"))
    }
}

impl Profile {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("interop-chromium-{}", std::process::id())))
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        // Chromium's children may hold files in it for a moment more; they lie in the temporary folder.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The example `whip`, which is built beside this program.
fn whip() -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|error| format!("this program cannot be found: {error}"))?;
    let whip = own.with_file_name("examples").join(format!("whip{}", std::env::consts::EXE_SUFFIX));
    if whip.exists() {
        Ok(whip)
    } else {
        Err("the example `whip` is not built: cargo build -p peer-transport-tokio --example whip".into())
    }
}

/// As root and without a screen, with candidates that name addresses, and without a gesture for the tone.
const FLAGS: &[&str] = &[
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    "--allow-loopback-in-peer-connection",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
];
