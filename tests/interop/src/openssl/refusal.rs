//! Cells in which the handshake must fail: no key exists on our side, and OpenSSL reads the alert.

use dtls_core::{
    Authentication, Certificate, Config, DtlsRole, Event, Failure, Fingerprint, Incompatible, PeerPolicy,
    Refusal, UseSrtp, srtp_profile,
};

use super::handshake::generated;
use super::{OpenSsl, SOON, Sides, word};
use crate::certificates::{Certificates, KeyKind};
use crate::report::Report;

/// A certificate or configuration to refuse, the reason, and the alert that OpenSSL must read.
struct Cell {
    scenario: &'static str,
    /// `None` where it is refused in both roles.
    role: Option<DtlsRole>,
    their_certificate: Option<KeyKind>,
    announced: KeyKind,
    use_srtp: UseSrtp,
    failure: Failure,
    alert: &'static str,
}

fn cells() -> Vec<Cell> {
    let wrong_fingerprint = Cell {
        scenario: "a fingerprint that was not announced",
        role: None,
        their_certificate: Some(KeyKind::P256),
        announced: KeyKind::P384,
        use_srtp: Config::default().use_srtp,
        failure: Failure::Refused(Refusal::FingerprintMismatch),
        alert: "bad certificate",
    };
    let no_certificate = Cell {
        scenario: "no certificate",
        role: Some(DtlsRole::Server),
        their_certificate: None,
        failure: Failure::Refused(Refusal::NoCertificate),
        alert: "handshake failure",
        ..with(&wrong_fingerprint)
    };
    let no_profile = Cell {
        scenario: "no SRTP profile in common, where one is required",
        announced: KeyKind::P256,
        use_srtp: UseSrtp::Required(vec![srtp_profile::AEAD_AES_256_GCM]),
        failure: Failure::NoOverlap(Incompatible::SrtpProfile),
        alert: "handshake failure",
        ..with(&wrong_fingerprint)
    };
    vec![wrong_fingerprint, no_certificate, no_profile]
}

fn with(cell: &Cell) -> Cell {
    Cell { use_srtp: cell.use_srtp.clone(), ..*cell }
}

pub(super) fn play(report: &mut Report, certificates: &Certificates, role: DtlsRole) {
    for cell in cells().iter().filter(|cell| cell.role.is_none_or(|only| only == role)) {
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
        let announced = certificates.fingerprint(self.announced)?;
        let openssl = OpenSsl {
            certificate: self.their_certificate,
            use_srtp: Some("SRTP_AES128_CM_SHA1_80:SRTP_AEAD_AES_128_GCM"),
            exported: 60,
            arguments: &[],
            impairment: None,
            cookie: false,
        };
        let mut sides = Sides::start(role, self.config(generated()?, announced), openssl, certificates)?;
        let failure = sides.ours.until("our refusal", SOON, |events| {
            events.iter().find_map(|event| match event {
                Event::Failed(failure) => Some(Ok(*failure)),
                Event::Connected(_) => Some(Err("we are connected".to_owned())),
                _ => None,
            })
        });
        let failure = failure.map_err(|message| sides.openssl.with_output(&message))??;
        if failure != self.failure {
            return Err(sides.openssl.with_output(&format!("we failed for another reason: {failure}")));
        }
        if sides.ours.export(60).is_ok() {
            return Err("keys were handed out".into());
        }
        let alert = sides.until_printed("alert read:fatal:")?;
        if alert != self.alert {
            return Err(format!("OpenSSL read the alert `{alert}` instead of `{}`", self.alert));
        }
        notes.push(format!("{failure}; OpenSSL reads `{alert}`"));
        Ok(())
    }

    fn config(&self, own: Certificate, announced: Fingerprint) -> Config {
        let peer = PeerPolicy::Fingerprints(vec![announced]);
        let authentication = Authentication::Certificates { own: vec![own], peer, require_peer: true };
        Config { authentication, use_srtp: self.use_srtp.clone(), ..Config::default() }
    }
}
