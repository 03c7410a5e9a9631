//! What a foreign stack has to offer to be played with.
//!
//! Knows how programs are started and what they print. Knows no cell.

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

/// What a foreign program is started with.
#[derive(Debug, Clone)]
pub(super) struct Setup<'a> {
    pub(super) credentials: Credentials<'a>,
    pub(super) offer: Offer,
    /// Its key exchange groups where the cell is about them: `x25519`, `p256`, `p384`, `x25519mlkem768`.
    pub(super) groups: Option<&'static str>,
    /// Whether a server asks for a cookie first.
    pub(super) cookie: bool,
    pub(super) mtu: usize,
    /// Where files may lie for as long as the run takes.
    pub(super) folder: &'a Path,
}

/// What a side authenticates itself with.
#[derive(Debug, Clone, Copy)]
pub(super) enum Credentials<'a> {
    Certificate(&'a Files),
    /// RFC 4279.
    Psk {
        /// What a client says, and the one that a server knows.
        identity: &'static str,
        key: &'static [u8],
        /// What a server tells its clients.
        hint: Option<&'static str>,
    },
}

impl Setup<'_> {
    /// Where a program that keeps a key log puts it.
    pub(super) fn key_log(&self) -> PathBuf {
        self.folder.join("key-log")
    }
}

/// A foreign stack.
pub(super) trait Stranger {
    /// Starts it as a server, and says where it waits.
    fn serve(&self, setup: &Setup<'_>) -> Result<(Program, SocketAddr), String>;

    /// Starts it as a client.
    fn dial(&self, setup: &Setup<'_>, remote: SocketAddr) -> Result<Program, String>;

    /// How it speaks where our role is this one.
    fn dialect(&self, ours: DtlsRole) -> Dialect;
}

/// What a program prints and is told. A mark stands before the value on its line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dialect {
    /// Before the exported keys as hexadecimal digits.
    pub(super) exported: Option<&'static str>,
    /// Before the SRTP profile, and the name that stands there.
    pub(super) profile: Option<(&'static str, ProfileName)>,
    /// Before the fingerprint of our certificate.
    pub(super) certificate: Option<&'static str>,
    /// Whether it writes the key log that it was given a place for.
    pub(super) key_log: bool,
    /// Before a handshake that failed.
    pub(super) failed: &'static str,
    /// Before application data.
    pub(super) data: &'static str,
    pub(super) speech: Speech,
    /// What it is told so that it updates its keys.
    pub(super) update_keys: Option<&'static str>,
    /// What it prints once our close_notify arrived.
    pub(super) closed: Option<&'static str>,
    pub(super) close: Close,
}

/// A profile by its registered number, as a program writes it.
pub(super) type ProfileName = fn(Option<u16>) -> String;

/// Where its application data comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speech {
    /// It sends what stands behind this on its standard input.
    Told(&'static str),
    /// It sends back what it receives.
    Echo,
}

/// How it is made to close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Close {
    Told(&'static str),
    EndOfInput,
    Never,
}
