//! Session keys: the keys of one direction of RTP and RTCP (RFC 3711 section 4.3).
//!
//! The types fix the lengths, so that a cipher is built without a check. Does not know the ciphers.

use std::fmt;

use zeroize::Zeroizing;

use crate::Profile;

/// The session keys of one direction, for RTP and for RTCP.
#[derive(Clone)]
pub struct SessionKeys {
    profile: Profile,
    rtp: TransformKeys,
    rtcp: TransformKeys,
}

impl SessionKeys {
    /// Returns session keys of another origin, such as a published test vector. Packets of an association use those of
    /// [`MasterKey::session_keys`](crate::MasterKey::session_keys).
    ///
    /// Returns `None` if the keys do not fit the transform of `profile`.
    #[must_use]
    pub fn new(profile: Profile, rtp: TransformKeys, rtcp: TransformKeys) -> Option<Self> {
        (rtp.suit(profile) && rtcp.suit(profile)).then_some(Self { profile, rtp, rtcp })
    }

    /// Returns keys that were derived for `profile`, and so fit it.
    pub(crate) fn of(profile: Profile, rtp: TransformKeys, rtcp: TransformKeys) -> Self {
        Self { profile, rtp, rtcp }
    }

    /// Returns the profile of the keys.
    #[must_use]
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// Returns the keys of RTP.
    #[must_use]
    pub fn rtp(&self) -> &TransformKeys {
        &self.rtp
    }

    /// Returns the keys of RTCP.
    #[must_use]
    pub fn rtcp(&self) -> &TransformKeys {
        &self.rtcp
    }
}

/// Shows the profile only.
impl fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionKeys").field("profile", &self.profile).finish_non_exhaustive()
    }
}

/// The keys of one transform, with its lengths.
#[derive(Clone, Debug)]
pub enum TransformKeys {
    /// AES-128 in counter mode with HMAC-SHA1.
    AesCm(AesCmKeys),
    /// AES-128 in Galois/counter mode.
    AesGcm128(AesGcmKeys<16>),
    /// AES-256 in Galois/counter mode.
    AesGcm256(AesGcmKeys<32>),
}

impl TransformKeys {
    fn suit(&self, profile: Profile) -> bool {
        match profile {
            Profile::Aes128CmSha1_80 | Profile::Aes128CmSha1_32 => matches!(self, Self::AesCm(_)),
            Profile::AeadAes128Gcm => matches!(self, Self::AesGcm128(_)),
            Profile::AeadAes256Gcm => matches!(self, Self::AesGcm256(_)),
        }
    }
}

/// Keys of AES-CM with HMAC-SHA1 (RFC 3711 sections 4.1.1 and 4.2.1); zeroized on drop.
#[derive(Clone)]
pub struct AesCmKeys {
    /// The session encryption key, k_e.
    pub encryption: Zeroizing<[u8; 16]>,
    /// The session authentication key, k_a.
    pub authentication: Zeroizing<[u8; 20]>,
    /// The session salt, k_s.
    pub salt: Zeroizing<[u8; 14]>,
}

/// Shows no key.
impl fmt::Debug for AesCmKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AesCmKeys").finish_non_exhaustive()
    }
}

/// Keys of AES-GCM with a key of `N` bytes (RFC 7714 section 12); zeroized on drop.
#[derive(Clone)]
pub struct AesGcmKeys<const N: usize> {
    /// The session encryption key.
    pub encryption: Zeroizing<[u8; N]>,
    /// The session salt.
    pub salt: Zeroizing<[u8; 12]>,
}

/// Shows no key.
impl<const N: usize> fmt::Debug for AesGcmKeys<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AesGcmKeys").finish_non_exhaustive()
    }
}
