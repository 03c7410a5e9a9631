//! DTLS 1.3 (RFC 9147, RFC 8446): the handshake of both roles, and its result.
//!
//! The states know messages. They do not know datagrams, timers, acknowledgements or retransmission: a state leaves its
//! flight in the context, and the connection sends it.

pub(crate) mod ack;
pub(crate) mod client;
pub(crate) mod connected;
pub(crate) mod established;
pub(crate) mod identity;
pub(crate) mod key_schedule;
pub(crate) mod selected;
pub(crate) mod server;

use crate::config::{Config, DtlsRole};
use crate::crypto::backend::digest::Digest;
use crate::crypto::signed_content::SignedContent;
use crate::crypto::suite13::Suite13;
use crate::failure::{Failure, Operation};
use crate::handshake::step::Context;
use crate::key_log::KeyLogLine;
use crate::message::Random;
use crate::record::epoch::HANDSHAKE_EPOCH;
use key_schedule::{ApplicationSecrets, Directions, Exporter, FinishedKeys, TrafficSecret};
use selected::Selected;

/// The random of a ServerHello that is a HelloRetryRequest (RFC 8446 section 4.1.3).
pub(crate) const RETRY_RANDOM: Random = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2,
    0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// The end of the random of a server with DTLS 1.3 that selects 1.2 (RFC 8446 section 4.1.3).
pub(crate) const DOWNGRADE_TO_12: [u8; 8] = *b"DOWNGRD\x01";

/// The same for a server that selects 1.0. Never sent, because 1.0 is not supported, but refused like the other one.
pub(crate) const DOWNGRADE_TO_10: [u8; 8] = *b"DOWNGRD\x00";

/// Returns the input of the signature in a CertificateVerify (RFC 8446 section 4.4.3).
fn signed_content(signer: DtlsRole, transcript: &Digest) -> Result<SignedContent, Failure> {
    let context: &[u8] = match signer {
        DtlsRole::Client => b"TLS 1.3, client CertificateVerify",
        DtlsRole::Server => b"TLS 1.3, server CertificateVerify",
    };
    SignedContent::of(&[&[b' '; 64], context, &[0], transcript.as_ref()])
}

/// Installs epoch 2 in both directions.
fn begin_handshake_epoch(
    role: DtlsRole,
    traffic: &Directions,
    cx: &mut Context<'_>,
) -> Result<FinishedKeys, Failure> {
    let keys =
        |secret: &TrafficSecret| secret.handshake_keys().ok_or(Failure::Crypto(Operation::KeyExchange));
    let (write, ours) = keys(traffic.write(role))?;
    let (read, theirs) = keys(traffic.read(role))?;
    cx.records.epochs().begin_writing(HANDSHAKE_EPOCH, write);
    cx.records.epochs().begin_reading(HANDSHAKE_EPOCH, read);
    Ok(FinishedKeys { ours, theirs })
}

fn begin_writing(epoch: u16, secret: &TrafficSecret, cx: &mut Context<'_>) -> Result<(), Failure> {
    let key = secret.key().ok_or(Failure::Crypto(Operation::KeyExchange))?;
    cx.records.epochs().begin_writing(epoch, key);
    Ok(())
}

fn begin_reading(epoch: u16, secret: &TrafficSecret, cx: &mut Context<'_>) -> Result<(), Failure> {
    let key = secret.key().ok_or(Failure::Crypto(Operation::KeyExchange))?;
    cx.records.epochs().begin_reading(epoch, key);
    Ok(())
}

fn log_handshake(selected: &Selected, traffic: &Directions, cx: &mut Context<'_>) {
    let line = |label, secret: &[u8]| KeyLogLine::new(label, selected.client_random, secret);
    cx.events.push_key_log(cx.config, || line("CLIENT_HANDSHAKE_TRAFFIC_SECRET", traffic.client.expose()));
    cx.events.push_key_log(cx.config, || line("SERVER_HANDSHAKE_TRAFFIC_SECRET", traffic.server.expose()));
}

fn log_application(selected: &Selected, secrets: &ApplicationSecrets, cx: &mut Context<'_>) {
    let line = |label, secret: &[u8]| KeyLogLine::new(label, selected.client_random, secret);
    let traffic = &secrets.traffic;
    cx.events.push_key_log(cx.config, || line("CLIENT_TRAFFIC_SECRET_0", traffic.client.expose()));
    cx.events.push_key_log(cx.config, || line("SERVER_TRAFFIC_SECRET_0", traffic.server.expose()));
}

/// The exporter secret is not logged before the peer is authenticated, like the exporter itself.
fn log_exporter(selected: &Selected, exporter: &Exporter, cx: &mut Context<'_>) {
    let line = || KeyLogLine::new("EXPORTER_SECRET", selected.client_random, exporter.expose());
    cx.events.push_key_log(cx.config, line);
}

/// Returns the DTLS 1.3 suites of the configuration, in its order.
fn suites(config: &Config) -> impl Iterator<Item = &'static Suite13> {
    config.suites.iter().filter_map(|suite| suite.dtls13())
}
