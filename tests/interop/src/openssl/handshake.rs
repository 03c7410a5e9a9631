//! Cells in which the handshake has to succeed, with and without impairment, and the exchange after it.

use std::time::{Duration, SystemTime};

use dtls_core::{
    Authentication, Certificate, CipherSuite, ClosedBy, Config, DtlsRole, Event, HashAlgorithm, NamedGroup,
    Negotiated, PeerPolicy, UseSrtp, srtp_profile,
};

use super::{OpenSsl, SOON, Sides, word};
use crate::certificates::{Certificates, KeyKind, fingerprint_of};
use crate::relay::Impairment;
use crate::report::Report;

/// One cell for each role.
#[derive(Debug, Clone, Copy)]
struct Cell {
    scenario: &'static str,
    theirs: KeyKind,
    /// `None` selects the certificate of `Certificate::generate`.
    ours: Option<KeyKind>,
    /// The value of OpenSSL's `-use_srtp`.
    use_srtp: Option<&'static str>,
    /// The expected profile where we are the client, and where we are the server.
    profile: [Option<u16>; 2],
    arguments: &'static [&'static str],
    suite: Option<CipherSuite>,
    group: Option<NamedGroup>,
    /// Our MTU; OpenSSL's is among the arguments.
    mtu: usize,
    impairment: Option<Impairment>,
    /// Whether the server requires a cookie.
    cookie: bool,
    limit: Duration,
    /// The side that closes where we are the client, and where we are the server.
    closed_by: [ClosedBy; 2],
}

const PLAIN: Cell = Cell {
    scenario: "",
    theirs: KeyKind::P256,
    ours: None,
    use_srtp: Some("SRTP_AES128_CM_SHA1_80:SRTP_AEAD_AES_128_GCM"),
    // The server's order decides: OpenSSL's own, and our default.
    profile: [Some(srtp_profile::AES128_CM_SHA1_80), Some(srtp_profile::AEAD_AES_128_GCM)],
    arguments: &[],
    suite: None,
    group: None,
    mtu: 1200,
    impairment: None,
    cookie: false,
    limit: SOON,
    // OpenSSL cannot as a server: it closes its socket before it would send a close_notify.
    closed_by: [ClosedBy::Us, ClosedBy::Peer],
};

const RSA: Cell = Cell { theirs: KeyKind::Rsa2048, ours: Some(KeyKind::Rsa2048), ..PLAIN };

const CELLS: &[Cell] = &[
    Cell { scenario: "two SRTP profiles", ..PLAIN },
    Cell { scenario: "two SRTP profiles, we close", closed_by: [ClosedBy::Us; 2], ..PLAIN },
    Cell { scenario: "a cookie is asked for", cookie: true, ..PLAIN },
    only_profile("SRTP_AES128_CM_SHA1_80", srtp_profile::AES128_CM_SHA1_80),
    only_profile("SRTP_AES128_CM_SHA1_32", srtp_profile::AES128_CM_SHA1_32),
    only_profile("SRTP_AEAD_AES_128_GCM", srtp_profile::AEAD_AES_128_GCM),
    only_profile("SRTP_AEAD_AES_256_GCM", srtp_profile::AEAD_AES_256_GCM),
    Cell { scenario: "without SRTP", use_srtp: None, profile: [None; 2], ..PLAIN },
    Cell {
        scenario: "ECDHE-ECDSA-AES128-GCM-SHA256",
        suite: Some(CipherSuite::ECDHE_ECDSA_AES128_GCM_SHA256),
        arguments: &["-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"],
        ..PLAIN
    },
    Cell {
        scenario: "ECDHE-ECDSA-AES256-GCM-SHA384",
        suite: Some(CipherSuite::ECDHE_ECDSA_AES256_GCM_SHA384),
        arguments: &["-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384"],
        ..PLAIN
    },
    Cell {
        scenario: "ECDHE-ECDSA-CHACHA20-POLY1305",
        suite: Some(CipherSuite::ECDHE_ECDSA_CHACHA20_POLY1305_SHA256),
        arguments: &["-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"],
        ..PLAIN
    },
    Cell {
        scenario: "ECDHE-RSA-AES128-GCM-SHA256",
        suite: Some(CipherSuite::ECDHE_RSA_AES128_GCM_SHA256),
        arguments: &["-cipher", "ECDHE-RSA-AES128-GCM-SHA256"],
        ..RSA
    },
    Cell {
        scenario: "ECDHE-RSA-AES256-GCM-SHA384",
        suite: Some(CipherSuite::ECDHE_RSA_AES256_GCM_SHA384),
        arguments: &["-cipher", "ECDHE-RSA-AES256-GCM-SHA384"],
        ..RSA
    },
    Cell {
        scenario: "ECDHE-RSA-CHACHA20-POLY1305",
        suite: Some(CipherSuite::ECDHE_RSA_CHACHA20_POLY1305_SHA256),
        arguments: &["-cipher", "ECDHE-RSA-CHACHA20-POLY1305"],
        ..RSA
    },
    // OpenSSL refuses certificates on a curve that is not among its groups, so P-256 follows the first group.
    Cell {
        scenario: "key exchange over X25519",
        group: Some(NamedGroup::X25519),
        arguments: &["-groups", "X25519:P-256"],
        ..PLAIN
    },
    Cell {
        scenario: "key exchange over P-256",
        group: Some(NamedGroup::SECP256R1),
        arguments: &["-groups", "P-256"],
        ..PLAIN
    },
    Cell {
        scenario: "key exchange over P-384",
        group: Some(NamedGroup::SECP384R1),
        arguments: &["-groups", "P-384"],
        theirs: KeyKind::P384,
        ours: Some(KeyKind::P384),
        ..PLAIN
    },
    Cell { scenario: "its certificate ECDSA P-384", theirs: KeyKind::P384, ..PLAIN },
    Cell { scenario: "its certificate Ed25519", theirs: KeyKind::Ed25519, ..PLAIN },
    Cell { scenario: "its certificate RSA", theirs: KeyKind::Rsa2048, ..PLAIN },
    Cell { scenario: "our certificate ECDSA P-256, made by OpenSSL", ours: Some(KeyKind::P256), ..PLAIN },
    Cell { scenario: "our certificate ECDSA P-384", ours: Some(KeyKind::P384), ..PLAIN },
    Cell { scenario: "our certificate Ed25519", ours: Some(KeyKind::Ed25519), ..PLAIN },
    Cell { scenario: "our certificate RSA", ours: Some(KeyKind::Rsa2048), ..PLAIN },
    Cell { scenario: "datagrams of 256 bytes, both ways", mtu: 256, arguments: &["-mtu", "256"], ..PLAIN },
    Cell {
        scenario: "20% of datagrams lost",
        impairment: Some(Impairment { lost: 20, repeated: 0, late: 0 }),
        // OpenSSL waits 1, 2, 4, 8 s before it retransmits a flight.
        limit: Duration::from_secs(29),
        ..PLAIN
    },
    Cell {
        scenario: "30% repeated, 30% late, 5% lost, fragments",
        // Small fragments, so that they can arrive out of order.
        mtu: 256,
        arguments: &["-mtu", "256"],
        impairment: Some(Impairment { lost: 5, repeated: 30, late: 30 }),
        limit: Duration::from_secs(29),
        ..PLAIN
    },
];

const fn only_profile(name: &'static str, id: u16) -> Cell {
    Cell { scenario: name, use_srtp: Some(name), profile: [Some(id); 2], ..PLAIN }
}

pub(super) fn play(report: &mut Report, certificates: &Certificates, role: DtlsRole) {
    for cell in CELLS {
        report.cell(word(role), cell.scenario, |notes| cell.play(certificates, role, notes));
    }
}

impl Cell {
    fn play(
        &self,
        certificates: &Certificates,
        role: DtlsRole,
        notes: &mut Vec<String>,
    ) -> Result<(), String> {
        let own = self.own_certificate(certificates)?;
        let (profile, closed_by) = match role {
            DtlsRole::Client => (self.profile[0], self.closed_by[0]),
            DtlsRole::Server => (self.profile[1], self.closed_by[1]),
        };
        let exported = exported_len(profile);
        let mut sides =
            Sides::start(role, self.config(certificates, &own)?, self.openssl(exported), certificates)?;
        let negotiated =
            sides.ours.until_connected(self.limit).map_err(|message| sides.openssl.with_output(&message))?;
        if let Some(relay) = &sides.relay {
            relay.stop_impairment();
            notes.push(relay.summary());
        }
        self.check_negotiated(&sides, negotiated, profile)?;
        sides.check_exported_keys(exported)?;
        sides.check_their_view(role, negotiated, profile, &own)?;
        sides.exchange_data()?;
        sides.end(closed_by)?;
        notes.push(format!(
            "{:?}, {:?}, {exported} bytes exported are equal",
            negotiated.suite, negotiated.group
        ));
        Ok(())
    }

    fn own_certificate(&self, certificates: &Certificates) -> Result<Certificate, String> {
        match self.ours {
            Some(kind) => certificates.ours(kind),
            None => generated(),
        }
    }

    fn config(&self, certificates: &Certificates, own: &Certificate) -> Result<Config, String> {
        let peer = PeerPolicy::Fingerprints(vec![certificates.fingerprint(self.theirs)?]);
        let authentication =
            Authentication::Certificates { own: vec![own.clone()], peer, require_peer: true };
        Ok(Config { authentication, mtu: self.mtu, ..offering_every_profile() })
    }

    const fn openssl(&self, exported: usize) -> OpenSsl<'_> {
        OpenSsl {
            certificate: Some(self.theirs),
            use_srtp: self.use_srtp,
            exported,
            arguments: self.arguments,
            impairment: self.impairment,
            cookie: self.cookie,
        }
    }

    fn check_negotiated(
        &self,
        sides: &Sides,
        negotiated: Negotiated,
        profile: Option<u16>,
    ) -> Result<(), String> {
        let wrong =
            |what: &str| Err(sides.openssl.with_output(&format!("we have another {what}: {negotiated:?}")));
        if negotiated.srtp_profile != profile {
            return wrong("SRTP profile");
        }
        if self.suite.is_some_and(|suite| suite != negotiated.suite) {
            return wrong("suite");
        }
        if self.group.is_some() && self.group != negotiated.group {
            return wrong("group");
        }
        Ok(())
    }
}

impl Sides {
    //= rfc7627-5.1-derivation
    fn check_exported_keys(&mut self, length: usize) -> Result<(), String> {
        let theirs = self.until_printed("Keying material: ")?;
        let ours = self.ours.export(length)?;
        if ours == theirs { Ok(()) } else { Err("the exported keys differ".into()) }
    }

    /// The parameters that OpenSSL reports, and our certificate as OpenSSL saw it.
    fn check_their_view(
        &mut self,
        role: DtlsRole,
        negotiated: Negotiated,
        profile: Option<u16>,
        own: &Certificate,
    ) -> Result<(), String> {
        if let Some(id) = profile {
            let theirs = self.until_printed("SRTP Extension negotiated, profile=")?;
            if theirs != profile_name(id) {
                return Err(format!("OpenSSL negotiated {theirs}, we {}", profile_name(id)));
            }
        }
        let mark = if role == DtlsRole::Client { "CIPHER is " } else { "Cipher is " };
        let theirs = self.until_printed(mark)?;
        if theirs != suite_name(negotiated.suite) {
            return Err(format!("OpenSSL negotiated {theirs}, we {:?}", negotiated.suite));
        }
        let seen = fingerprint_of(&self.openssl.output())?;
        if seen != own.fingerprint(HashAlgorithm::Sha256) {
            return Err(format!("OpenSSL saw a certificate that is not ours: {seen}"));
        }
        Ok(())
    }

    fn exchange_data(&mut self) -> Result<(), String> {
        self.ours.send(b"from us to OpenSSL\n")?;
        self.until_printed("from us to OpenSSL")?;
        self.openssl.tell("from OpenSSL to us")?;
        self.ours.until("OpenSSL's data", SOON, |events| {
            // OpenSSL may split a line into several records.
            let data = events
                .iter()
                .filter_map(|event| if let Event::Data(data) = event { Some(data) } else { None });
            let data: Vec<u8> = data.flatten().copied().collect();
            (data == b"from OpenSSL to us\n").then_some(())
        })
    }

    fn end(&mut self, closed_by: ClosedBy) -> Result<(), String> {
        match closed_by {
            ClosedBy::Us => {
                self.ours.close();
                self.until_printed("alert read:warning:close notify")?;
            }
            // A line that begins with Q ends both programs.
            ClosedBy::Peer => self.openssl.tell("Q")?,
        }
        let closed = Event::Closed(closed_by);
        self.ours.until("the end", SOON, |events| events.contains(&closed).then_some(()))
    }
}

/// A certificate from the project's own generator.
pub(super) fn generated() -> Result<Certificate, String> {
    const MONTH: Duration = Duration::from_secs(30 * 24 * 3600);
    Certificate::generate(SystemTime::now(), MONTH).map_err(|error| format!("our certificate: {error}"))
}

/// Every profile is on offer, so that OpenSSL's list decides which of them a cell is about.
fn offering_every_profile() -> Config {
    let profiles = vec![
        srtp_profile::AEAD_AES_128_GCM,
        srtp_profile::AEAD_AES_256_GCM,
        srtp_profile::AES128_CM_SHA1_80,
        srtp_profile::AES128_CM_SHA1_32,
    ];
    Config { use_srtp: UseSrtp::Offered(profiles), ..Config::default() }
}

/// Two master keys and two salts (RFC 5764 section 4.1.2, RFC 7714 section 12).
const fn exported_len(profile: Option<u16>) -> usize {
    match profile {
        Some(srtp_profile::AEAD_AES_128_GCM) => 2 * (16 + 12),
        Some(srtp_profile::AEAD_AES_256_GCM) => 2 * (32 + 12),
        _ => 2 * (16 + 14),
    }
}

const fn profile_name(id: u16) -> &'static str {
    match id {
        srtp_profile::AES128_CM_SHA1_80 => "SRTP_AES128_CM_SHA1_80",
        srtp_profile::AES128_CM_SHA1_32 => "SRTP_AES128_CM_SHA1_32",
        srtp_profile::AEAD_AES_128_GCM => "SRTP_AEAD_AES_128_GCM",
        srtp_profile::AEAD_AES_256_GCM => "SRTP_AEAD_AES_256_GCM",
        _ => "a profile without a name",
    }
}

fn suite_name(suite: CipherSuite) -> &'static str {
    let names = [
        (CipherSuite::ECDHE_ECDSA_AES128_GCM_SHA256, "ECDHE-ECDSA-AES128-GCM-SHA256"),
        (CipherSuite::ECDHE_ECDSA_AES256_GCM_SHA384, "ECDHE-ECDSA-AES256-GCM-SHA384"),
        (CipherSuite::ECDHE_ECDSA_CHACHA20_POLY1305_SHA256, "ECDHE-ECDSA-CHACHA20-POLY1305"),
        (CipherSuite::ECDHE_RSA_AES128_GCM_SHA256, "ECDHE-RSA-AES128-GCM-SHA256"),
        (CipherSuite::ECDHE_RSA_AES256_GCM_SHA384, "ECDHE-RSA-AES256-GCM-SHA384"),
        (CipherSuite::ECDHE_RSA_CHACHA20_POLY1305_SHA256, "ECDHE-RSA-CHACHA20-POLY1305"),
    ];
    names.iter().find(|(known, _)| *known == suite).map_or("a suite without a name", |(_, name)| name)
}
