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

/// Returns a command without the variables that `cargo run` sets for the program that it starts.
///
/// Some build scripts (ring's is one) run again when such a variable changes. With the variables, each command of a
/// task would compile half of the dependencies again.
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

/// Runs the command on the terminal, and returns its exit status.
pub(crate) fn passed_through(command: &mut Command) -> Result<ExitCode, String> {
    let status = command.status().map_err(|error| cannot_start(command, &error))?;
    Ok(exit_code(status))
}

/// The outcome of a run whose standard output was shown while it ran.
pub(crate) struct Shown {
    pub(crate) code: ExitCode,
    pub(crate) success: bool,
    /// The last line of standard output that is not empty.
    pub(crate) last_line: String,
}

/// Runs the command, shows its standard output line by line, and keeps the last line.
pub(crate) fn shown_through(command: &mut Command) -> Result<Shown, String> {
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(|error| cannot_start(command, &error))?;
    let mut last_line = String::new();
    for line in child.stdout.take().into_iter().flat_map(|pipe| BufReader::new(pipe).split(b'\n')) {
        let Ok(line) = line else { break };
        let line = String::from_utf8_lossy(&line).into_owned();
        println!("{line}");
        if !line.trim().is_empty() {
            line.trim().clone_into(&mut last_line);
        }
    }
    let status = child.wait().map_err(|error| format!("{}: {error}", shown(command)))?;
    Ok(Shown { code: exit_code(status), success: status.success(), last_line })
}

/// Runs the command and returns its standard output, or one line with the reason of a failure.
pub(crate) fn stdout(command: &mut Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| cannot_start(command, &error))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{} failed: {}", shown(command), said.trim()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Returns whether the command can be started and exits with 0. Its output is dropped.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).output().is_ok_and(|output| output.status.success())
}

/// The outcome of a collected run.
pub(crate) struct Collected {
    pub(crate) success: bool,
    /// Standard output and standard error, line by line in the order of arrival.
    pub(crate) output: String,
    /// The last line of standard output that is not empty. Our own programs print their verdict there.
    pub(crate) last_line: String,
}

/// Runs the command for at most `limit`, collects its output, and passes each new line to `progress`.
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
            // The reader threads may outlive the child if it has children. They end with this process.
            let _ = child.kill();
            let _ = writeln!(output, "stopped after {} s: the time limit of a step", limit.as_secs());
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

/// A line that shows the running step. A terminal redraws it; other outputs get it once.
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

    /// Shows the elapsed time and the newest line of output, on a terminal only.
    pub(crate) fn show(&self, newest: &str) {
        if self.redraw {
            let said: String = newest.trim().chars().filter(|letter| !letter.is_control()).take(60).collect();
            print!("\r\x1b[K{}{:>6.0} s  {said}", self.label, self.started.elapsed().as_secs_f64());
            let _ = std::io::stdout().flush();
        }
    }

    /// Completes the line, and returns the elapsed time.
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

/// Returns the command as a user would type it.
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
    fn collected_run_keeps_both_streams_and_last_line() {
        let mut shell = Command::new("sh");
        shell.args(["-c", "echo first; echo verdict; echo aside >&2; exit 3"]);
        let run = collected(&mut shell, Duration::from_secs(20), |_| {}).unwrap();
        assert!(!run.success);
        assert_eq!(run.last_line, "verdict");
        assert!(run.output.contains("aside"));
    }

    #[test]
    fn shown_run_keeps_its_last_line_and_status() {
        let mut shell = Command::new("sh");
        shell.args(["-c", "echo first; echo verdict; echo; exit 3"]);
        let run = shown_through(&mut shell).unwrap();
        assert!(!run.success);
        assert_eq!(run.last_line, "verdict");
    }

    #[test]
    fn endless_run_is_stopped_at_its_limit() {
        let mut sleeper = Command::new("sleep");
        sleeper.arg("60");
        let run = collected(&mut sleeper, Duration::from_millis(100), |_| {}).unwrap();
        assert!(!run.success);
        assert!(run.output.contains("stopped after"));
    }
}
