//! The programs of `dtls-peers`: one command line and one line protocol for all of them.
//!
//! Speaks the protocol that `dtls-peers/src/lib.rs` describes, for every stack.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use dtls_core::DtlsRole;

use super::foreign_stack::{Close, Credentials, DataSource, Dialect, ForeignStack, Offer, Setup};
use crate::program::{Program, hexadecimal};

/// One of them.
pub(super) struct LinePeer {
    program: PathBuf,
}

impl LinePeer {
    /// The program of this name, built into the same folder as this one.
    pub(super) fn beside_us(name: &str) -> Self {
        let here = std::env::current_exe().unwrap_or_default();
        Self { program: here.with_file_name(name) }
    }

    fn command(&self, role: &str, setup: &Setup<'_>) -> Command {
        let mut command = Command::new(&self.program);
        command.arg(role).arg("--mtu").arg(setup.mtu.to_string());
        match setup.credentials {
            Credentials::Certificate(identity) => {
                command.arg("--cert-pem").arg(&identity.certificate).arg("--key-pem").arg(&identity.key);
            }
            Credentials::Psk { identity, key, hint } => {
                command.args(["--psk-identity", identity, "--psk-key", &hexadecimal(key)]);
                if let Some(hint) = hint {
                    command.args(["--psk-hint", hint]);
                }
            }
        }
        command.arg("--version").arg(match setup.offer {
            Offer::Dtls12 => "1.2",
            Offer::Dtls13 => "1.3",
            Offer::Both => "auto",
        });
        if let Some(groups) = setup.groups {
            command.args(["--groups", groups]);
        }
        command
    }
}

impl ForeignStack for LinePeer {
    fn serve(&self, setup: &Setup<'_>) -> Result<(Program, SocketAddr), String> {
        let mut command = self.command("server", setup);
        if setup.cookie {
            command.arg("--cookie");
        }
        let program = Program::start(&mut command)?;
        // It refuses an unsupported option at once.
        let deadline = Instant::now() + Duration::from_secs(10);
        let address = loop {
            if let Some(address) = program.printed("listening ") {
                break address;
            }
            if let Some(reason) = program.printed("failed ") {
                return Err(program.with_output(&format!("it refuses: {reason}")));
            }
            if Instant::now() > deadline {
                return Err(program.with_output("it does not listen"));
            }
            thread::sleep(Duration::from_millis(10));
        };
        let address = address.parse().map_err(|_| program.with_output("it does not say where it waits"))?;
        Ok((program, address))
    }

    fn dial(&self, setup: &Setup<'_>, remote: SocketAddr) -> Result<Program, String> {
        Program::start(self.command("client", setup).args(["--remote", &remote.to_string()]))
    }

    fn dialect(&self, _: DtlsRole) -> Dialect {
        Dialect {
            exported: Some("keying-material "),
            profile: Some(("srtp-profile ", |id| id.map_or_else(|| "none".to_owned(), |id| id.to_string()))),
            certificate: Some("peer-fingerprint "),
            key_log: false,
            failed: "failed ",
            data: "data ",
            speech: DataSource::FromStdin("send "),
            update_keys: Some("update-keys"),
            closed: Some("closed Peer"),
            close: Close::FromStdin("close"),
        }
    }
}
