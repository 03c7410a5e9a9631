//! OpenSSL's `s_client` and `s_server` on the other side: DTLS 1.2 with use_srtp, in both roles.
//!
//! 1. -> handshake, OpenSSL on one socket, `dtls-core` on another, in some cells with a lossy relay between them
//! 2. == profile, suite, group and exported keys, as each side reports them; our certificate as OpenSSL saw it
//! 3. <> application data both ways
//! 4. -> close_notify, by us or by OpenSSL
//!
//! Then the handshakes that must be refused, with the alert that OpenSSL reads, and the cells with a pre-shared key,
//! which other stacks run too. Roles are ours.

mod handshake;
mod refusal;

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use dtls_core::DtlsRole;

use crate::certificates::{Certificates, KeyKind};
use crate::dtls;
use crate::program::Program;
use crate::relay::{Impairment, Relay};
use crate::report::Report;
use crate::udp_peer::{SRTP_LABEL, UdpPeer};

/// Both sides are on this machine: an event that has not happened by then does not happen.
const SOON: Duration = Duration::from_secs(10);

/// The options of OpenSSL for one cell.
#[derive(Debug, Clone, Copy)]
struct OpenSsl<'a> {
    certificate: Option<KeyKind>,
    /// The value of `-use_srtp`.
    use_srtp: Option<&'a str>,
    /// How many bytes it exports.
    exported: usize,
    arguments: &'a [&'a str],
    impairment: Option<Impairment>,
    /// Whether the server requires a cookie; our server uses a gate.
    cookie: bool,
}

/// Both sides of a cell, and the relay between them.
struct Sides {
    ours: UdpPeer,
    openssl: Program,
    relay: Option<Relay>,
}

/// Runs every cell.
pub(crate) fn run(report: &mut Report) {
    let certificates = Certificates::generate();
    for role in [DtlsRole::Client, DtlsRole::Server] {
        handshake::play(report, &certificates, role);
        refusal::play(report, &certificates, role);
        dtls::openssl_with_psk(report, &certificates, role);
    }
}

/// Our role, as the table names it.
const fn word(role: DtlsRole) -> &'static str {
    match role {
        DtlsRole::Client => "client",
        DtlsRole::Server => "server",
    }
}

impl Sides {
    /// Starts both sides, the server first.
    fn start(
        role: DtlsRole,
        config: dtls_core::Config,
        openssl: OpenSsl<'_>,
        certificates: &Certificates,
    ) -> Result<Self, String> {
        match role {
            DtlsRole::Client => {
                let mut command = openssl.command("s_server", certificates)?;
                command.args(["-accept", "127.0.0.1:0", "-naccept", "1", "-Verify", "1"]);
                if openssl.cookie {
                    command.arg("-listen");
                }
                let program = Program::start(&mut command)?;
                let port = program.wait_for("ACCEPT 127.0.0.1:", SOON)?;
                let address =
                    format!("127.0.0.1:{port}").parse().map_err(|_| program.with_output("no port"))?;
                let (relay, address) = openssl.between(address)?;
                Ok(Self { ours: UdpPeer::client(address, config)?, openssl: program, relay })
            }
            DtlsRole::Server => {
                let ours =
                    if openssl.cookie { UdpPeer::gated_server(config)? } else { UdpPeer::server(config)? };
                let (relay, address) = openssl.between(ours.address()?)?;
                let mut command = openssl.command("s_client", certificates)?;
                command.args(["-connect", &address.to_string()]);
                Ok(Self { ours, openssl: Program::start(&mut command)?, relay })
            }
        }
    }

    /// Drives our side until OpenSSL prints a line with `mark`; returns what follows it.
    fn until_printed(&mut self, mark: &str) -> Result<String, String> {
        let Self { ours, openssl, .. } = self;
        let printed = ours.until(&format!("OpenSSL's `{mark}`"), SOON, |_| openssl.printed(mark));
        printed.map_err(|message| openssl.with_output(&message))
    }
}

impl OpenSsl<'_> {
    fn command(&self, program: &str, certificates: &Certificates) -> Result<Command, String> {
        let mut command = Command::new("openssl");
        command.args([program, "-dtls1_2", "-timeout", "-state"]);
        // As a client it may come without one.
        if let Some(kind) = self.certificate {
            let files = certificates.files(kind)?;
            command.arg("-cert").arg(&files.certificate).arg("-key").arg(&files.key);
        }
        if let Some(profiles) = self.use_srtp {
            command.args(["-use_srtp", profiles]);
        }
        command.args(["-keymatexport", SRTP_LABEL, "-keymatexportlen", &self.exported.to_string()]);
        command.args(self.arguments);
        Ok(command)
    }

    /// The relay in front of `target`, if the cell has impairment, and the address for the client.
    fn between(&self, target: SocketAddr) -> Result<(Option<Relay>, SocketAddr), String> {
        let Some(impairment) = self.impairment else { return Ok((None, target)) };
        let relay = Relay::start(target, impairment, SEED)?;
        let address = relay.address();
        Ok((Some(relay), address))
    }
}

/// The relay's seed: which datagrams are lost depends on it and on their order alone.
const SEED: u64 = 20;
