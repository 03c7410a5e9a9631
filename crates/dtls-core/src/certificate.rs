//! Our own certificate with its private key.

use crate::crypto::backend::rand::{SecureRandom as _, SystemRandom};
use crate::crypto::sign::SigningKey;
use crate::crypto::verify::PeerKey;
use crate::fingerprint::{Fingerprint, HashAlgorithm};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// Our certificate chain with its private key. Cloning is cheap: the key is parsed once and shared.
#[derive(Clone)]
pub struct Certificate(Arc<Identity>);

struct Identity {
    leaf: Vec<u8>,
    /// The certificates behind the end-entity certificate.
    issuers: Vec<Vec<u8>>,
    key: SigningKey,
    not_after: SystemTime,
}

impl Certificate {
    /// The default lifetime of a generated certificate: 30 days, as in browsers (RFC 8827 section 6.5 does not define
    /// it).
    pub const DEFAULT_LIFETIME: Duration = Duration::from_secs(30 * DAY.as_secs());

    /// Generates a self-signed ECDSA P-256 certificate with a random serial number (Firefox refuses two certificates
    /// with equal issuer and serial number). It is valid from the day before `today`, for `lifetime` from `today` on,
    /// such as [`Certificate::DEFAULT_LIFETIME`].
    ///
    /// # Errors
    /// [`InvalidCertificate::Generation`] if the dates cannot be encoded or random numbers are missing.
    pub fn generate(today: SystemTime, lifetime: Duration) -> Result<Self, InvalidCertificate> {
        let failed = InvalidCertificate::Generation;
        // The peer's clock may be behind ours, and some stacks check the dates.
        let not_before = today.checked_sub(DAY).ok_or(failed)?;
        let not_after = today.checked_add(lifetime).ok_or(failed)?;
        // rcgen encodes dates up to the year 9999, as RFC 5280 does.
        if not_after > SystemTime::UNIX_EPOCH + YEAR_9999 || not_before < SystemTime::UNIX_EPOCH {
            return Err(failed);
        }
        let mut serial = [0; 16];
        SystemRandom::new().fill(&mut serial).map_err(|_| failed)?;

        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(|_| failed)?;
        let mut params = rcgen::CertificateParams::new(Vec::new()).map_err(|_| failed)?;
        params.not_before = not_before.into();
        params.not_after = not_after.into();
        params.serial_number = Some(rcgen::SerialNumber::from_slice(&serial));
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, "WebRTC");
        let certificate = params.self_signed(&key).map_err(|_| failed)?;
        Self::from_der(vec![certificate.der().to_vec()], &key.serialize_der())
    }

    /// Builds a certificate from a DER chain, our own certificate first, and a PKCS#8 DER private key.
    ///
    /// # Errors
    /// See [`InvalidCertificate`].
    pub fn from_der(chain: Vec<Vec<u8>>, private_key: &[u8]) -> Result<Self, InvalidCertificate> {
        let mut chain = chain.into_iter();
        let leaf = chain.next().ok_or(InvalidCertificate::Empty)?;
        let key = SigningKey::from_pkcs8(private_key, &SystemRandom::new())
            .ok_or(InvalidCertificate::PrivateKey)?;
        let public = PeerKey::from_certificate(&leaf).map_err(|_| InvalidCertificate::Certificate)?;
        if public.public() != key.public() {
            return Err(InvalidCertificate::KeyMismatch);
        }
        let not_after = not_after(&leaf).ok_or(InvalidCertificate::Certificate)?;
        Ok(Self(Arc::new(Identity { leaf, issuers: chain.collect(), key, not_after })))
    }

    /// Builds a certificate from `CERTIFICATE` blocks, our own certificate first, and one `PRIVATE KEY` block (PKCS#8),
    /// in any order.
    ///
    /// # Errors
    /// See [`InvalidCertificate`].
    pub fn from_pem(text: &str) -> Result<Self, InvalidCertificate> {
        let invalid = InvalidCertificate::Pem;
        let chain = CertificateDer::pem_slice_iter(text.as_bytes())
            .map(|block| Ok(block.map_err(|_| invalid)?.to_vec()))
            .collect::<Result<Vec<_>, InvalidCertificate>>()?;
        if chain.is_empty() {
            return Err(invalid);
        }
        let key = PrivatePkcs8KeyDer::from_pem_slice(text.as_bytes()).map_err(|_| invalid)?;
        Self::from_der(chain, key.secret_pkcs8_der())
    }

    /// Returns the fingerprint to announce in signalling.
    #[must_use]
    pub fn fingerprint(&self, algorithm: HashAlgorithm) -> Fingerprint {
        Fingerprint::of(algorithm, &self.0.leaf)
    }

    /// Returns the end of the validity period of the certificate.
    #[must_use]
    pub fn not_after(&self) -> SystemTime {
        self.0.not_after
    }

    /// Returns the certificates as DER, our own first.
    pub fn chain(&self) -> impl Iterator<Item = &[u8]> {
        std::iter::once(&self.0.leaf).chain(&self.0.issuers).map(Vec::as_slice)
    }

    pub(crate) fn key(&self) -> &SigningKey {
        &self.0.key
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({})", self.fingerprint(HashAlgorithm::Sha256))
    }
}

/// The reason why a certificate cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCertificate {
    /// The certificate could not be generated.
    #[error("the certificate could not be generated: are the dates between 1970 and 9999?")]
    Generation,
    /// The text contains no certificate or no private key in PEM.
    #[error("no CERTIFICATE and PRIVATE KEY blocks in the text")]
    Pem,
    /// The chain is empty.
    #[error("the chain contains no certificate")]
    Empty,
    /// The certificate is not X.509 in DER, or its key is of an unsupported kind.
    #[error("the certificate is not X.509 in DER with a supported key")]
    Certificate,
    /// The private key is not PKCS#8 of ECDSA P-256, ECDSA P-384, Ed25519 or RSA.
    #[error("the private key is not PKCS#8 of a supported kind (ECDSA P-256, P-384, Ed25519, RSA)")]
    PrivateKey,
    /// The private key belongs to another certificate.
    #[error("the private key does not belong to the certificate")]
    KeyMismatch,
}

const DAY: Duration = Duration::from_secs(24 * 3600);
/// 9999-01-01 as seconds since 1970.
const YEAR_9999: Duration = Duration::from_secs(253_370_764_800);

fn not_after(der: &[u8]) -> Option<SystemTime> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let seconds = u64::try_from(certificate.validity().not_after.timestamp()).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn generated_certificate_has_dates_and_random_serial() {
        let today = at(1_790_000_000);
        let [one, two] = [(); 2].map(|()| Certificate::generate(today, 30 * DAY).unwrap());
        assert_eq!(one.not_after(), today + 30 * DAY);
        let serial = |certificate: &Certificate| {
            let der = certificate.chain().next().unwrap().to_vec();
            let (_, parsed) = X509Certificate::from_der(&der).unwrap();
            assert_eq!(parsed.validity().not_before.timestamp(), 1_790_000_000 - 24 * 3600);
            parsed.raw_serial().to_vec()
        };
        assert_ne!(serial(&one), serial(&two));
    }

    #[test]
    fn clone_shares_chain_and_key() {
        let certificate = Certificate::generate(at(1_790_000_000), Certificate::DEFAULT_LIFETIME).unwrap();
        let copy = certificate.clone();
        assert!(std::ptr::eq(certificate.key(), copy.key()));
        assert!(std::ptr::eq(certificate.chain().next().unwrap(), copy.chain().next().unwrap()));
        assert_eq!(certificate.not_after(), at(1_790_000_000 + 30 * 24 * 3600));
    }

    #[test]
    fn dates_that_cannot_be_encoded_are_an_error() {
        for (today, lifetime) in
            [(at(0), DAY), (at(1_790_000_000), Duration::MAX), (at(253_370_764_800), DAY)]
        {
            assert_eq!(Certificate::generate(today, lifetime).err(), Some(InvalidCertificate::Generation));
        }
    }

    #[test]
    fn key_of_another_certificate_is_refused() {
        let [one, two] = [(); 2].map(|()| rcgen::generate_simple_self_signed(Vec::new()).unwrap());
        let chain = vec![one.cert.der().to_vec()];
        let key = |pair: &rcgen::KeyPair| pair.serialize_der();
        assert!(Certificate::from_der(chain.clone(), &key(&one.signing_key)).is_ok());
        let refused = |chain, key: &[u8]| Certificate::from_der(chain, key).err().unwrap();
        assert_eq!(refused(chain.clone(), &key(&two.signing_key)), InvalidCertificate::KeyMismatch);
        assert_eq!(refused(chain.clone(), b"no key"), InvalidCertificate::PrivateKey);
        assert_eq!(refused(vec![vec![1, 2]], &key(&one.signing_key)), InvalidCertificate::Certificate);
        assert_eq!(refused(Vec::new(), &key(&one.signing_key)), InvalidCertificate::Empty);
    }

    #[test]
    fn pem_may_have_chain_and_key_in_any_order() {
        let made = rcgen::generate_simple_self_signed(Vec::new()).unwrap();
        let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let one = Certificate::from_pem(&format!("{certificate}{key}")).unwrap();
        let two = Certificate::from_pem(&format!("{key}{certificate}{certificate}")).unwrap();
        assert_eq!(one.fingerprint(HashAlgorithm::Sha512), two.fingerprint(HashAlgorithm::Sha512));
        assert_eq!((one.chain().count(), two.chain().count()), (1, 2));
        assert_eq!(Certificate::from_pem(&certificate).err(), Some(InvalidCertificate::Pem));
        assert_eq!(Certificate::from_pem(&key).err(), Some(InvalidCertificate::Pem));
    }

    #[test]
    fn debug_shows_fingerprint_and_no_key() {
        let certificate = Certificate::generate(at(1_790_000_000), DAY).unwrap();
        let shown = format!("{certificate:?}");
        assert!(
            shown.starts_with("Certificate(sha-256 ") && shown.len() == "Certificate(sha-256 )".len() + 95
        );
    }
}
