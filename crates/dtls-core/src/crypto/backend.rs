//! The cryptographic backend: ring. Another one that mirrors its interface is put in here and nowhere else.

pub(crate) use ring::{aead, agreement, digest, hmac, rand, signature};
