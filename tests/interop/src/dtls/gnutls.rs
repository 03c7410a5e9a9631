//! `gnutls-cli` and `gnutls-serv`: DTLS 1.2 with use_srtp.
//!
//! The server prints little over UDP, so its key log is compared instead of the exported keys, and it echoes the data
//! that it receives. It has no command to close.

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::process::Command;
use std::time::Duration;

use dtls_core::{DtlsRole, srtp_profile};

use super::foreign_stack::{Close, Credentials, DataSource, Dialect, ForeignStack, Setup};
use crate::program::{Program, hexadecimal};
use crate::udp_peer::SRTP_LABEL;

/// GnuTLS's programs, found on the path.
pub(super) struct GnuTls;

impl GnuTls {
    fn command(program: &str, setup: &Setup<'_>) -> Command {
        let mut command = Command::new(program);
        command.env("SSLKEYLOGFILE", setup.key_log());
        command.args(["--udp", "--mtu", &setup.mtu.to_string()]);
        command.args(["--srtp-profiles", "SRTP_AES128_CM_HMAC_SHA1_80:SRTP_AES128_CM_HMAC_SHA1_32"]);
        let priority = match setup.credentials {
            Credentials::Certificate(identity) => {
                command.arg("--x509certfile").arg(&identity.certificate);
                command.arg("--x509keyfile").arg(&identity.key);
                "NORMAL:-VERS-ALL:+VERS-DTLS1.2"
            }
            Credentials::Psk { .. } => {
                "NORMAL:-VERS-ALL:+VERS-DTLS1.2:-KX-ALL:+PSK:-CIPHER-ALL:+AES-128-CCM-8"
            }
        };
        command.args(["--priority", priority]);
        command
    }
}

impl ForeignStack for GnuTls {
    fn serve(&self, setup: &Setup<'_>) -> Result<(Program, SocketAddr), String> {
        // It does not print its port, so it is given one that was free a moment ago.
        let free = UdpSocket::bind(("0.0.0.0", 0)).and_then(|socket| socket.local_addr());
        let port = free.map_err(|error| format!("no free port: {error}"))?.port();
        let mut command = Self::command("gnutls-serv", setup);
        command.args(["--echo", "--port", &port.to_string()]);
        match setup.credentials {
            Credentials::Certificate(_) => {
                command.arg("--require-client-cert");
            }
            Credentials::Psk { identity, key, hint } => {
                let passwords = setup.folder.join("psk-passwords");
                fs::write(&passwords, format!("{identity}:{}\n", hexadecimal(key)))
                    .map_err(|error| format!("{}: {error}", passwords.display()))?;
                command.arg("--pskpasswd").arg(passwords);
                if let Some(hint) = hint {
                    command.args(["--pskhint", hint]);
                }
            }
        }
        if !setup.cookie {
            command.arg("--nocookie");
        }
        let program = Program::start(&mut command)?;
        program.wait_for(&format!("port {port}..."), Duration::from_secs(10))?;
        Ok((program, SocketAddr::from(([127, 0, 0, 1], port))))
    }

    fn dial(&self, setup: &Setup<'_>, remote: SocketAddr) -> Result<Program, String> {
        let mut command = Self::command("gnutls-cli", setup);
        command.args(["--insecure", "--keymatexport", SRTP_LABEL, "--keymatexportsize", "60"]);
        if let Credentials::Psk { identity, key, .. } = setup.credentials {
            command.args(["--pskusername", identity, "--pskkey", &hexadecimal(key)]);
        }
        command.args(["--port", &remote.port().to_string(), &remote.ip().to_string()]);
        Program::start(&mut command)
    }

    fn dialect(&self, ours: DtlsRole) -> Dialect {
        match ours {
            DtlsRole::Client => Dialect {
                exported: None,
                profile: None,
                certificate: None,
                key_log: true,
                failed: "Error in handshake(): ",
                data: "bytes command: ",
                speech: DataSource::Echo,
                update_keys: None,
                closed: None,
                close: Close::Never,
            },
            DtlsRole::Server => Dialect {
                exported: Some("- Key material: "),
                profile: Some(("- SRTP profile: ", profile_name)),
                certificate: None,
                key_log: true,
                failed: "*** Fatal error: ",
                data: "",
                speech: DataSource::FromStdin(""),
                update_keys: None,
                closed: Some("- Peer has closed the GnuTLS connection"),
                close: Close::EndOfInput,
            },
        }
    }
}

fn profile_name(id: Option<u16>) -> String {
    match id {
        Some(srtp_profile::AES128_CM_SHA1_80) => "SRTP_AES128_CM_HMAC_SHA1_80".into(),
        Some(srtp_profile::AES128_CM_SHA1_32) => "SRTP_AES128_CM_HMAC_SHA1_32".into(),
        other => format!("{other:?}"),
    }
}
