//! Other DTLS stacks as bare UDP programs on the other side: GnuTLS, dimpl, pion and BoringSSL, in both roles.
//!
//! 1. -> handshake, their program on one socket, `dtls-core` on another, at times a bad relay between them
//! 2. == version, profile and exported keys or key log, as each side says them; our certificate as they saw it
//! 3. <> application data both ways
//! 4. -> close_notify, by us or by them
//!
//! Every stack plays the same cells. What a stack cannot do is a row of `absent.toml`. Roles are ours.

mod cells;
mod gnutls;
mod line_protocol;
mod sides;
mod stranger;

use dtls_core::DtlsRole;

use crate::certificates::Certificates;
use crate::report::Report;
use gnutls::GnuTls;
use line_protocol::LinePeer;
use stranger::{Offer, Stranger};

/// GnuTLS's own programs.
pub(crate) fn gnutls(report: &mut Report) {
    play(report, &GnuTls, Offer::Dtls12);
}

/// dimpl, built from `dtls-peers`.
pub(crate) fn dimpl(report: &mut Report) {
    play(report, &LinePeer::beside_us("dimpl-peer"), Offer::Both);
}

/// pion/dtls, built from `dtls-peers/pion`.
pub(crate) fn pion(report: &mut Report) {
    play(report, &LinePeer::beside_us("pion-peer"), Offer::Dtls12);
}

/// BoringSSL, built from `dtls-peers` with its feature `boring`.
pub(crate) fn boring(report: &mut Report) {
    play(report, &LinePeer::beside_us("boring-peer"), Offer::Both);
}

fn play(report: &mut Report, stranger: &dyn Stranger, versions: Offer) {
    let certificates = Certificates::generate();
    for role in [DtlsRole::Client, DtlsRole::Server] {
        let word = match role {
            DtlsRole::Client => "client",
            DtlsRole::Server => "server",
        };
        for cell in cells::all(versions).filter(|cell| cell.exists(role)) {
            report.cell(word, &cell.name(), |notes| sides::play(&cell, role, stranger, &certificates, notes));
        }
    }
}
