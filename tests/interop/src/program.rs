//! A foreign program as a child process: its output is kept, and lines can be written to its standard input.
//!
//! Handles processes and deadlines. Dropping the value ends the process.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// A running program.
pub(crate) struct Program {
    name: String,
    child: Child,
    output: Arc<Mutex<Vec<u8>>>,
}

impl Program {
    /// Starts a program; its standard output and standard error are collected together.
    pub(crate) fn start(command: &mut Command) -> Result<Self, String> {
        let name = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("cannot start {name}: {error}"))?;
        let output = Arc::new(Mutex::new(Vec::new()));
        collect(child.stdout.take(), &output);
        collect(child.stderr.take(), &output);
        Ok(Self { name, child, output })
    }

    /// Runs a program to its end and returns its standard output.
    pub(crate) fn run(command: &mut Command, input: &[u8]) -> Result<String, String> {
        let name = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("cannot start {name}: {error}"))?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input).map_err(|error| format!("{name} does not listen: {error}"))?;
        }
        let output = child.wait_with_output().map_err(|error| format!("{name}: {error}"))?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            Err(format!("{name} failed\n{}", String::from_utf8_lossy(&output.stderr)))
        }
    }

    /// Writes one line to its standard input.
    pub(crate) fn tell(&mut self, line: &str) -> Result<(), String> {
        let stdin = self.child.stdin.as_mut().ok_or("its input is closed")?;
        let written = stdin.write_all(format!("{line}\n").as_bytes()).and_then(|()| stdin.flush());
        written.map_err(|error| format!("{} does not listen: {error}", self.name))
    }

    /// Ends its standard input.
    pub(crate) fn end_input(&mut self) {
        drop(self.child.stdin.take());
    }

    /// Everything printed so far.
    pub(crate) fn output(&self) -> String {
        let output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&output).into_owned()
    }

    /// Returns the text after `mark` on its line, once that line is complete.
    pub(crate) fn printed(&self, mark: &str) -> Option<String> {
        let output = self.output();
        let (_, rest) = output.split_once(mark)?;
        let (line, _) = rest.split_once('\n')?;
        Some(line.trim().to_owned())
    }

    /// Waits until a line with `mark` is complete, and returns the text after the mark.
    pub(crate) fn wait_for(&self, mark: &str, limit: Duration) -> Result<String, String> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(rest) = self.printed(mark) {
                return Ok(rest);
            }
            if Instant::now() > deadline {
                return Err(self.with_output(&format!("{} did not print `{mark}`", self.name)));
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// A message followed by the end of the program's output.
    pub(crate) fn with_output(&self, message: &str) -> String {
        let output = self.output();
        let lines: Vec<&str> = output.lines().collect();
        let mut text = message.to_owned();
        for line in lines.iter().skip(lines.len().saturating_sub(30)) {
            let _ = write!(text, "\n{line}");
        }
        text
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Bytes as upper-case hexadecimal digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut digits, byte| {
        let _ = write!(digits, "{byte:02X}");
        digits
    })
}

fn collect(pipe: Option<impl Read + Send + 'static>, output: &Arc<Mutex<Vec<u8>>>) {
    let (Some(mut pipe), output) = (pipe, Arc::clone(output)) else { return };
    thread::spawn(move || {
        let mut chunk = [0; 4096];
        while let Ok(length @ 1..) = pipe.read(&mut chunk) {
            output.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&chunk[..length]);
        }
    });
}
