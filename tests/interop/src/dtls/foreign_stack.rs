//! The interface of a foreign stack.
//!
//! It starts programs and describes their output. It knows no cell.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use dtls_core::DtlsRole;

use crate::certificates::Files;
use crate::program::Program;

/// The versions that one side offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offer {
    Dtls12,
    Dtls13,
    Both,
}

/// The options of a foreign program.
#[derive(Debug, Clone)]
pub(super) struct Setup<'a> {
    pub(super) credentials: Credentials<'a>,
    pub(super) offer: Offer,
    /// Its key exchange groups, in a cell about groups: `x25519`, `p256`, `p384`, `x25519mlkem768`.
    pub(super) groups: Option<&'static str>,
    /// Whether a server requires a cookie.
    pub(super) cookie: bool,
    pub(super) mtu: usize,
    /// A folder for the files of the run.
    pub(super) folder: &'a Path,
}

/// The credentials of a side.
#[derive(Debug, Clone, Copy)]
pub(super) enum Credentials<'a> {
    Certificate(&'a Files),
    /// RFC 4279.
    Psk {
        /// The identity that a client sends, and the only one that a server knows.
        identity: &'static str,
        key: &'static [u8],
        /// The identity hint that a server sends.
        hint: Option<&'static str>,
    },
}

impl Setup<'_> {
    /// The path of the key log, for a program that writes one.
    pub(super) fn key_log(&self) -> PathBuf {
        self.folder.join("key-log")
    }
}

/// A foreign stack.
pub(super) trait ForeignStack {
    /// Starts it as a server, and returns its address.
    fn serve(&self, setup: &Setup<'_>) -> Result<(Program, SocketAddr), String>;

    /// Starts it as a client.
    fn dial(&self, setup: &Setup<'_>, remote: SocketAddr) -> Result<Program, String>;

    /// Its output and input formats, where our role is this one.
    fn dialect(&self, ours: DtlsRole) -> Dialect;
}

/// The output and input formats of a program. A mark precedes the value on its line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dialect {
    /// Before the exported keys as hexadecimal digits.
    pub(super) exported: Option<&'static str>,
    /// Before the SRTP profile, and the name that stands there.
    pub(super) profile: Option<(&'static str, ProfileName)>,
    /// Before the fingerprint of our certificate.
    pub(super) certificate: Option<&'static str>,
    /// Whether it writes the key log.
    pub(super) key_log: bool,
    /// Before a handshake that failed.
    pub(super) failed: &'static str,
    /// Before application data.
    pub(super) data: &'static str,
    pub(super) speech: DataSource,
    /// The command that updates its keys.
    pub(super) update_keys: Option<&'static str>,
    /// Its output once our close_notify arrived.
    pub(super) closed: Option<&'static str>,
    pub(super) close: Close,
}

/// A profile by its registered number, as a program writes it.
pub(super) type ProfileName = fn(Option<u16>) -> String;

/// The source of its application data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DataSource {
    /// It sends the rest of a line on standard input that begins with this.
    FromStdin(&'static str),
    /// It echoes the data that it receives.
    Echo,
}

/// How it is made to close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Close {
    FromStdin(&'static str),
    EndOfInput,
    Never,
}
