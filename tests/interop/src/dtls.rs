//! Other DTLS stacks as UDP programs on the other side: GnuTLS, dimpl, pion and BoringSSL, in both roles.
//!
//! 1. -> handshake, their program on one socket, `dtls-core` on another, in some cells with a lossy relay between them
//! 2. == version, profile and exported keys or key log, as each side reports them; our certificate as they saw it
//! 3. <> application data both ways
//! 4. -> close_notify, by us or by them
//!
//! Every stack runs the same cells. `absent.toml` lists what a stack cannot do. Roles are ours.

mod cells;
mod foreign_stack;
mod gnutls;
mod line_protocol;
mod openssl;
mod sides;

use dtls_core::DtlsRole;

use crate::certificates::Certificates;
use crate::report::Report;
use cells::Cell;
use foreign_stack::{ForeignStack, Offer};
use gnutls::GnuTls;
use line_protocol::LinePeer;
use openssl::OpenSsl;

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

/// OpenSSL's own programs, in the cells with a pre-shared key; `crate::openssl` plays those with certificates.
pub(crate) fn openssl_with_psk(report: &mut Report, certificates: &Certificates, role: DtlsRole) {
    play_cells(report, &OpenSsl, cells::with_psk(), certificates, role);
}

fn play(report: &mut Report, foreign_stack: &dyn ForeignStack, versions: Offer) {
    let certificates = Certificates::generate();
    for role in [DtlsRole::Client, DtlsRole::Server] {
        play_cells(report, foreign_stack, cells::all(versions), &certificates, role);
    }
}

fn play_cells(
    report: &mut Report,
    foreign_stack: &dyn ForeignStack,
    cells: impl Iterator<Item = Cell>,
    certificates: &Certificates,
    role: DtlsRole,
) {
    let word = match role {
        DtlsRole::Client => "client",
        DtlsRole::Server => "server",
    };
    for cell in cells.filter(|cell| cell.exists(role)) {
        report.cell(word, &cell.name(), |notes| sides::play(&cell, role, foreign_stack, certificates, notes));
    }
}
