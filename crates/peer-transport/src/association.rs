//! One DTLS association: a connection and the SRTP contexts made from its keys.
//!
//! While it shakes hands it is a [`Handshaking`]; only its own connection's word makes it an
//! [`Established`]. Knows nothing about ICE, about other associations, or about when to move.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) use dtls_core::DtlsRole;
use dtls_core::{Connection, Negotiated, ProtocolVersion};
use ice_agent::Generation;
use srtp::{Inbound, Outbound, RtpHeader};
use srtp_keys::{EXPORTER_LABEL, KeyingMaterial, Profile};
use zeroize::Zeroizing;

use crate::error::Failure;
use crate::verdict::Ends;

/// Numbers the DTLS associations of a transport from 1 on. It changes with every fresh handshake and
/// stays when an ICE restart retains the association, so what runs above (SCTP) can go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Association(u32);

impl Association {
    pub(crate) const FIRST: Self = Self(1);

    pub(crate) const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Association {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What an association is from its first to its last moment.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) number: Association,
    pub(crate) generation: Generation,
    pub(crate) role: DtlsRole,
    pub(crate) ends: Ends,
}

/// An association whose peer is not authenticated yet: no keys, no media.
pub(crate) struct Handshaking {
    pub(crate) identity: Identity,
    pub(crate) connection: Connection,
    config: Arc<dtls_core::Config>,
    /// Since when flights may leave: the moment that ICE found a pair.
    begun: Option<Instant>,
    /// Whether anything of the peer's handshake was of use.
    heard: bool,
    /// How often content failed and the handshake began anew.
    retries: u8,
}

impl Handshaking {
    /// Prepares the connection; nothing leaves before [`begin`](Self::begin).
    pub(crate) fn new(
        now: Instant,
        identity: Identity,
        config: Arc<dtls_core::Config>,
    ) -> Result<Self, dtls_core::Error> {
        let connection = connect(now, identity.role, &config)?;
        Ok(Self { identity, connection, config, begun: None, heard: false, retries: 0 })
    }

    /// A pair works: flights may leave. Later pairs change nothing.
    pub(crate) fn begin(&mut self, now: Instant, round_trip_time: Option<Duration>) {
        if self.begun.is_none() && self.connection.start(now, round_trip_time).is_ok() {
            self.begun = Some(now);
        }
    }

    pub(crate) const fn begun(&self) -> Option<Instant> {
        self.begun
    }

    pub(crate) const fn heard(&self) -> bool {
        self.heard
    }

    pub(crate) const fn note_heard(&mut self) {
        self.heard = true;
    }

    /// How often the first flight of a client left.
    pub(crate) fn transmissions(&self) -> u32 {
        let repeated = u32::try_from(self.connection.stats().flights_repeated).unwrap_or(u32::MAX);
        if self.begun.is_some() { repeated.saturating_add(1) } else { 0 }
    }

    /// Begins anew after a failure of content that nobody authenticated: a packet of an earlier
    /// generation may have come between. A few times per handshake; `false` when it is not granted.
    pub(crate) fn retry(&mut self, now: Instant, round_trip_time: Option<Duration>) -> bool {
        /// One late packet can cost both sides an attempt each: the side that it hits begins anew, and so what the
        /// other has in the air belongs to no attempt any more.
        const MAX_RETRIES: u8 = 3;
        if self.retries >= MAX_RETRIES {
            return false;
        }
        let Ok(connection) = connect(now, self.identity.role, &self.config) else { return false };
        self.connection = connection;
        self.retries += 1;
        self.heard = false;
        self.begun = None;
        self.begin(now, round_trip_time);
        true
    }

    /// The connection says that it is connected: exports the keys and makes the SRTP contexts.
    pub(crate) fn establish(
        self,
        now: Instant,
        negotiated: Negotiated,
        options: &srtp::Options,
    ) -> Result<Established, Failure> {
        let media = match negotiated.srtp_profile.and_then(Profile::from_id) {
            Some(profile) => Some(MediaContexts::export(&self.connection, &self.identity, profile, options)?),
            None => None,
        };
        Ok(Established {
            identity: self.identity,
            connection: self.connection,
            negotiated,
            media,
            since: now,
            heard_at: None,
            final_flight: FinalFlight::Kept,
        })
    }
}

fn connect(
    now: Instant,
    role: DtlsRole,
    config: &Arc<dtls_core::Config>,
) -> Result<Connection, dtls_core::Error> {
    match role {
        DtlsRole::Client => Connection::client(now, Arc::clone(config)),
        DtlsRole::Server => Connection::server(now, Arc::clone(config)),
    }
}

/// Whether DTLS still keeps the last flight for a peer that may have lost it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FinalFlight {
    Kept,
    Released,
}

/// An association whose peer is authenticated: it carries data and media.
pub(crate) struct Established {
    pub(crate) identity: Identity,
    pub(crate) connection: Connection,
    pub(crate) negotiated: Negotiated,
    media: Option<MediaContexts>,
    since: Instant,
    heard_at: Option<Instant>,
    final_flight: FinalFlight,
}

/// The SRTP contexts of one association. Their packet indexes never begin anew.
struct MediaContexts {
    profile: Profile,
    /// `None`: it was moved out to where media is sent.
    outbound: Option<Outbound>,
    /// `None`: it was moved out to where media is read.
    inbound: Option<Inbound>,
}

impl MediaContexts {
    fn export(
        connection: &Connection,
        identity: &Identity,
        profile: Profile,
        options: &srtp::Options,
    ) -> Result<Self, Failure> {
        let association = identity.number;
        let mut exported = Zeroizing::new(vec![0; profile.keying_material_len()]);
        connection.export(EXPORTER_LABEL, None, &mut exported).map_err(|_| Failure::Keys { association })?;
        let keys = KeyingMaterial::new(profile, &exported).map_err(|_| Failure::Keys { association })?.split(
            match identity.role {
                DtlsRole::Client => srtp_keys::DtlsRole::Client,
                DtlsRole::Server => srtp_keys::DtlsRole::Server,
            },
        );
        Ok(Self {
            profile,
            outbound: Some(Outbound::new(&keys.outbound, options)),
            inbound: Some(Inbound::new(&keys.inbound, options)),
        })
    }
}

impl Established {
    pub(crate) fn profile(&self) -> Option<Profile> {
        self.media.as_ref().map(|media| media.profile)
    }

    pub(crate) fn outbound(&mut self) -> Option<&mut Outbound> {
        self.media.as_mut()?.outbound.as_mut()
    }

    /// Moves the context out; packets can only be sealed with it from now on.
    pub(crate) fn take_outbound(&mut self) -> Option<Outbound> {
        self.media.as_mut()?.outbound.take()
    }

    /// Moves the context out; packets can only be opened with it from now on.
    pub(crate) fn take_inbound(&mut self) -> Option<Inbound> {
        self.media.as_mut()?.inbound.take()
    }

    /// Whether there are SRTP keys, here or moved out.
    pub(crate) fn carries_media(&self) -> bool {
        self.media.is_some()
    }

    pub(crate) fn can_read_media(&self) -> bool {
        self.inbound().is_some()
    }

    /// Whether this stream was read under these keys before.
    pub(crate) fn knows_stream(&self, ssrc: u32) -> bool {
        self.inbound().is_some_and(|inbound| inbound.knows_stream(ssrc))
    }

    /// Opens a packet; on failure it may be destroyed, which is no loss if no other keys could open it.
    pub(crate) fn unprotect(
        &mut self,
        packet: Protected,
        bytes: &mut [u8],
    ) -> Result<Range<usize>, srtp::Discard> {
        let inbound = self.inbound_mut().ok_or(srtp::Discard::Unauthenticated)?;
        match packet {
            Protected::Rtp(header) => inbound.unprotect_rtp(&header, bytes),
            Protected::Rtcp => inbound.unprotect_rtcp(bytes),
        }
    }

    /// Opens a packet by way of `scratch`, so that on failure another association may try it.
    pub(crate) fn try_unprotect(
        &mut self,
        packet: Protected,
        bytes: &mut [u8],
        scratch: &mut Vec<u8>,
    ) -> Result<Range<usize>, srtp::Discard> {
        let inbound = self.inbound_mut().ok_or(srtp::Discard::Unauthenticated)?;
        match packet {
            Protected::Rtp(header) => inbound.try_unprotect_rtp(&header, bytes, scratch),
            Protected::Rtcp => inbound.try_unprotect_rtcp(bytes, scratch),
        }
    }

    fn inbound(&self) -> Option<&Inbound> {
        self.media.as_ref()?.inbound.as_ref()
    }

    fn inbound_mut(&mut self) -> Option<&mut Inbound> {
        self.media.as_mut()?.inbound.as_mut()
    }

    /// Something authenticated under these keys.
    pub(crate) const fn note_heard(&mut self, now: Instant) {
        self.heard_at = Some(now);
    }

    /// Media or data authenticated, which proves that the peer is connected: its final flight arrived.
    pub(crate) fn note_proven(&mut self, now: Instant) {
        self.note_heard(now);
        if self.final_flight == FinalFlight::Kept {
            self.final_flight = FinalFlight::Released;
            self.connection.release_final_flight(now);
        }
    }

    /// The last moment at which the peer was known to use these keys, its handshake included.
    pub(crate) fn last_heard(&self) -> Instant {
        self.heard_at.unwrap_or(self.since).max(self.since)
    }

    /// Whether traffic under these keys arrived since `earliest`.
    pub(crate) fn was_heard_since(&self, earliest: Instant) -> bool {
        self.heard_at.is_some_and(|at| at >= earliest)
    }

    /// Whether the peer may have lost our last flight: the server of DTLS 1.2, the client of 1.3.
    /// The other side knows that both have everything.
    pub(crate) fn peer_may_miss_our_last_flight(&self) -> bool {
        self.identity.role == last_flight_sender(self.negotiated.version)
    }
}

/// Who sends the last flight of a handshake (RFC 6347 section 4.2.4, RFC 9147 section 5.8.1).
fn last_flight_sender(version: ProtocolVersion) -> DtlsRole {
    if version == ProtocolVersion::DTLS12 { DtlsRole::Server } else { DtlsRole::Client }
}

/// A packet to open, as far as its clear bytes tell.
#[derive(Clone, Copy)]
pub(crate) enum Protected {
    /// RTP with its header parsed once.
    Rtp(RtpHeader),
    /// A compound RTCP packet.
    Rtcp,
}
