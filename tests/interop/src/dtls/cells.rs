//! The cells that every stack plays, for each of our roles.
//!
//! Plain values. A cell about a suite, a group or a profile restricts our side, so that the stack on the other side
//! decides nothing and is asked for nothing unusual.

use std::time::Duration;

use dtls_core::{CipherSuite, ClosedBy, DtlsRole, NamedGroup, ProtocolVersion, srtp_profile};

use super::stranger::Offer;
use crate::certificates::KeyKind;
use crate::relay::Weather;

/// One cell for each role.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell {
    scenario: &'static str,
    /// Ours and theirs.
    pub(super) offers: [Offer; 2],
    /// What has to come out.
    pub(super) version: ProtocolVersion,
    pub(super) theirs: KeyKind,
    /// `None` is what `Certificate::generate` makes.
    pub(super) ours: Option<KeyKind>,
    /// What we announce of their certificate is of this kind.
    pub(super) announced: KeyKind,
    /// A pre-shared key instead of certificates.
    pub(super) psk: Option<Psk>,
    pub(super) srtp: Srtp,
    pub(super) suite: Option<CipherSuite>,
    /// The groups on offer by us; none is the default.
    pub(super) groups: &'static [NamedGroup],
    /// Their groups where the cell is about them.
    pub(super) their_groups: Option<&'static str>,
    /// Which group has to come out, where the cell is about groups.
    pub(super) group: Option<NamedGroup>,
    pub(super) cookie: Cookie,
    /// Of both sides.
    pub(super) mtu: usize,
    pub(super) weather: Option<Weather>,
    pub(super) limit: Duration,
    /// Whose KeyUpdate comes after the first data, if anybody's.
    pub(super) rekeyed_by: Option<Updater>,
    pub(super) closed_by: ClosedBy,
}

/// Who asks for a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cookie {
    Nobody,
    /// Theirs by its own means, ours by a gate in front of the connection.
    TheServer,
    /// Ours, and there is no such cell for theirs.
    OurServer,
}

/// The pre-shared keys of both sides (RFC 4279).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Psk {
    /// What the server tells the client.
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

/// What has to come of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Connected,
    /// Our side refuses the certificate of theirs.
    Refused,
    /// The keys differ, so neither side can show the other that it is connected.
    NeverConnected,
}

/// Who replaces keys (RFC 9147 section 8).
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

    /// Whether it is about something that is to be seen where our role is this one.
    pub(super) fn exists(&self, role: DtlsRole) -> bool {
        self.cookie != Cookie::OurServer || role == DtlsRole::Server
    }

    /// What has to come of it.
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

/// The cells with a pre-shared key, for whoever plays only those.
pub(super) fn with_psk() -> impl Iterator<Item = Cell> {
    CELLS_PSK.iter().copied()
}

/// Both sides are on this machine: what has not happened by then does not happen.
pub(super) const SOON: Duration = Duration::from_secs(10);
/// In bad weather; others double their timeouts from a second on.
const LATER: Duration = Duration::from_secs(29);

const LOSSY: Option<Weather> = Some(Weather { lost: 20, repeated: 0, late: 0 });
const CHAOTIC: Option<Weather> = Some(Weather { lost: 5, repeated: 30, late: 30 });

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
    weather: None,
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
        weather: Some(Weather { lost: 20, repeated: 0, late: 0 }),
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
    Cell { scenario: "20% of datagrams lost", weather: LOSSY, limit: LATER, ..PLAIN },
    Cell {
        scenario: "30% repeated, 30% late, 5% lost, fragments",
        mtu: 256,
        weather: CHAOTIC,
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
    Cell { scenario: "PSK-AES128-CCM8, 20% of datagrams lost", weather: LOSSY, limit: LATER, ..PSK },
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
    // It stands beside the hybrid share.
    Cell {
        scenario: "they know X25519 alone",
        their_groups: Some("x25519"),
        group: Some(NamedGroup::X25519),
        ..PLAIN_13
    },
    // A client of ours has to be asked again.
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
        weather: Some(Weather { lost: 20, repeated: 0, late: 0 }),
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
    Cell { scenario: "20% of datagrams lost", weather: LOSSY, limit: LATER, ..PLAIN_13 },
    Cell {
        scenario: "30% repeated, 30% late, 5% lost, fragments",
        mtu: 256,
        weather: CHAOTIC,
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
