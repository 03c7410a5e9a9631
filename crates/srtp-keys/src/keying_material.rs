//! From exported bytes to one master key per direction (RFC 5764 section 4.2).
//!
//! Knows the order of the four parts and the role that uses each. Does not know the exporter, which belongs to DTLS.

use std::fmt;

use zeroize::Zeroizing;

use crate::prf::{Label, Prf};
use crate::{AesCmKeys, AesGcmKeys, Error, Profile, SessionKeys, TransformKeys};

/// The label of the exporter. Its context is absent (RFC 5764 section 4.2).
pub const EXPORTER_LABEL: &str = "EXTRACTOR-dtls_srtp";

/// The role of this side in the DTLS association.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DtlsRole {
    /// This side sent the ClientHello.
    Client,
    /// This side sent the ServerHello.
    Server,
}

/// The keying material that DTLS exported for SRTP: a master key for each direction.
#[derive(Clone, Debug)]
pub struct KeyingMaterial {
    client: MasterKey,
    server: MasterKey,
}

impl KeyingMaterial {
    /// Splits the exported bytes: the client's key, the server's key, the client's salt, the server's salt.
    ///
    /// The caller still holds `exported` and should zeroize it.
    ///
    /// # Errors
    /// [`Error::WrongLength`] unless there are [`Profile::keying_material_len`] bytes.
    pub fn new(profile: Profile, exported: &[u8]) -> Result<Self, Error> {
        let wrong_length =
            Error::WrongLength { expected: profile.keying_material_len(), given: exported.len() };
        if exported.len() != profile.keying_material_len() {
            return Err(wrong_length);
        }
        let (keys, salts) = exported.split_at_checked(2 * profile.key_len()).ok_or(wrong_length)?;
        let (client_key, server_key) = keys.split_at_checked(profile.key_len()).ok_or(wrong_length)?;
        let (client_salt, server_salt) = salts.split_at_checked(profile.salt_len()).ok_or(wrong_length)?;
        Ok(Self {
            client: MasterKey::new(profile, client_key, client_salt)?,
            server: MasterKey::new(profile, server_key, server_salt)?,
        })
    }

    /// Returns the master keys of the side in `role`.
    #[must_use]
    pub fn split(self, role: DtlsRole) -> SessionMasterKeys {
        match role {
            DtlsRole::Client => SessionMasterKeys { outbound: self.client, inbound: self.server },
            DtlsRole::Server => SessionMasterKeys { outbound: self.server, inbound: self.client },
        }
    }
}

/// The master keys of both directions, from the point of view of one side.
#[derive(Clone, Debug)]
pub struct SessionMasterKeys {
    /// Protects sent packets.
    pub outbound: MasterKey,
    /// Unprotects received packets.
    pub inbound: MasterKey,
}

/// A master key with its master salt (RFC 3711 section 3.2.1); zeroized on drop.
///
/// A master key is for one direction of one association. Two senders, or two contexts of one sender, with the same
/// master key would encrypt different packets with the same keystream.
#[derive(Clone)]
pub struct MasterKey {
    profile: Profile,
    key: Key,
    /// 14 bytes, or 12 bytes followed by zeros.
    salt: Zeroizing<[u8; 14]>,
}

impl MasterKey {
    /// Returns a master key from its two parts.
    ///
    /// # Errors
    /// [`Error::WrongLength`] unless they have the lengths of the profile ([`Profile::key_len`],
    /// [`Profile::salt_len`]); the error counts both together.
    pub fn new(profile: Profile, key: &[u8], salt: &[u8]) -> Result<Self, Error> {
        let wrong_length = Error::WrongLength {
            expected: profile.key_len() + profile.salt_len(),
            given: key.len() + salt.len(),
        };
        if key.len() != profile.key_len() || salt.len() != profile.salt_len() {
            return Err(wrong_length);
        }
        let mut padded_salt = Zeroizing::new([0; 14]);
        for (to, from) in padded_salt.iter_mut().zip(salt) {
            *to = *from;
        }
        let key = match profile {
            Profile::Aes128CmSha1_80 | Profile::Aes128CmSha1_32 | Profile::AeadAes128Gcm => {
                Key::Aes128(Zeroizing::new(key.try_into().map_err(|_| wrong_length)?))
            }
            Profile::AeadAes256Gcm => Key::Aes256(Zeroizing::new(key.try_into().map_err(|_| wrong_length)?)),
        };
        Ok(Self { profile, key, salt: padded_salt })
    }

    /// Returns the profile of the key.
    #[must_use]
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// Derives the session keys (RFC 3711 section 4.3.1, RFC 7714 section 11).
    #[must_use]
    pub fn session_keys(&self) -> SessionKeys {
        let prf = self.prf();
        let transform = |encryption, authentication, salt| match self.profile {
            Profile::Aes128CmSha1_80 | Profile::Aes128CmSha1_32 => TransformKeys::AesCm(AesCmKeys {
                encryption: prf.derive(encryption),
                authentication: prf.derive(authentication),
                salt: prf.derive(salt),
            }),
            Profile::AeadAes128Gcm => TransformKeys::AesGcm128(AesGcmKeys {
                encryption: prf.derive(encryption),
                salt: prf.derive(salt),
            }),
            Profile::AeadAes256Gcm => TransformKeys::AesGcm256(AesGcmKeys {
                encryption: prf.derive(encryption),
                salt: prf.derive(salt),
            }),
        };
        let rtp = transform(Label::RTP_ENCRYPTION, Label::RTP_AUTHENTICATION, Label::RTP_SALT);
        let rtcp = transform(Label::RTCP_ENCRYPTION, Label::RTCP_AUTHENTICATION, Label::RTCP_SALT);
        SessionKeys::of(self.profile, rtp, rtcp)
    }

    /// Returns a public value that distinguishes keys in a log or a table. Equal keys have equal values. It is derived
    /// like a session key, with a label that no transform uses, and reveals nothing of the key.
    #[must_use]
    pub fn check_value(&self) -> CheckValue {
        CheckValue(u32::from_be_bytes(*self.prf().derive(Label::CHECK_VALUE)))
    }

    fn prf(&self) -> Prf {
        match &self.key {
            Key::Aes128(key) => Prf::aes_128(key, &self.salt),
            Key::Aes256(key) => Prf::aes_256(key, &self.salt),
        }
    }
}

/// Shows the profile and the check value.
impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MasterKey")
            .field("profile", &self.profile)
            .field("check_value", &self.check_value())
            .finish_non_exhaustive()
    }
}

/// A value that distinguishes master keys without showing them: see [`MasterKey::check_value`]. Printed as 8 hex
/// digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CheckValue(u32);

impl fmt::Display for CheckValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl fmt::Debug for CheckValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[derive(Clone)]
enum Key {
    Aes128(Zeroizing<[u8; 16]>),
    Aes256(Zeroizing<[u8; 32]>),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_vectors::hex;

    /// Each part is filled with its own letter, so that a wrong order is visible.
    fn lettered(profile: Profile) -> Vec<u8> {
        [
            (b'K', profile.key_len()),
            (b'k', profile.key_len()),
            (b'S', profile.salt_len()),
            (b's', profile.salt_len()),
        ]
        .into_iter()
        .flat_map(|(letter, len)| std::iter::repeat_n(letter, len))
        .collect()
    }

    //= rfc5764-4.2-server-reads
    //= rfc5764-4.2-client-reads
    #[test]
    fn client_protects_with_the_first_key_and_salt() {
        for profile in Profile::PREFERENCE {
            let keys = KeyingMaterial::new(profile, &lettered(profile)).unwrap().split(DtlsRole::Client);
            let first =
                MasterKey::new(profile, &vec![b'K'; profile.key_len()], &vec![b'S'; profile.salt_len()])
                    .unwrap();
            let second =
                MasterKey::new(profile, &vec![b'k'; profile.key_len()], &vec![b's'; profile.salt_len()])
                    .unwrap();
            assert_eq!(keys.outbound.check_value(), first.check_value());
            assert_eq!(keys.inbound.check_value(), second.check_value());
        }
    }

    #[test]
    fn outbound_key_is_inbound_key_of_the_peer() {
        for profile in Profile::PREFERENCE {
            let material = KeyingMaterial::new(profile, &lettered(profile)).unwrap();
            let client = material.clone().split(DtlsRole::Client);
            let server = material.split(DtlsRole::Server);
            assert_eq!(client.outbound.check_value(), server.inbound.check_value());
            assert_eq!(client.inbound.check_value(), server.outbound.check_value());
            assert_ne!(client.outbound.check_value(), server.outbound.check_value());
        }
    }

    #[test]
    fn wrong_length_is_refused_with_the_needed_length() {
        for profile in Profile::PREFERENCE {
            let expected = profile.keying_material_len();
            for given in [0, expected - 1, expected + 1] {
                let error = KeyingMaterial::new(profile, &vec![0; given]).unwrap_err();
                assert_eq!(error, Error::WrongLength { expected, given });
            }
        }
    }

    #[test]
    fn long_key_with_short_salt_is_refused() {
        let error = MasterKey::new(Profile::Aes128CmSha1_80, &[0; 17], &[0; 13]).unwrap_err();
        assert_eq!(error, Error::WrongLength { expected: 30, given: 30 });
    }

    #[test]
    fn session_keys_match_rfc_3711_appendix_b_3() {
        let master = MasterKey::new(
            Profile::Aes128CmSha1_80,
            &hex::<16>("E1F97A0D3E018BE0D64FA32C06DE4139"),
            &hex::<14>("0EC675AD498AFEEBB6960B3AABE6"),
        )
        .unwrap();
        let session = master.session_keys();
        let TransformKeys::AesCm(rtp) = session.rtp() else { panic!("{session:?}") };
        assert_eq!(*rtp.encryption, hex("C61E7A93744F39EE10734AFE3FF7A087"));
        assert_eq!(*rtp.salt, hex("30CBBC08863D8C85D49DB34A9AE1"));
        assert_eq!(*rtp.authentication, hex("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"));
    }

    // RFC 7714 has no example of a derivation from a salt of 12 bytes. Other stacks use this alignment.
    #[test]
    fn salt_of_12_bytes_is_aligned_to_the_left() {
        let key: [u8; 16] = hex("000102030405060708090a0b0c0d0e0f");
        let salt: [u8; 12] = hex("a0a1a2a3a4a5a6a7a8a9aaab");
        let short = MasterKey::new(Profile::AeadAes128Gcm, &key, &salt).unwrap().session_keys();
        let long = MasterKey::new(Profile::Aes128CmSha1_80, &key, &hex::<14>("a0a1a2a3a4a5a6a7a8a9aaab0000"))
            .unwrap()
            .session_keys();
        let (TransformKeys::AesGcm128(short), TransformKeys::AesCm(long)) = (short.rtcp(), long.rtcp())
        else {
            panic!("{short:?} {long:?}")
        };
        assert_eq!(short.encryption, long.encryption);
        assert_eq!(short.salt.as_slice(), &long.salt[..12]);
    }

    #[test]
    fn rtp_and_rtcp_share_no_key() {
        for profile in Profile::PREFERENCE {
            let session = KeyingMaterial::new(profile, &lettered(profile))
                .unwrap()
                .split(DtlsRole::Server)
                .outbound
                .session_keys();
            match (session.rtp(), session.rtcp()) {
                (TransformKeys::AesCm(media), TransformKeys::AesCm(control)) => {
                    assert_ne!(media.encryption, control.encryption);
                    assert_ne!(media.authentication, control.authentication);
                    assert_ne!(media.salt, control.salt);
                }
                (TransformKeys::AesGcm128(media), TransformKeys::AesGcm128(control)) => {
                    assert_ne!(media.encryption, control.encryption);
                    assert_ne!(media.salt, control.salt);
                }
                (TransformKeys::AesGcm256(media), TransformKeys::AesGcm256(control)) => {
                    assert_ne!(media.encryption, control.encryption);
                    assert_ne!(media.salt, control.salt);
                }
                mixed => panic!("{mixed:?}"),
            }
        }
    }

    #[test]
    fn debug_shows_no_keys_and_salts() {
        for profile in Profile::PREFERENCE {
            let material = KeyingMaterial::new(profile, &lettered(profile)).unwrap();
            let shown = format!("{material:?} {:?}", material.client.session_keys());
            // The bytes of 'K', 'k', 'S' and 's' are 75, 107, 83 and 115 in the form of Debug.
            for byte in ["75, 75", "107, 107", "83, 83", "115, 115", "4b4b", "[", "KK", "kk", "SS"] {
                assert!(!shown.contains(byte), "{byte} in {shown}");
            }
        }
    }
}
