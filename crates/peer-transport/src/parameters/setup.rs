//! The side that starts the DTLS handshake: `a=setup` (RFC 4145 section 4, RFC 8842 section 5).

use std::fmt;
use std::str::FromStr;

use super::Problem;

/// The value of `a=setup`. `holdconn` is refused, because it requests no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Setup {
    /// Either role; the usual value in an offer (RFC 8842 section 5.2).
    ActPass,
    /// The DTLS client, which sends the ClientHello.
    Active,
    /// The DTLS server, which waits for the ClientHello.
    Passive,
}

impl Setup {
    const fn name(self) -> &'static str {
        match self {
            Self::ActPass => "actpass",
            Self::Active => "active",
            Self::Passive => "passive",
        }
    }
}

impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Setup {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        match text {
            "actpass" => Ok(Self::ActPass),
            "active" => Ok(Self::Active),
            "passive" => Ok(Self::Passive),
            "holdconn" => Err(Problem::HoldConn),
            _ => Err(Problem::UnknownSetup),
        }
    }
}
