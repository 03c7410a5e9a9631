//! The line protocol: commands from standard input, facts to standard output.
//!
//! The peer decides when to read and what to print.

use std::fmt::{Display, Write as _};
use std::io::{BufRead as _, Write as _};
use std::sync::mpsc::{self, Receiver};
use std::thread;

/// A command of the harness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Send this as application data.
    Send(String),
    /// Update the keys and ask the other side to update its own (DTLS 1.3).
    UpdateKeys,
    /// Close the connection with close_notify.
    Close,
}

/// Reads standard input on its own thread. The end of the input is no command: the harness ends this process.
#[must_use]
pub fn commands() -> Receiver<Command> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let command = match line.split_once(' ') {
                Some(("send", text)) => Command::Send(text.to_owned()),
                None if line == "close" => Command::Close,
                None if line == "update-keys" => Command::UpdateKeys,
                _ => {
                    say("failed", format_args!("unknown command `{line}`"));
                    continue;
                }
            };
            if sender.send(command).is_err() {
                break;
            }
        }
    });
    receiver
}

/// Prints one fact and flushes it.
pub fn say(fact: &str, value: impl Display) {
    let mut stdout = std::io::stdout().lock();
    // A write error means that the harness has ended the cell.
    let _ = writeln!(stdout, "{fact} {value}");
    let _ = stdout.flush();
}

/// Upper-case hexadecimal digits, with `separator` between the bytes.
#[must_use]
pub fn hexadecimal(bytes: &[u8], separator: &str) -> String {
    let mut text = String::new();
    for (index, byte) in bytes.iter().enumerate() {
        let before = if index == 0 { "" } else { separator };
        let _ = write!(text, "{before}{byte:02X}");
    }
    text
}
