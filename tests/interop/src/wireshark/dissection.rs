//! Runs Wireshark on a capture and picks the relevant lines of its output.
//!
//! Parses the text that `tshark -V` prints, for any conversation.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::conversation::SERVER_PORT;
use crate::program::Program;

/// A Wireshark program without a window.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wireshark {
    /// `tshark`, found on the path.
    Tshark,
    /// A build for WebAssembly, under Node.
    WebAssembly,
}

/// Wireshark's view of a capture.
pub(super) struct Shown {
    /// Application data in plain text.
    pub(super) data: Vec<String>,
    /// The number of Finished messages.
    pub(super) finished: usize,
    /// One line for each record, for the failure message.
    pub(super) summary: String,
}

impl Wireshark {
    /// Reads a capture with a key log.
    pub(super) fn dissect(self, folder: &Path, capture: &[u8], key_log: &str) -> Result<Shown, String> {
        let capture = write(folder, "conversation.pcap", capture)?;
        let key_log = write(folder, "keys.log", key_log.as_bytes())?;
        let text = Program::run(&mut self.command(folder, &capture, &key_log), b"")?;
        let lines = || text.lines().map(str::trim);
        let data = lines().filter_map(|line| line.strip_prefix("Data: ")).filter_map(text_of);
        let finished = lines().filter(|line| *line == "Handshake Type: Finished (20)").count();
        let summary: Vec<_> = lines().filter(|line| line.contains("Record Layer: ")).collect();
        Ok(Shown { data: data.collect(), finished, summary: summary.join("\n") })
    }

    fn command(self, folder: &Path, capture: &Path, key_log: &Path) -> Command {
        match self {
            Self::Tshark => {
                let mut command = Command::new("tshark");
                // No settings of the user.
                command.env("WIRESHARK_CONFIG_DIR", folder).env("HOME", folder);
                command.arg("-r").arg(capture).args(["-d", &format!("udp.port=={SERVER_PORT},dtls")]);
                command.arg("-o").arg(format!("tls.keylog_file:{}", key_log.display())).arg("-V");
                command
            }
            Self::WebAssembly => {
                let mut command = Command::new("node");
                command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/wireshark/dissect.cjs"));
                command.arg(capture).arg(key_log);
                command
            }
        }
    }
}

/// The text of hexadecimal digits.
fn text_of(digits: &str) -> Option<String> {
    let bytes = digits.as_bytes().chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).ok()?;
        u8::from_str_radix(pair, 16).ok()
    });
    String::from_utf8(bytes.collect::<Option<Vec<_>>>()?).ok()
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> Result<PathBuf, String> {
    let path = folder.join(name);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&path, bytes))
        .map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(path)
}
