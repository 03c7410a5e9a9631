//! The command line that every peer of this folder takes.
//!
//! Knows words and numbers. What a stack cannot do, its peer refuses.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

const USAGE: &str = "client|server --cert-pem PATH --key-pem PATH [options]
  --remote ADDR     whom to dial (client)
  --version V       1.2 (default), 1.3 or auto: what is on offer
  --groups LIST     key exchange groups by name, comma separated; else the stack's own
  --profiles LIST   SRTP profile ids, comma separated (7,8,1,2); else the stack's own
  --mtu BYTES       the largest datagram (1200)
  --cookie          as a server: ask for a cookie first";

/// Who sends the ClientHello.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Dials this address.
    Client(SocketAddr),
    /// Answers whoever comes first.
    Server,
}

/// The versions on offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// DTLS 1.2 alone.
    Dtls12,
    /// DTLS 1.3 alone.
    Dtls13,
    /// Both.
    Auto,
}

/// What a peer is to do.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its role.
    pub role: Role,
    /// Its certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The versions on offer.
    pub version: Version,
    /// Key exchange groups by name, or the stack's own.
    pub groups: Option<Vec<String>>,
    /// SRTP profiles, or the stack's own.
    pub profiles: Option<Vec<u16>>,
    /// The largest datagram in bytes.
    pub mtu: usize,
    /// Whether a server asks for a cookie.
    pub cookie: bool,
}

impl Options {
    /// Where every peer binds its socket.
    pub const LOCAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

    /// Reads this program's arguments.
    ///
    /// # Errors
    /// What is wrong with them, with the usage.
    pub fn from_arguments() -> Result<Self, String> {
        Self::read(lexopt::Parser::from_env()).map_err(|error| format!("{error}\nUsage: {USAGE}"))
    }

    fn read(mut parser: lexopt::Parser) -> Result<Self, lexopt::Error> {
        use lexopt::prelude::{Long, Value, ValueExt as _};
        let (mut server, mut remote, mut certificate, mut key) = (None, None, None, None);
        let (mut version, mut groups, mut profiles) = (Version::Dtls12, None, None);
        let (mut mtu, mut cookie) = (1200, false);
        while let Some(argument) = parser.next()? {
            match argument {
                Value(role) if server.is_none() => {
                    server = Some(role.parse_with(|role| match role {
                        "client" => Ok(false),
                        "server" => Ok(true),
                        _ => Err("no such role"),
                    })?);
                }
                Long("remote") => remote = Some(parser.value()?.parse()?),
                Long("cert-pem") => certificate = Some(PathBuf::from(parser.value()?)),
                Long("key-pem") => key = Some(PathBuf::from(parser.value()?)),
                Long("version") => {
                    version = parser.value()?.parse_with(|version| match version {
                        "1.2" => Ok(Version::Dtls12),
                        "1.3" => Ok(Version::Dtls13),
                        "auto" => Ok(Version::Auto),
                        _ => Err("no such version"),
                    })?;
                }
                Long("groups") => {
                    groups = Some(parser.value()?.string()?.split(',').map(str::to_owned).collect());
                }
                Long("profiles") => {
                    let list = |list: &str| list.split(',').map(str::parse).collect::<Result<_, _>>();
                    profiles = Some(parser.value()?.parse_with(list)?);
                }
                Long("mtu") => mtu = parser.value()?.parse()?,
                Long("cookie") => cookie = true,
                other => return Err(other.unexpected()),
            }
        }
        let role = match (server.ok_or("the role is missing")?, remote) {
            (true, _) => Role::Server,
            (false, Some(remote)) => Role::Client(remote),
            (false, None) => return Err("a client needs --remote".into()),
        };
        Ok(Self {
            role,
            certificate: certificate.ok_or("--cert-pem is missing")?,
            key: key.ok_or("--key-pem is missing")?,
            version,
            groups,
            profiles,
            mtu,
            cookie,
        })
    }
}
