//! The table of protection profiles (RFC 5764 section 4.1.2, RFC 7714 section 14.2).
//!
//! Knows ids and lengths. Does not know negotiation or packets.

use std::fmt;

/// An SRTP protection profile: a pair of transforms with their lengths.
///
/// Ids and names are those of IANA ("DTLS-SRTP Protection Profiles").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Profile {
    /// AES-128 in counter mode, HMAC-SHA1 truncated to 80 bits. Mandatory for WebRTC endpoints (RFC 8827 section 6.5).
    Aes128CmSha1_80,
    /// The same with RTP tags of 32 bits. RTCP keeps 80 bits (RFC 5764 section 4.1.2).
    Aes128CmSha1_32,
    /// AES-128 in Galois/counter mode, tags of 128 bits (RFC 7714).
    AeadAes128Gcm,
    /// AES-256 in Galois/counter mode, tags of 128 bits (RFC 7714).
    AeadAes256Gcm,
}

impl Profile {
    /// All profiles in order of preference: the fastest at full strength first, short tags last.
    pub const PREFERENCE: [Self; 4] =
        [Self::AeadAes128Gcm, Self::AeadAes256Gcm, Self::Aes128CmSha1_80, Self::Aes128CmSha1_32];

    /// Returns the profile with this id in the `use_srtp` extension, or `None` for an unsupported one.
    #[must_use]
    pub const fn from_id(id: u16) -> Option<Self> {
        Some(match id {
            0x0001 => Self::Aes128CmSha1_80,
            0x0002 => Self::Aes128CmSha1_32,
            0x0007 => Self::AeadAes128Gcm,
            0x0008 => Self::AeadAes256Gcm,
            _ => return None,
        })
    }

    /// Returns the id in the `use_srtp` extension.
    #[must_use]
    pub const fn id(self) -> u16 {
        match self {
            Self::Aes128CmSha1_80 => 0x0001,
            Self::Aes128CmSha1_32 => 0x0002,
            Self::AeadAes128Gcm => 0x0007,
            Self::AeadAes256Gcm => 0x0008,
        }
    }

    /// Returns the name in IANA's registry.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aes128CmSha1_80 => "SRTP_AES128_CM_HMAC_SHA1_80",
            Self::Aes128CmSha1_32 => "SRTP_AES128_CM_HMAC_SHA1_32",
            Self::AeadAes128Gcm => "SRTP_AEAD_AES_128_GCM",
            Self::AeadAes256Gcm => "SRTP_AEAD_AES_256_GCM",
        }
    }

    /// Returns the length of a master key and of a session encryption key, in bytes.
    #[must_use]
    pub const fn key_len(self) -> usize {
        match self {
            Self::Aes128CmSha1_80 | Self::Aes128CmSha1_32 | Self::AeadAes128Gcm => 16,
            Self::AeadAes256Gcm => 32,
        }
    }

    /// Returns the length of a master salt and of a session salt, in bytes.
    #[must_use]
    pub const fn salt_len(self) -> usize {
        match self {
            Self::Aes128CmSha1_80 | Self::Aes128CmSha1_32 => 14,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 12,
        }
    }

    /// Returns the length of the session authentication key, in bytes; 0 for the AEAD profiles, which have none.
    #[must_use]
    pub const fn authentication_key_len(self) -> usize {
        match self {
            Self::Aes128CmSha1_80 | Self::Aes128CmSha1_32 => 20,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 0,
        }
    }

    /// Returns the length of the tag of an RTP packet, in bytes: the whole overhead of protection.
    #[must_use]
    pub const fn rtp_tag_len(self) -> usize {
        match self {
            Self::Aes128CmSha1_80 => 10,
            Self::Aes128CmSha1_32 => 4,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 16,
        }
    }

    /// Returns the length of the tag of an RTCP packet, in bytes. Protection also adds the 4 bytes of the index.
    #[must_use]
    pub const fn rtcp_tag_len(self) -> usize {
        match self {
            Self::Aes128CmSha1_80 | Self::Aes128CmSha1_32 => 10,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 16,
        }
    }

    /// Returns the number of bytes to export from DTLS: two keys and two salts (RFC 5764 section 4.2).
    #[must_use]
    pub const fn keying_material_len(self) -> usize {
        2 * (self.key_len() + self.salt_len())
    }
}

/// The name in IANA's registry.
impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_profile_is_found_by_its_id() {
        for profile in Profile::PREFERENCE {
            assert_eq!(Profile::from_id(profile.id()), Some(profile));
        }
        let known = (0..=u16::MAX).filter(|id| Profile::from_id(*id).is_some()).count();
        assert_eq!(known, Profile::PREFERENCE.len());
    }

    // Lengths in bits as in the RFCs: cipher key, cipher salt, authentication key, RTP tag, RTCP tag.
    #[test]
    fn lengths_match_rfc_5764_and_rfc_7714() {
        for (profile, bits) in [
            (Profile::Aes128CmSha1_80, [128, 112, 160, 80, 80]),
            (Profile::Aes128CmSha1_32, [128, 112, 160, 32, 80]),
            (Profile::AeadAes128Gcm, [128, 96, 0, 128, 128]),
            (Profile::AeadAes256Gcm, [256, 96, 0, 128, 128]),
        ] {
            let lengths = [
                profile.key_len(),
                profile.salt_len(),
                profile.authentication_key_len(),
                profile.rtp_tag_len(),
                profile.rtcp_tag_len(),
            ];
            assert_eq!(lengths.map(|bytes| bytes * 8), bits, "{profile}");
        }
    }
}
