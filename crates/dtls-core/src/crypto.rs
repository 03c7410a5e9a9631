//! Cryptography in terms of TLS. Only [`backend`] imports the names of the backend.

pub(crate) mod aead;
pub(crate) mod backend;
pub(crate) mod group;
pub(crate) mod key_exchange;
pub(crate) mod ml_kem;
pub(crate) mod shared_secret;
pub(crate) mod sign;
pub(crate) mod signed_content;
pub(crate) mod suite;
pub(crate) mod suite13;
pub(crate) mod verify;
