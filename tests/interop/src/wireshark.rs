//! Wireshark reads a conversation between two of our connections with the key log of one side.
//!
//! 1. two connections complete a handshake, exchange data and close, without a network
//! 2. their datagrams become a capture file, the key log of one side a file next to it
//! 3. Wireshark has to show all data in plain text, and both Finished messages; without the key log it shows neither
//!
//! The role is that of the side whose key log is used.

mod conversation;
mod dissection;
mod pcap;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use dtls_core::{
    Authentication, Certificate, CipherSuite, Config, DtlsRole, HashAlgorithm, NamedGroup, PeerPolicy, Psk,
    Versions,
};

use crate::report::Report;
use conversation::Conversation;
use dissection::Wireshark;

/// One conversation.
#[derive(Debug, Clone, Copy)]
struct Cell {
    scenario: &'static str,
    versions: Versions,
    suite: CipherSuite,
    /// The server's only group where the cell is about a retry.
    group: Option<NamedGroup>,
    /// Whether both sides update their keys in the middle.
    updated: bool,
}

const PLAIN: Cell = Cell {
    scenario: "",
    versions: Versions::Dtls12,
    suite: CipherSuite::ECDHE_ECDSA_AES128_GCM_SHA256,
    group: None,
    updated: false,
};

const PLAIN_13: Cell = Cell { versions: Versions::Dtls13, suite: CipherSuite::AES_128_GCM_SHA256, ..PLAIN };

const CELLS: &[Cell] = &[
    Cell { scenario: "ECDHE-ECDSA-AES128-GCM-SHA256", ..PLAIN },
    Cell {
        scenario: "ECDHE-ECDSA-AES256-GCM-SHA384",
        suite: CipherSuite::ECDHE_ECDSA_AES256_GCM_SHA384,
        ..PLAIN
    },
    Cell {
        scenario: "ECDHE-ECDSA-CHACHA20-POLY1305",
        suite: CipherSuite::ECDHE_ECDSA_CHACHA20_POLY1305_SHA256,
        ..PLAIN
    },
    Cell { scenario: "PSK-AES128-CCM8", suite: CipherSuite::PSK_AES128_CCM_8, ..PLAIN },
    Cell { scenario: "1.3: AES-128-GCM-SHA256", ..PLAIN_13 },
    Cell { scenario: "1.3: AES-256-GCM-SHA384", suite: CipherSuite::AES_256_GCM_SHA384, ..PLAIN_13 },
    Cell {
        scenario: "1.3: CHACHA20-POLY1305-SHA256",
        suite: CipherSuite::CHACHA20_POLY1305_SHA256,
        ..PLAIN_13
    },
    Cell { scenario: "1.3: a retry over P-384", group: Some(NamedGroup::SECP384R1), ..PLAIN_13 },
    Cell { scenario: "1.3: new keys in both directions", updated: true, ..PLAIN_13 },
];

/// Debian's `tshark`.
pub(crate) fn tshark(report: &mut Report) {
    play(report, Wireshark::Tshark);
}

/// A newer one, compiled for WebAssembly.
pub(crate) fn newer(report: &mut Report) {
    play(report, Wireshark::WebAssembly);
}

/// Runs every cell.
fn play(report: &mut Report, wireshark: Wireshark) {
    let folder = Folder::new();
    for cell in CELLS {
        for (role, word) in [(DtlsRole::Client, "client"), (DtlsRole::Server, "server")] {
            report.cell(word, cell.scenario, |notes| cell.play(wireshark, &folder.0, role, notes));
        }
    }
    report.cell("both", "nothing is shown without a key log", |notes| blind(wireshark, &folder.0, notes));
}

impl Cell {
    fn play(
        &self,
        wireshark: Wireshark,
        folder: &Path,
        key_log_of: DtlsRole,
        notes: &mut Vec<String>,
    ) -> Result<(), String> {
        let (conversation, said) = self.converse()?;
        let key_log = conversation.key_log(key_log_of);
        let shown = wireshark.dissect(folder, conversation.capture.bytes(), key_log)?;
        let missing: Vec<_> = said.iter().filter(|text| !shown.data.contains(&(**text).to_owned())).collect();
        if !missing.is_empty() {
            return Err(format!("Wireshark does not show {missing:?}\n{}", shown.summary));
        }
        if shown.finished != 2 {
            return Err(format!("Wireshark shows {} Finished messages\n{}", shown.finished, shown.summary));
        }
        notes.push(format!("{} texts and both Finished messages in plain text", said.len()));
        Ok(())
    }

    /// A conversation from its ClientHello to its end, and the data that was sent.
    fn converse(&self) -> Result<(Conversation, Vec<&'static str>), String> {
        let [client, server] = self.configs()?;
        let psk = Psk::new(b"sensor-7", b"a key that both know").map_err(|error| error.to_string())?;
        let mut conversation = Conversation::new(client, server, &psk)?;
        conversation.connect()?;
        let mut said = vec![(DtlsRole::Client, "from the client"), (DtlsRole::Server, "from the server")];
        for (from, text) in &said {
            conversation.send(*from, text.as_bytes())?;
        }
        if self.updated {
            conversation.update_keys(DtlsRole::Client)?;
            let new = [(DtlsRole::Client, "client, new keys"), (DtlsRole::Server, "server, new keys")];
            for (from, text) in new {
                conversation.send(from, text.as_bytes())?;
            }
            said.extend(new);
        }
        conversation.close(DtlsRole::Client)?;
        Ok((conversation, said.into_iter().map(|(_, text)| text).collect()))
    }

    fn configs(&self) -> Result<[Config; 2], String> {
        let base = || Config {
            versions: self.versions,
            suites: vec![self.suite],
            key_log: true,
            ..Config::default()
        };
        if self.suite == CipherSuite::PSK_AES128_CCM_8 {
            let psk = || Config {
                authentication: Authentication::Psk { hint: Some(b"factory".to_vec()) },
                ..base()
            };
            return Ok([psk(), psk()]);
        }
        let own = [generated()?, generated()?];
        let [mut client, mut server] = [0, 1].map(|side: usize| Config {
            authentication: Authentication::Certificates {
                own: vec![own[side].clone()],
                peer: PeerPolicy::Fingerprints(vec![own[1 - side].fingerprint(HashAlgorithm::Sha256)]),
                require_peer: true,
            },
            ..base()
        });
        if let Some(group) = self.group {
            // The client sends a key share of its first group only, so the server has to request another.
            client.groups = vec![NamedGroup::X25519, group];
            server.groups = vec![group];
        }
        Ok([client, server])
    }
}

/// Wireshark must show nothing without a key log; otherwise the other cells would prove nothing.
fn blind(wireshark: Wireshark, folder: &Path, notes: &mut Vec<String>) -> Result<(), String> {
    let (conversation, said) = PLAIN.converse()?;
    let shown = wireshark.dissect(folder, conversation.capture.bytes(), "")?;
    if !shown.data.is_empty() || shown.finished > 0 {
        return Err(format!("Wireshark shows {:?} and {} Finished messages", shown.data, shown.finished));
    }
    notes.push(format!("none of {} texts", said.len()));
    Ok(())
}

fn generated() -> Result<Certificate, String> {
    const MONTH: Duration = Duration::from_secs(30 * 24 * 3600);
    Certificate::generate(SystemTime::now(), MONTH).map_err(|error| format!("our certificate: {error}"))
}

/// A folder of this run, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("interop-tshark-{}", std::process::id())))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
