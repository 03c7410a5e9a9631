//! Headless browsers as peers of the WHIP server: their media crosses every layer and comes back.
//!
//! 1. `whip` (`demos/whip`) serves its page; the browser opens it with `?script=interop`
//! 2. the page presses its own buttons, and after each step posts the state of both sides before and after it
//! 3. each cell below waits for its step in that report, and checks it
//!
//! The page checks nothing and this file presses no button. Roles are ours: `passive` makes us the DTLS server.

mod chromium;
mod firefox;
mod running;
mod verdict;

use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::program::Program;
use crate::report::Report;
use running::Browser;
use verdict::Cell;

/// The longest duration of one step: the page gives up earlier and reports what it waited for.
const STEP: Duration = Duration::from_secs(45);
const SOON: Duration = Duration::from_secs(15);

/// The server's DTLS role in the page, and our role.
const RUNS: [(&str, &str); 2] = [("passive", "server"), ("active", "client")];

/// The server, the browser, and the last report.
struct Session {
    // Dropped first, so that the browser does not report to a server that has ended.
    browser: Browser,
    server: Program,
    address: String,
    report: Value,
}

/// Chromium.
pub(crate) fn chromium(report: &mut Report) {
    play(report, chromium::open, verdict::CHROMIUM);
}

/// Firefox.
pub(crate) fn firefox(report: &mut Report) {
    play(report, firefox::open, verdict::FIREFOX);
}

/// Runs every cell, in the order of the page's steps.
fn play(report: &mut Report, open: fn(&str) -> Result<Browser, String>, cells: &[Cell]) {
    let mut session = Session::set(open);
    for (run, role) in RUNS {
        for cell in cells {
            report.cell(role, cell.scenario, |notes| {
                let session = session.as_mut().map_err(|message| message.clone())?;
                let step = session.wait_for(run, cell.step)?;
                (cell.judge)(&step, notes)
            });
        }
    }
}

impl Session {
    fn set(open: fn(&str) -> Result<Browser, String>) -> Result<Self, String> {
        let server = Program::start(Command::new(built("whip")?).args(["--listen", "127.0.0.1:0"]))?;
        let address = server.wait_for("listening on http://", SOON)?;
        let browser = open(&format!("http://{address}/?script=interop"))?;
        Ok(Self { browser, server, address, report: Value::Null })
    }

    /// Waits until the page has reported a step, or returns why it never will.
    fn wait_for(&mut self, run: &str, step: &str) -> Result<Value, String> {
        let deadline = Instant::now() + STEP;
        loop {
            let so_far = &self.report["runs"][run];
            if !so_far["steps"][step].is_null() {
                return Ok(so_far["steps"][step].clone());
            }
            if let Some(error) = so_far["error"].as_str() {
                return Err(self.with_output(run, &format!("the page waits no longer: {error}")));
            }
            if let Some(error) = self.report["error"].as_str() {
                return Err(self.with_output(run, &format!("the page: {error}")));
            }
            if self.report["done"] == true {
                return Err(self.with_output(run, "the page skipped the step"));
            }
            if Instant::now() > deadline {
                return Err(self.with_output(run, &format!("the page reported no `{step}`")));
            }
            thread::sleep(Duration::from_millis(100));
            if let Some(report) = get_json(&self.address, "/report")? {
                self.report = report;
            }
        }
    }

    /// A message followed by the reports of both sides.
    fn with_output(&self, run: &str, message: &str) -> String {
        let mut lines = vec![message.to_owned()];
        let story = |who: &str, timeline: &Value| -> Vec<String> {
            let events = timeline.as_array().map(Vec::as_slice).unwrap_or_default();
            events
                .iter()
                .map(|event| format!("{:>7} ms  {who:<8} {}", event["at_ms"], event["what"]))
                .collect()
        };
        let run = &self.report["runs"][run];
        lines.extend(story("browser", &run["timeline"]));
        lines.extend(story("server", &run["last"]["server"]["timeline"]));
        for side in ["browser", "server"] {
            if !run["last"][side].is_null() {
                let mut last = run["last"][side].clone();
                if let Some(fields) = last.as_object_mut() {
                    fields.remove("timeline");
                }
                lines.push(format!("{side}: {last}"));
            }
        }
        if self.report.is_null() {
            lines.push(self.browser.program.with_output("nothing was reported; the browser printed:"));
        }
        lines.push(self.server.with_output("the server printed:"));
        lines.join("\n")
    }
}

/// A GET; `None` where there is no content yet.
fn get_json(address: &str, path: &str) -> Result<Option<Value>, String> {
    use std::io::{Read as _, Write as _};
    let fetch = || -> std::io::Result<String> {
        let mut stream = std::net::TcpStream::connect(address)?;
        stream.set_read_timeout(Some(SOON))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        let mut response = String::new();
        stream.read_to_string(&mut response)?;
        Ok(response)
    };
    let response = fetch().map_err(|error| format!("the server does not answer: {error}"))?;
    let (head, body) = response.split_once("\r\n\r\n").ok_or("no HTTP response")?;
    if !head.starts_with("HTTP/1.1 200") {
        return Ok(None);
    }
    serde_json::from_str(body).map(Some).map_err(|error| format!("{path} is not JSON: {error}"))
}

/// Returns the path of a program that cargo built next to this one.
fn built(name: &str) -> Result<PathBuf, String> {
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let folder = this.parent().ok_or("this program is in no folder")?;
    let path = folder.join(name);
    if path.is_file() { Ok(path) } else { Err(format!("{name} is not built: cargo build -p {name}")) }
}
