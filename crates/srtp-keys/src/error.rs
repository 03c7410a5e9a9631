//! Why key material was refused.

/// Why key material was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The number of bytes is not what the profile asks for.
    #[error("the profile asks for {expected} bytes of key material, and {given} were given")]
    WrongLength {
        /// What the profile asks for, in bytes.
        expected: usize,
        /// What was given, in bytes.
        given: usize,
    },
}
