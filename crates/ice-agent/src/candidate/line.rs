//! The `candidate` attribute of SDP (RFC 8839 section 5.1) as text.
//!
//! Decodes every line, including lines that this agent cannot use: host names and TCP. Resolves no names.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use thiserror::Error;

use crate::candidate::{Candidate, CandidateKind, Foundation, InvalidCandidate};
use crate::credentials::Ufrag;

/// A candidate line. Parses with or without `a=` and with or without `candidate:`; formats as `candidate:` without
/// `a=`, the form of W3C's `RTCIceCandidate.candidate`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CandidateLine {
    /// A UDP candidate with an address, for [`Agent::add_remote_candidate`](crate::Agent::add_remote_candidate).
    Candidate {
        /// The candidate.
        candidate: Candidate,
        /// The extensions of the line.
        extensions: Extensions,
    },
    /// A UDP candidate with a host name, such as an mDNS `.local` name. After the application has resolved the name,
    /// [`Unresolved::resolve`] returns the candidate.
    Unresolved(Unresolved),
    /// A TCP candidate (RFC 6544). The agent does not open connections.
    Tcp(TcpCandidate),
}

/// The known extensions; others are ignored (RFC 8839 section 5.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Extensions {
    /// `generation`: libwebrtc's count of restarts, for information only. Generations are matched by ufrag.
    pub generation: Option<u32>,
    /// `ufrag`: the generation of the peer that the candidate belongs to.
    pub ufrag: Option<Ufrag>,
    /// `network-id`: distinguishes the interfaces of a host.
    pub network_id: Option<u32>,
    /// `network-cost`: 0 to 999; a higher value is a more expensive network.
    pub network_cost: Option<u32>,
}

/// A candidate with a host name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unresolved {
    /// The host name as in the line.
    pub host: String,
    /// The UDP port.
    pub port: u16,
    /// The type.
    pub kind: CandidateKind,
    /// RFC 8445 section 5.1.2.
    pub priority: u32,
    /// RFC 8445 section 5.1.1.3.
    pub foundation: Foundation,
    /// `raddr` and `rport`.
    pub related: Option<SocketAddr>,
    /// The extensions of the line.
    pub extensions: Extensions,
}

impl Unresolved {
    /// Returns the candidate with the resolved address.
    ///
    /// # Errors
    /// [`InvalidCandidate`] when no packet can reach the address.
    pub fn resolve(&self, ip: IpAddr) -> Result<Candidate, InvalidCandidate> {
        let address = SocketAddr::new(ip, self.port);
        Candidate::announced(self.kind, address, self.priority, self.foundation, self.related)
    }
}

/// A TCP candidate (RFC 6544 section 4.5).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TcpCandidate {
    /// The address or host name as in the line.
    pub host: String,
    /// The port; 9 for active candidates.
    pub port: u16,
    /// The direction of the connection.
    pub tcp_type: TcpType,
    /// The type.
    pub kind: CandidateKind,
    /// RFC 8445 section 5.1.2.
    pub priority: u32,
    /// RFC 8445 section 5.1.1.3.
    pub foundation: Foundation,
    /// `raddr` and `rport`.
    pub related: Option<SocketAddr>,
    /// The extensions of the line.
    pub extensions: Extensions,
}

/// `tcptype` (RFC 6544 section 4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TcpType {
    /// Opens connections.
    Active,
    /// Accepts connections.
    Passive,
    /// Opens and accepts connections at the same time.
    SimultaneousOpen,
}

impl TcpType {
    const fn token(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Passive => "passive",
            Self::SimultaneousOpen => "so",
        }
    }
}

impl CandidateLine {
    /// Returns the line of a local candidate, with the ufrag of its generation so that it can be trickled.
    #[must_use]
    pub fn of(candidate: Candidate, ufrag: Option<Ufrag>) -> Self {
        Self::Candidate { candidate, extensions: Extensions { ufrag, ..Extensions::default() } }
    }
}

impl FromStr for CandidateLine {
    type Err = BadCandidateLine;

    fn from_str(line: &str) -> Result<Self, BadCandidateLine> {
        let line = line.trim();
        let line = line.strip_prefix("a=").unwrap_or(line);
        let line = line.strip_prefix("candidate:").unwrap_or(line);
        let mut tokens = line.split_ascii_whitespace();
        let head = Head::read(&mut tokens)?;
        let tail = Tail::read(&mut tokens)?;
        let Head { foundation, tcp, priority, host, port, kind } = head;
        let Tail { related, tcp_type, extensions } = tail;
        if tcp {
            let tcp_type = tcp_type.ok_or(BadCandidateLine::TcpType)?;
            let host = host.to_owned();
            return Ok(Self::Tcp(TcpCandidate {
                host,
                port,
                tcp_type,
                kind,
                priority,
                foundation,
                related,
                extensions,
            }));
        }
        let Ok(ip) = host.parse() else {
            let host = host.to_owned();
            return Ok(Self::Unresolved(Unresolved {
                host,
                port,
                kind,
                priority,
                foundation,
                related,
                extensions,
            }));
        };
        let address = SocketAddr::new(ip, port);
        let candidate = Candidate::announced(kind, address, priority, foundation, related)?;
        Ok(Self::Candidate { candidate, extensions })
    }
}

/// The fields of every line, in order.
struct Head<'a> {
    foundation: Foundation,
    tcp: bool,
    priority: u32,
    host: &'a str,
    port: u16,
    kind: CandidateKind,
}

impl<'a> Head<'a> {
    fn read(tokens: &mut impl Iterator<Item = &'a str>) -> Result<Self, BadCandidateLine> {
        let mut next = || tokens.next().ok_or(BadCandidateLine::Truncated);
        let foundation = next()?.parse()?;
        // Component 2 is RTCP without rtcp-mux, which this agent does not support.
        if number::<u16>(next()?)? != 1 {
            return Err(BadCandidateLine::Component);
        }
        let transport = next()?;
        let tcp = transport.eq_ignore_ascii_case("tcp");
        if !tcp && !transport.eq_ignore_ascii_case("udp") {
            return Err(BadCandidateLine::Transport);
        }
        let priority = number(next()?)?;
        let host = next()?;
        let port = number(next()?)?;
        if !next()?.eq_ignore_ascii_case("typ") {
            return Err(BadCandidateLine::Type);
        }
        let kind = CandidateKind::from_token(next()?).ok_or(BadCandidateLine::Type)?;
        Ok(Self { foundation, tcp, priority, host, port, kind })
    }
}

/// The name-value pairs behind the fields, in any order.
struct Tail {
    related: Option<SocketAddr>,
    tcp_type: Option<TcpType>,
    extensions: Extensions,
}

impl Tail {
    fn read<'a>(tokens: &mut impl Iterator<Item = &'a str>) -> Result<Self, BadCandidateLine> {
        let mut tail = Self { related: None, tcp_type: None, extensions: Extensions::default() };
        let (mut address, mut port) = (None, None);
        while let Some(name) = tokens.next() {
            let value = tokens.next().ok_or(BadCandidateLine::Truncated)?;
            match name {
                "raddr" => address = value.parse::<IpAddr>().ok(),
                "rport" => port = Some(number(value)?),
                "tcptype" => {
                    tail.tcp_type = [TcpType::Active, TcpType::Passive, TcpType::SimultaneousOpen]
                        .into_iter()
                        .find(|each| each.token() == value);
                }
                "generation" => tail.extensions.generation = Some(number(value)?),
                "ufrag" => {
                    tail.extensions.ufrag = Some(value.parse().map_err(|_| BadCandidateLine::Ufrag)?);
                }
                "network-id" => tail.extensions.network_id = Some(number(value)?),
                "network-cost" => tail.extensions.network_cost = Some(number(value)?),
                _ => {}
            }
        }
        tail.related = address.zip(port).map(|(ip, port)| SocketAddr::new(ip, port));
        Ok(tail)
    }
}

/// Accepts digits only; `FromStr` of integers would also accept a sign.
fn number<T: FromStr>(text: &str) -> Result<T, BadCandidateLine> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits).ok_or(BadCandidateLine::Number)
}

impl fmt::Display for CandidateLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Candidate { candidate, extensions } => {
                let address = candidate.address();
                write!(
                    f,
                    "candidate:{} 1 udp {} {} {} typ {}",
                    candidate.foundation(),
                    candidate.priority(),
                    address.ip(),
                    address.port(),
                    candidate.kind()
                )?;
                // The line of a host candidate must not reveal its base (RFC 8839 section 5.1).
                let related = candidate.related().filter(|_| candidate.kind() != CandidateKind::Host);
                write_tail(f, related, extensions)
            }
            Self::Unresolved(line) => {
                let Unresolved { host, port, kind, priority, foundation, related, extensions } = line;
                write!(f, "candidate:{foundation} 1 udp {priority} {host} {port} typ {kind}")?;
                write_tail(f, *related, extensions)
            }
            Self::Tcp(line) => {
                let TcpCandidate { host, port, tcp_type, kind, priority, foundation, related, extensions } =
                    line;
                write!(f, "candidate:{foundation} 1 tcp {priority} {host} {port} typ {kind}")?;
                if let Some(related) = related {
                    write!(f, " raddr {} rport {}", related.ip(), related.port())?;
                }
                write!(f, " tcptype {}", tcp_type.token())?;
                write_tail(f, None, extensions)
            }
        }
    }
}

fn write_tail(
    f: &mut fmt::Formatter<'_>,
    related: Option<SocketAddr>,
    extensions: &Extensions,
) -> fmt::Result {
    if let Some(related) = related {
        write!(f, " raddr {} rport {}", related.ip(), related.port())?;
    }
    if let Some(generation) = extensions.generation {
        write!(f, " generation {generation}")?;
    }
    if let Some(ufrag) = &extensions.ufrag {
        write!(f, " ufrag {ufrag}")?;
    }
    if let Some(network_id) = extensions.network_id {
        write!(f, " network-id {network_id}")?;
    }
    if let Some(network_cost) = extensions.network_cost {
        write!(f, " network-cost {network_cost}")?;
    }
    Ok(())
}

/// The reason why a text is not a candidate line that this crate understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BadCandidateLine {
    /// A field is missing, or an extension has a name without a value.
    #[error("the candidate line ends too early")]
    Truncated,
    /// A number is malformed or too large for its field.
    #[error("a number in the candidate line is malformed")]
    Number,
    /// With rtcp-mux only component 1 exists.
    #[error("the component is not 1")]
    Component,
    /// Neither UDP nor TCP.
    #[error("the transport is neither UDP nor TCP")]
    Transport,
    /// `typ` is missing or unknown.
    #[error("the candidate type is missing or unknown")]
    Type,
    /// A TCP candidate without a `tcptype`.
    #[error("a TCP candidate needs a tcptype")]
    TcpType,
    /// The `ufrag` extension violates its grammar.
    #[error("the ufrag is malformed")]
    Ufrag,
    /// The candidate cannot work.
    #[error("{0}")]
    Candidate(#[from] InvalidCandidate),
}
