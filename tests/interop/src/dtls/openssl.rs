//! `s_client` and `s_server` with a pre-shared key: DTLS 1.2 with use_srtp.
//!
//! `crate::openssl` runs its cells with certificates and checks more there. As a server it closes its socket before it
//! would send a close_notify, and it accepts any identity.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use dtls_core::{DtlsRole, srtp_profile};

use super::foreign_stack::{Close, Credentials, DataSource, Dialect, ForeignStack, Setup};
use crate::program::{Program, hexadecimal};
use crate::udp_peer::SRTP_LABEL;

/// OpenSSL's program, found on the path.
pub(super) struct OpenSsl;

impl OpenSsl {
    fn command(program: &str, setup: &Setup<'_>) -> Result<Command, String> {
        let Credentials::Psk { identity, key, hint } = setup.credentials else {
            return Err("the cells with certificates are played elsewhere".into());
        };
        let mut command = Command::new("openssl");
        command.args([program, "-dtls1_2", "-timeout", "-state", "-mtu", &setup.mtu.to_string()]);
        // Short tags are below its default security level.
        command.args(["-cipher", "PSK-AES128-CCM8:@SECLEVEL=0"]);
        command.args(["-psk_identity", identity, "-psk", &hexadecimal(key)]);
        if let ("s_server", Some(hint)) = (program, hint) {
            command.args(["-psk_hint", hint]);
        }
        command.args(["-use_srtp", "SRTP_AES128_CM_SHA1_80"]);
        command.args(["-keymatexport", SRTP_LABEL, "-keymatexportlen", "60"]);
        command.arg("-keylogfile").arg(setup.key_log());
        Ok(command)
    }
}

impl ForeignStack for OpenSsl {
    fn serve(&self, setup: &Setup<'_>) -> Result<(Program, SocketAddr), String> {
        let mut command = Self::command("s_server", setup)?;
        command.args(["-nocert", "-accept", "127.0.0.1:0", "-naccept", "1"]);
        let program = Program::start(&mut command)?;
        let port = program.wait_for("ACCEPT 127.0.0.1:", Duration::from_secs(10))?;
        let address = format!("127.0.0.1:{port}").parse().map_err(|_| program.with_output("no port"))?;
        Ok((program, address))
    }

    fn dial(&self, setup: &Setup<'_>, remote: SocketAddr) -> Result<Program, String> {
        Program::start(Self::command("s_client", setup)?.args(["-connect", &remote.to_string()]))
    }

    fn dialect(&self, ours: DtlsRole) -> Dialect {
        Dialect {
            exported: Some("Keying material: "),
            profile: Some(("SRTP Extension negotiated, profile=", profile_name)),
            certificate: None,
            key_log: true,
            failed: ":error:",
            data: "",
            speech: DataSource::FromStdin(""),
            update_keys: None,
            closed: Some("alert read:warning:close notify"),
            close: match ours {
                DtlsRole::Client => Close::Never,
                DtlsRole::Server => Close::FromStdin("Q"),
            },
        }
    }
}

fn profile_name(id: Option<u16>) -> String {
    match id {
        Some(srtp_profile::AES128_CM_SHA1_80) => "SRTP_AES128_CM_SHA1_80".into(),
        other => format!("{other:?}"),
    }
}
