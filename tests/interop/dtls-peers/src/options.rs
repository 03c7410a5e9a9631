//! The command line that every peer of this folder takes.
//!
//! A peer refuses an option that its stack does not support.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

const USAGE: &str = "client|server --cert-pem PATH --key-pem PATH [options]
       client|server --psk-identity TEXT --psk-key HEX [--psk-hint TEXT] [options]
  --remote ADDR     whom to dial (client)
  --version V       1.2 (default), 1.3 or auto: what is on offer
  --groups LIST     key exchange groups by name, comma separated; else the stack's own
  --profiles LIST   SRTP profile ids, comma separated (7,8,1,2); else the stack's own
  --mtu BYTES       the largest datagram (1200)
  --cookie          as a server: ask for a cookie first";

/// The side that sends the ClientHello, or the other one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Sends its ClientHello to this address.
    Client(SocketAddr),
    /// Answers the first client.
    Server,
}

/// The offered versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// DTLS 1.2 only.
    Dtls12,
    /// DTLS 1.3 only.
    Dtls13,
    /// Both.
    Auto,
}

/// The credentials of a peer.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// A certificate and its key, as PEM files.
    Certificate {
        /// The certificate.
        certificate: PathBuf,
        /// Its key.
        key: PathBuf,
    },
    /// A pre-shared key (RFC 4279).
    Psk {
        /// The identity that a client sends, and the only one that a server knows.
        identity: String,
        /// The key.
        key: Vec<u8>,
        /// The identity hint that a server sends.
        hint: Option<String>,
    },
}

/// The task of a peer.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its role.
    pub role: Role,
    /// Its credentials.
    pub credentials: Credentials,
    /// The offered versions.
    pub version: Version,
    /// Key exchange groups by name, or the stack's default.
    pub groups: Option<Vec<String>>,
    /// SRTP profiles, or the stack's default.
    pub profiles: Option<Vec<u16>>,
    /// The largest datagram in bytes.
    pub mtu: usize,
    /// Whether a server asks for a cookie.
    pub cookie: bool,
}

impl Options {
    /// The address to which every peer binds its socket.
    pub const LOCAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

    /// Reads this program's arguments.
    ///
    /// # Errors
    ///
    ///
    /// The first invalid argument, with the usage.
    pub fn from_arguments() -> Result<Self, String> {
        Self::read(lexopt::Parser::from_env()).map_err(|error| format!("{error}\nUsage: {USAGE}"))
    }

    fn read(mut parser: lexopt::Parser) -> Result<Self, lexopt::Error> {
        use lexopt::prelude::{Long, Value, ValueExt as _};
        let (mut server, mut remote, mut certificate, mut key) = (None, None, None, None);
        let (mut psk_identity, mut psk_key, mut psk_hint) = (None, None, None);
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
                Long("psk-identity") => psk_identity = Some(parser.value()?.string()?),
                Long("psk-key") => psk_key = Some(parser.value()?.parse_with(bytes_of)?),
                Long("psk-hint") => psk_hint = Some(parser.value()?.string()?),
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
        let credentials = match (psk_identity, psk_key) {
            (Some(identity), Some(key)) => Credentials::Psk { identity, key, hint: psk_hint },
            _ => Credentials::Certificate {
                certificate: certificate.ok_or("--cert-pem is missing")?,
                key: key.ok_or("--key-pem is missing")?,
            },
        };
        Ok(Self { role, credentials, version, groups, profiles, mtu, cookie })
    }
}

/// The bytes of a hexadecimal text.
fn bytes_of(digits: &str) -> Result<Vec<u8>, String> {
    let pairs = digits.as_bytes().chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).map_err(|error| error.to_string())?;
        u8::from_str_radix(pair, 16).map_err(|error| error.to_string())
    });
    pairs.collect()
}
