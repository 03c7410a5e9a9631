//! The cells that every stack runs, for each of our roles.
//!
//! Plain values. A cell about a suite, a group or a profile restricts our side, so that the other stack decides nothing
//! and needs no unusual option.

use std::time::Duration;

use dtls_core::{CipherSuite, ClosedBy, DtlsRole, NamedGroup, ProtocolVersion, srtp_profile};

use super::foreign_stack::Offer;
use crate::certificates::KeyKind;
use crate::relay::Impairment;

/// One cell for each role.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell {
    scenario: &'static str,
    /// Ours and theirs.
    pub(super) offers: [Offer; 2],
    /// The expected version.
    pub(super) version: ProtocolVersion,
    pub(super) theirs: KeyKind,
    /// `None` selects the certificate of `Certificate::generate`.
    pub(super) ours: Option<KeyKind>,
    /// We announce the fingerprint of a certificate of this kind as theirs.
    pub(super) announced: KeyKind,
    /// A pre-shared key instead of certificates.
    pub(super) psk: Option<Psk>,
    pub(super) srtp: Srtp,
    pub(super) suite: Option<CipherSuite>,
    /// Our offered groups; empty for the default.
    pub(super) groups: &'static [NamedGroup],
    /// Their groups, in a cell about groups.
    pub(super) their_groups: Option<&'static str>,
    /// The expected group, in a cell about groups.
    pub(super) group: Option<NamedGroup>,
    pub(super) cookie: Cookie,
    /// The MTU of both sides.
    pub(super) mtu: usize,
    pub(super) impairment: Option<Impairment>,
    pub(super) limit: Duration,
    /// The side that sends a KeyUpdate after the first data, if one does.
    pub(super) rekeyed_by: Option<Updater>,
    pub(super) closed_by: ClosedBy,
}

/// The server that requires a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cookie {
    Nobody,
    /// Theirs with its own option, ours with a gate in front of the connection.
    TheServer,
    /// Ours; there is no such cell for theirs.
    OurServer,
}

/// The pre-shared keys of both sides (RFC 4279).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Psk {
    /// The identity hint that the server sends.
    pub(super) hint: Option<&'static str>,
    pub(super) keys: Keys,
}

/// Whether two sides hold the same pre-shared key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keys {
    Same,
    /// Under the same identity.
    Different,
    /// The server does not know the client's identity.
    Unknown,
}

/// The expected result of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Connected,
    /// Our side refuses their certificate.
    Refused,
    /// The keys differ, so neither side can prove that it is connected.
    NeverConnected,
}

/// The side that updates its keys (RFC 9147 section 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Updater {
    Us,
    Them,
}

/// Our side of use_srtp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Srtp {
    EveryProfile,
    Only(u16),
    Unused,
}

impl Cell {
    /// Its name in the table.
    pub(super) fn name(&self) -> String {
        let version = |offer| match offer {
            Offer::Dtls12 => "1.2",
            Offer::Dtls13 => "1.3",
            Offer::Both => "1.2 and 1.3",
        };
        match self.offers {
            [Offer::Dtls12, Offer::Dtls12] => self.scenario.to_owned(),
            [Offer::Dtls13, Offer::Dtls13] => format!("1.3: {}", self.scenario),
            [ours, theirs] => format!("{} with {}: {}", version(ours), version(theirs), self.scenario),
        }
    }

    /// Whether the cell tests something in this role of ours.
    pub(super) fn exists(&self, role: DtlsRole) -> bool {
        self.cookie != Cookie::OurServer || role == DtlsRole::Server
    }

    /// The expected result.
    pub(super) fn outcome(&self) -> Outcome {
        match self.psk {
            Some(Psk { keys: Keys::Same, .. }) => Outcome::Connected,
            Some(_) => Outcome::NeverConnected,
            None if self.announced == self.theirs => Outcome::Connected,
            None => Outcome::Refused,
        }
    }
}

//= rfc6347-4.2.6-unfragmented
//= rfc6347-4.2.6-without-cookie
/// Every cell with a stack that has these versions.
pub(super) fn all(versions: Offer) -> impl Iterator<Item = Cell> {
    let dtls13 = CELLS_13.iter().filter(move |_| versions != Offer::Dtls12);
    CELLS_12.iter().chain(CELLS_PSK).chain(dtls13).copied()
}

/// The cells with a pre-shared key, for stacks that run only those.
pub(super) fn with_psk() -> impl Iterator<Item = Cell> {
    CELLS_PSK.iter().copied()
}

/// Both sides are on this machine: an event that has not happened by then does not happen.
pub(super) const SOON: Duration = Duration::from_secs(10);
/// With impairment; other stacks double their timeouts from one second on.
const LATER: Duration = Duration::from_secs(29);

const LOSSY: Option<Impairment> = Some(Impairment { lost: 20, repeated: 0, late: 0 });
const CHAOTIC: Option<Impairment> = Some(Impairment { lost: 5, repeated: 30, late: 30 });

const PLAIN: Cell = Cell {
    scenario: "every SRTP profile on offer",
    offers: [Offer::Dtls12; 2],
    version: ProtocolVersion::DTLS12,
    theirs: KeyKind::P256,
    ours: None,
    announced: KeyKind::P256,
    psk: None,
    srtp: Srtp::EveryProfile,
    suite: None,
    groups: &[],
    their_groups: None,
    group: None,
    cookie: Cookie::Nobody,
    mtu: 1200,
    impairment: None,
    limit: SOON,
    rekeyed_by: None,
    closed_by: ClosedBy::Us,
};

const PLAIN_13: Cell = Cell { offers: [Offer::Dtls13; 2], version: ProtocolVersion::DTLS13, ..PLAIN };

const HYBRID: &[NamedGroup] = &[NamedGroup::X25519MLKEM768];
const X25519: &[NamedGroup] = &[NamedGroup::X25519];
const P256: &[NamedGroup] = &[NamedGroup::SECP256R1];
const P384: &[NamedGroup] = &[NamedGroup::SECP384R1];

const RSA: Cell = Cell {
    scenario: "their certificate RSA",
    theirs: KeyKind::Rsa2048,
    announced: KeyKind::Rsa2048,
    ..PLAIN
};

const CELLS_12: &[Cell] = &[
    PLAIN,
    Cell { scenario: "they close", closed_by: ClosedBy::Peer, ..PLAIN },
    Cell { scenario: "a cookie is asked for", cookie: Cookie::TheServer, ..PLAIN },
    Cell {
        scenario: "we ask for a cookie, datagrams of 256 bytes",
        cookie: Cookie::OurServer,
        mtu: 256,
        ..PLAIN
    },
    Cell {
        scenario: "we ask for a cookie, 20% of datagrams lost",
        cookie: Cookie::OurServer,
        impairment: Some(Impairment { lost: 20, repeated: 0, late: 0 }),
        limit: Duration::from_secs(29),
        ..PLAIN
    },
    only_profile("SRTP_AES128_CM_SHA1_80", srtp_profile::AES128_CM_SHA1_80),
    only_profile("SRTP_AES128_CM_SHA1_32", srtp_profile::AES128_CM_SHA1_32),
    only_profile("SRTP_AEAD_AES_128_GCM", srtp_profile::AEAD_AES_128_GCM),
    only_profile("SRTP_AEAD_AES_256_GCM", srtp_profile::AEAD_AES_256_GCM),
    Cell { scenario: "without SRTP", srtp: Srtp::Unused, ..PLAIN },
    Cell {
        scenario: "ECDHE-ECDSA-AES128-GCM-SHA256",
        suite: Some(CipherSuite::ECDHE_ECDSA_AES128_GCM_SHA256),
        ..PLAIN
    },
    Cell {
        scenario: "ECDHE-ECDSA-AES256-GCM-SHA384",
        suite: Some(CipherSuite::ECDHE_ECDSA_AES256_GCM_SHA384),
        ..PLAIN
    },
    Cell {
        scenario: "ECDHE-ECDSA-CHACHA20-POLY1305",
        suite: Some(CipherSuite::ECDHE_ECDSA_CHACHA20_POLY1305_SHA256),
        ..PLAIN
    },
    Cell {
        scenario: "ECDHE-RSA-AES128-GCM-SHA256",
        suite: Some(CipherSuite::ECDHE_RSA_AES128_GCM_SHA256),
        ours: Some(KeyKind::Rsa2048),
        ..RSA
    },
    Cell {
        scenario: "ECDHE-RSA-AES256-GCM-SHA384",
        suite: Some(CipherSuite::ECDHE_RSA_AES256_GCM_SHA384),
        ours: Some(KeyKind::Rsa2048),
        ..RSA
    },
    Cell {
        scenario: "ECDHE-RSA-CHACHA20-POLY1305",
        suite: Some(CipherSuite::ECDHE_RSA_CHACHA20_POLY1305_SHA256),
        ours: Some(KeyKind::Rsa2048),
        ..RSA
    },
    // Some refuse certificates on a curve that is not among the groups (RFC 8422 section 5.1).
    Cell {
        scenario: "key exchange over X25519",
        groups: &[NamedGroup::X25519, NamedGroup::SECP256R1],
        group: Some(NamedGroup::X25519),
        ..PLAIN
    },
    Cell { scenario: "key exchange over P-256", groups: P256, group: Some(NamedGroup::SECP256R1), ..PLAIN },
    Cell {
        scenario: "key exchange over P-384",
        groups: P384,
        group: Some(NamedGroup::SECP384R1),
        theirs: KeyKind::P384,
        announced: KeyKind::P384,
        ours: Some(KeyKind::P384),
        ..PLAIN
    },
    Cell {
        scenario: "their certificate ECDSA P-384",
        theirs: KeyKind::P384,
        announced: KeyKind::P384,
        ..PLAIN
    },
    Cell {
        scenario: "their certificate Ed25519",
        theirs: KeyKind::Ed25519,
        announced: KeyKind::Ed25519,
        ..PLAIN
    },
    RSA,
    Cell { scenario: "our certificate ECDSA P-384", ours: Some(KeyKind::P384), ..PLAIN },
    Cell { scenario: "our certificate Ed25519", ours: Some(KeyKind::Ed25519), ..PLAIN },
    Cell { scenario: "our certificate RSA", ours: Some(KeyKind::Rsa2048), ..PLAIN },
    Cell { scenario: "datagrams of 256 bytes, both ways", mtu: 256, ..PLAIN },
    Cell { scenario: "20% of datagrams lost", impairment: LOSSY, limit: LATER, ..PLAIN },
    Cell {
        scenario: "30% repeated, 30% late, 5% lost, fragments",
        mtu: 256,
        impairment: CHAOTIC,
        limit: LATER,
        ..PLAIN
    },
    Cell { scenario: "a fingerprint that was not announced", announced: KeyKind::P384, ..PLAIN },
];

const PSK: Cell = Cell {
    scenario: "PSK-AES128-CCM8",
    psk: Some(Psk { hint: None, keys: Keys::Same }),
    suite: Some(CipherSuite::PSK_AES128_CCM_8),
    ..PLAIN
};

const CELLS_PSK: &[Cell] = &[
    PSK,
    Cell {
        scenario: "PSK-AES128-CCM8, with an identity hint",
        psk: Some(Psk { hint: Some("factory"), keys: Keys::Same }),
        ..PSK
    },
    Cell {
        scenario: "PSK-AES128-CCM8, another key",
        psk: Some(Psk { hint: None, keys: Keys::Different }),
        ..PSK
    },
    Cell {
        scenario: "PSK-AES128-CCM8, an unknown identity",
        psk: Some(Psk { hint: None, keys: Keys::Unknown }),
        ..PSK
    },
    Cell { scenario: "PSK-AES128-CCM8, datagrams of 256 bytes", mtu: 256, ..PSK },
    Cell { scenario: "PSK-AES128-CCM8, 20% of datagrams lost", impairment: LOSSY, limit: LATER, ..PSK },
];

const CELLS_13: &[Cell] = &[
    PLAIN_13,
    Cell { scenario: "they close", closed_by: ClosedBy::Peer, ..PLAIN_13 },
    Cell { scenario: "without SRTP", srtp: Srtp::Unused, ..PLAIN_13 },
    Cell { scenario: "AES-128-GCM-SHA256", suite: Some(CipherSuite::AES_128_GCM_SHA256), ..PLAIN_13 },
    Cell { scenario: "AES-256-GCM-SHA384", suite: Some(CipherSuite::AES_256_GCM_SHA384), ..PLAIN_13 },
    Cell {
        scenario: "CHACHA20-POLY1305-SHA256",
        suite: Some(CipherSuite::CHACHA20_POLY1305_SHA256),
        ..PLAIN_13
    },
    Cell {
        scenario: "key exchange over X25519MLKEM768",
        groups: HYBRID,
        group: Some(NamedGroup::X25519MLKEM768),
        ..PLAIN_13
    },
    Cell {
        scenario: "key exchange over X25519",
        groups: X25519,
        group: Some(NamedGroup::X25519),
        ..PLAIN_13
    },
    Cell {
        scenario: "key exchange over P-256",
        groups: P256,
        group: Some(NamedGroup::SECP256R1),
        ..PLAIN_13
    },
    Cell {
        scenario: "key exchange over P-384",
        groups: P384,
        group: Some(NamedGroup::SECP384R1),
        ..PLAIN_13
    },
    Cell {
        scenario: "they know X25519MLKEM768 alone",
        their_groups: Some("x25519mlkem768"),
        group: Some(NamedGroup::X25519MLKEM768),
        ..PLAIN_13
    },
    // It is offered beside the hybrid share.
    Cell {
        scenario: "they know X25519 alone",
        their_groups: Some("x25519"),
        group: Some(NamedGroup::X25519),
        ..PLAIN_13
    },
    // As a client we must answer a HelloRetryRequest.
    Cell {
        scenario: "they know P-384 alone",
        their_groups: Some("p384"),
        group: Some(NamedGroup::SECP384R1),
        ..PLAIN_13
    },
    Cell {
        scenario: "we prefer P-256, they know X25519MLKEM768 alone",
        groups: &[NamedGroup::SECP256R1, NamedGroup::X25519MLKEM768],
        their_groups: Some("x25519mlkem768"),
        group: Some(NamedGroup::X25519MLKEM768),
        ..PLAIN_13
    },
    Cell {
        scenario: "their certificate ECDSA P-384",
        theirs: KeyKind::P384,
        announced: KeyKind::P384,
        ..PLAIN_13
    },
    Cell {
        scenario: "their certificate Ed25519",
        theirs: KeyKind::Ed25519,
        announced: KeyKind::Ed25519,
        ..PLAIN_13
    },
    Cell {
        scenario: "their certificate RSA",
        theirs: KeyKind::Rsa2048,
        announced: KeyKind::Rsa2048,
        ..PLAIN_13
    },
    Cell { scenario: "our certificate ECDSA P-384", ours: Some(KeyKind::P384), ..PLAIN_13 },
    Cell { scenario: "our certificate Ed25519", ours: Some(KeyKind::Ed25519), ..PLAIN_13 },
    Cell { scenario: "our certificate RSA", ours: Some(KeyKind::Rsa2048), ..PLAIN_13 },
    Cell { scenario: "a cookie is asked for", cookie: Cookie::TheServer, ..PLAIN_13 },
    Cell {
        scenario: "we ask for a cookie, datagrams of 256 bytes",
        cookie: Cookie::OurServer,
        mtu: 256,
        ..PLAIN_13
    },
    Cell {
        scenario: "we ask for a cookie and for P-384",
        cookie: Cookie::OurServer,
        groups: &[NamedGroup::SECP384R1],
        group: Some(NamedGroup::SECP384R1),
        ..PLAIN_13
    },
    Cell {
        scenario: "we ask for a cookie, 20% of datagrams lost",
        cookie: Cookie::OurServer,
        impairment: Some(Impairment { lost: 20, repeated: 0, late: 0 }),
        limit: Duration::from_secs(29),
        ..PLAIN_13
    },
    Cell {
        scenario: "we ask for a cookie, they know X25519MLKEM768 alone",
        cookie: Cookie::OurServer,
        their_groups: Some("x25519mlkem768"),
        group: Some(NamedGroup::X25519MLKEM768),
        ..PLAIN_13
    },
    Cell {
        scenario: "we ask for a cookie, 1.3 comes out",
        cookie: Cookie::OurServer,
        offers: [Offer::Both; 2],
        ..PLAIN_13
    },
    Cell {
        scenario: "we ask for a cookie, 1.2 comes out",
        cookie: Cookie::OurServer,
        offers: [Offer::Dtls12, Offer::Both],
        ..PLAIN
    },
    Cell { scenario: "we update the keys", rekeyed_by: Some(Updater::Us), ..PLAIN_13 },
    Cell { scenario: "they update the keys", rekeyed_by: Some(Updater::Them), ..PLAIN_13 },
    Cell { scenario: "datagrams of 256 bytes, both ways", mtu: 256, ..PLAIN_13 },
    Cell { scenario: "20% of datagrams lost", impairment: LOSSY, limit: LATER, ..PLAIN_13 },
    Cell {
        scenario: "30% repeated, 30% late, 5% lost, fragments",
        mtu: 256,
        impairment: CHAOTIC,
        limit: LATER,
        ..PLAIN_13
    },
    Cell { scenario: "a fingerprint that was not announced", announced: KeyKind::P384, ..PLAIN_13 },
    Cell { scenario: "1.3 comes out", offers: [Offer::Both; 2], ..PLAIN_13 },
    Cell { scenario: "1.3 comes out", offers: [Offer::Both, Offer::Dtls13], ..PLAIN_13 },
    Cell { scenario: "1.3 comes out", offers: [Offer::Dtls13, Offer::Both], ..PLAIN_13 },
    Cell { scenario: "1.2 comes out", offers: [Offer::Both, Offer::Dtls12], ..PLAIN },
    Cell { scenario: "1.2 comes out", offers: [Offer::Dtls12, Offer::Both], ..PLAIN },
];

const fn only_profile(scenario: &'static str, id: u16) -> Cell {
    Cell { scenario, srtp: Srtp::Only(id), ..PLAIN }
}
