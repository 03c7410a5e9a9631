//! Child processes: a clean environment, output passed through or collected while a line shows progress.
//!
//! Knows processes and the terminal. Knows nothing about what is run.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, IsTerminal, Read, Write};
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

/// A command without the variables that `cargo run` sets for the program it starts.
///
/// Build scripts (ring's among them) ask cargo to run them again when such a variable changes, so leaving
/// them in would compile half of the dependencies again for every command that a task starts.
pub(crate) fn clean(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        let inherited = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_"];
        if inherited.iter().any(|prefix| name.starts_with(prefix)) || name == "OUT_DIR" {
            command.env_remove(&*name);
        }
    }
    command
}

/// Runs with the terminal's own input and output, and returns its exit status as ours.
pub(crate) fn passed_through(command: &mut Command) -> Result<ExitCode, String> {
    let status = command.status().map_err(|error| cannot_start(command, &error))?;
    Ok(exit_code(status))
}

/// Runs to the end and returns what was printed, or one line with the reason.
pub(crate) fn stdout(command: &mut Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| cannot_start(command, &error))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{} failed: {}", shown(command), said.trim()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// How a collected run went.
pub(crate) struct Collected {
    pub(crate) success: bool,
    /// Standard output and standard error, in the order in which the lines came.
    pub(crate) output: String,
    /// The last line of standard output that is not empty: the verdict of our own programs.
    pub(crate) last_line: String,
}

/// Runs to the end or to `limit`, collects the output, and tells `progress` about each new line.
pub(crate) fn collected(
    command: &mut Command,
    limit: Duration,
    mut progress: impl FnMut(&str),
) -> Result<Collected, String> {
    let deadline = Instant::now() + limit;
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| cannot_start(command, &error))?;
    let (lines, received) = mpsc::channel();
    read_lines(child.stdout.take(), true, lines.clone());
    read_lines(child.stderr.take(), false, lines);
    let (mut output, mut last_line, mut newest) = (String::new(), String::new(), String::new());
    loop {
        match received.recv_timeout(Duration::from_millis(500)) {
            Ok((line, from_stdout)) => {
                output.push_str(&line);
                output.push('\n');
                if !line.trim().is_empty() {
                    newest.clone_from(&line);
                    if from_stdout {
                        last_line = line;
                    }
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        progress(&newest);
        if Instant::now() > deadline {
            // The readers may outlive the child where it has children of its own; they end with the task.
            let _ = child.kill();
            let _ = writeln!(output, "stopped after {} s without an end", limit.as_secs());
            return Ok(Collected { success: false, output, last_line });
        }
    }
    let status = child.wait().map_err(|error| format!("{}: {error}", shown(command)))?;
    Ok(Collected { success: status.success(), output, last_line: last_line.trim().to_owned() })
}

fn read_lines(pipe: Option<impl Read + Send + 'static>, is_stdout: bool, lines: Sender<(String, bool)>) {
    let Some(pipe) = pipe else { return };
    thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned();
            if lines.send((line, is_stdout)).is_err() {
                break;
            }
        }
    });
}

/// A line that says what runs now: redrawn on a terminal, started once elsewhere.
pub(crate) struct ProgressLine {
    label: String,
    started: Instant,
    redraw: bool,
}

impl ProgressLine {
    /// Shows the label.
    pub(crate) fn start(label: String) -> Self {
        let redraw = std::io::stdout().is_terminal();
        if !redraw {
            print!("{label}");
            let _ = std::io::stdout().flush();
        }
        Self { label, started: Instant::now(), redraw }
    }

    /// Shows how long it has run and what it says, where the line can be redrawn.
    pub(crate) fn show(&self, newest: &str) {
        if self.redraw {
            let said: String = newest.trim().chars().filter(|letter| !letter.is_control()).take(60).collect();
            print!("\r\x1b[K{}{:>6.0} s  {said}", self.label, self.started.elapsed().as_secs_f64());
            let _ = std::io::stdout().flush();
        }
    }

    /// Completes the line, and returns the time it took.
    pub(crate) fn finish(self, result: &str) -> Duration {
        let took = self.started.elapsed();
        if self.redraw {
            print!("\r\x1b[K{}", self.label);
        }
        println!("{:>6.1} s  {result}", took.as_secs_f64());
        took
    }
}

fn cannot_start(command: &Command, error: &std::io::Error) -> String {
    format!("cannot start {}: {error}", shown(command))
}

/// The command as one would type it.
pub(crate) fn shown(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let name = program.file_stem().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
    let mut words = vec![name];
    words.extend(command.get_args().map(|word| word.to_string_lossy().into_owned()));
    words.join(" ")
}

fn exit_code(status: ExitStatus) -> ExitCode {
    match status.code() {
        Some(0) => ExitCode::SUCCESS,
        Some(code) => u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from),
        None => ExitCode::FAILURE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collected_run_keeps_both_streams_and_the_last_line_of_stdout() {
        let mut shell = Command::new("sh");
        shell.args(["-c", "echo first; echo verdict; echo aside >&2; exit 3"]);
        let run = collected(&mut shell, Duration::from_secs(20), |_| {}).unwrap();
        assert!(!run.success);
        assert_eq!(run.last_line, "verdict");
        assert!(run.output.contains("aside"));
    }

    #[test]
    fn a_run_that_does_not_end_is_stopped_at_its_limit() {
        let mut sleeper = Command::new("sleep");
        sleeper.arg("60");
        let run = collected(&mut sleeper, Duration::from_millis(100), |_| {}).unwrap();
        assert!(!run.success);
        assert!(run.output.contains("stopped after"));
    }
}
