//! The reason why key material was refused.

/// The reason why key material was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The length is not that of the profile.
    #[non_exhaustive]
    #[error("the profile needs {expected} bytes of key material, but {given} were given")]
    WrongLength {
        /// The length for the profile, in bytes.
        expected: usize,
        /// The given length, in bytes.
        given: usize,
    },
}
