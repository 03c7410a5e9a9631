//! SRTP profiles and key derivation (RFC 5764 section 4.2, RFC 3711 section 4.3, RFC 7714).
//!
//! The bytes that a DTLS association exports become the keys of the packets in three steps:
//!
//! ```text
//! exporter bytes -> KeyingMaterial -> split(our DTLS role) -> MasterKey per direction -> SessionKeys
//! ```
//!
//! ```
//! use srtp_keys::{DtlsRole, EXPORTER_LABEL, KeyingMaterial, Profile};
//!
//! // DTLS negotiated a protection profile by number ...
//! let profile = Profile::from_id(0x0007).ok_or("a profile that we do not speak")?;
//! assert_eq!(profile.name(), "SRTP_AEAD_AES_128_GCM");
//!
//! // ... and exports as many bytes as the profile asks for, under this label and no context.
//! assert_eq!(EXPORTER_LABEL, "EXTRACTOR-dtls_srtp");
//! let exported = vec![0x5a; profile.keying_material_len()];
//!
//! let keys = KeyingMaterial::new(profile, &exported)?.split(DtlsRole::Client);
//! let session = keys.outbound.session_keys();
//! assert_eq!(session.profile(), profile);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Pure functions: nothing here knows packets, time or sockets. Every secret is zeroized on drop, and `Debug` shows
//! none. The key derivation rate is 0, as DTLS-SRTP requires (RFC 5764 section 4.1.2), so a master key gives its
//! session keys once. There is no master key identifier.

mod error;
mod keying_material;
mod prf;
mod profile;
mod session;
#[cfg(test)]
mod test_vectors;

pub use error::Error;
pub use keying_material::{
    CheckValue, DtlsRole, EXPORTER_LABEL, KeyingMaterial, MasterKey, SessionMasterKeys,
};
pub use profile::Profile;
pub use session::{AesCmKeys, AesGcmKeys, SessionKeys, TransformKeys};
