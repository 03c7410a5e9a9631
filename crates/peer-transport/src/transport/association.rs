//! One DTLS association: a connection and the SRTP contexts made from its keys.
//!
//! It is a [`Handshaking`] until its own connection reports that it is connected, then an [`Established`]. Does
//! not know ICE, other associations, or when sending moves.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dtls_core::{Connection, DtlsRole, Negotiated, ProtocolVersion};
use ice_agent::GenerationId;
use srtp::{Inbound, Outbound, RtpHeader};
use srtp_keys::{EXPORTER_LABEL, KeyingMaterial, Profile};
use zeroize::Zeroizing;

use super::signalling::SignalledParameters;
use crate::association_id::AssociationId;
use crate::error::Failure;

/// The constant properties of an association.
#[derive(Clone)]
pub(super) struct Identity {
    pub(super) number: AssociationId,
    pub(super) generation: GenerationId,
    pub(super) role: DtlsRole,
    pub(super) signalled: SignalledParameters,
}

/// An association whose peer is not authenticated yet: no keys, no media.
pub(super) struct Handshaking {
    pub(super) identity: Identity,
    pub(super) connection: Connection,
    config: Arc<dtls_core::Config>,
    /// When ICE found a pair, from which on flights may be sent.
    started_at: Option<Instant>,
    /// Whether any usable handshake message of the peer arrived.
    received: bool,
    /// How often the handshake restarted after a failure of content.
    retries: u8,
}

impl Handshaking {
    /// Prepares the connection. It sends nothing before [`start`](Self::start).
    pub(super) fn new(
        now: Instant,
        identity: Identity,
        config: Arc<dtls_core::Config>,
    ) -> Result<Self, dtls_core::Error> {
        let connection = connect(now, identity.role, &config)?;
        Ok(Self { identity, connection, config, started_at: None, received: false, retries: 0 })
    }

    /// Allows flights to be sent, because a pair is usable. Later calls change nothing.
    pub(super) fn start(&mut self, now: Instant, round_trip_time: Option<Duration>) {
        if self.started_at.is_none() && self.connection.start(now, round_trip_time).is_ok() {
            self.started_at = Some(now);
        }
    }

    pub(super) const fn started_at(&self) -> Option<Instant> {
        self.started_at
    }

    pub(super) const fn received(&self) -> bool {
        self.received
    }

    pub(super) const fn on_record_authenticated(&mut self) {
        self.received = true;
    }

    /// How often a client's first flight was sent.
    pub(super) fn transmissions(&self) -> u32 {
        let repeated = u32::try_from(self.connection.stats().flights_retransmitted).unwrap_or(u32::MAX);
        if self.started_at.is_some() { repeated.saturating_add(1) } else { 0 }
    }

    /// Restarts the handshake after a failure of unauthenticated content, which a packet of an earlier
    /// generation may have caused. Returns `false` after a few restarts of one handshake.
    pub(super) fn retry(&mut self, now: Instant, round_trip_time: Option<Duration>) -> bool {
        /// One late packet can cost each side an attempt: the side that receives it restarts, and the flights
        /// that the other side has sent match no attempt any more.
        const MAX_RETRIES: u8 = 3;
        if self.retries >= MAX_RETRIES {
            return false;
        }
        let Ok(connection) = connect(now, self.identity.role, &self.config) else { return false };
        self.connection = connection;
        self.retries += 1;
        self.received = false;
        self.started_at = None;
        self.start(now, round_trip_time);
        true
    }

    /// Exports the keys of the connected connection and creates the SRTP contexts.
    pub(super) fn establish(
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
            authenticated_at: None,
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

/// Whether DTLS keeps the final flight for a peer that may have lost it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FinalFlight {
    Kept,
    Released,
}

/// An association whose peer is authenticated: it carries data and media.
pub(super) struct Established {
    pub(super) identity: Identity,
    pub(super) connection: Connection,
    pub(super) negotiated: Negotiated,
    media: Option<MediaContexts>,
    since: Instant,
    authenticated_at: Option<Instant>,
    final_flight: FinalFlight,
}

/// The SRTP contexts of one association. Their packet indexes never start again.
struct MediaContexts {
    profile: Profile,
    /// `None` after it was moved to a [`MediaSender`](crate::MediaSender).
    outbound: Option<Outbound>,
    /// `None` after it was moved to a [`MediaReceiver`](crate::MediaReceiver).
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
    pub(super) fn profile(&self) -> Option<Profile> {
        self.media.as_ref().map(|media| media.profile)
    }

    pub(super) fn outbound(&mut self) -> Option<&mut Outbound> {
        self.media.as_mut()?.outbound.as_mut()
    }

    /// Moves the context out. From then on only its owner can protect packets.
    pub(super) fn take_outbound(&mut self) -> Option<Outbound> {
        self.media.as_mut()?.outbound.take()
    }

    /// Moves the context out. From then on only its owner can open packets.
    pub(super) fn take_inbound(&mut self) -> Option<Inbound> {
        self.media.as_mut()?.inbound.take()
    }

    /// Whether there are SRTP keys, here or moved out.
    pub(super) fn carries_media(&self) -> bool {
        self.media.is_some()
    }

    pub(super) fn can_read_media(&self) -> bool {
        self.inbound().is_some()
    }

    /// Whether these keys have opened packets of this stream before.
    pub(super) fn knows_stream(&self, ssrc: u32) -> bool {
        self.inbound().is_some_and(|inbound| inbound.knows_stream(ssrc))
    }

    /// Opens a packet. A failure may destroy it, so only the last candidate may do this.
    pub(super) fn unprotect(
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
    pub(super) fn try_unprotect(
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

    /// Records that a DTLS record or packet authenticated under these keys.
    pub(super) const fn on_record_authenticated(&mut self, now: Instant) {
        self.authenticated_at = Some(now);
    }

    /// Records that media or data authenticated, which proves that the final flight arrived at the peer.
    pub(super) fn on_traffic_authenticated(&mut self, now: Instant) {
        self.on_record_authenticated(now);
        if self.final_flight == FinalFlight::Kept {
            self.final_flight = FinalFlight::Released;
            self.connection.release_final_flight(now);
        }
    }

    /// The last time at which the peer is known to have used these keys, including its handshake.
    pub(super) fn last_authenticated(&self) -> Instant {
        self.authenticated_at.unwrap_or(self.since).max(self.since)
    }

    /// Whether traffic under these keys arrived since `earliest`.
    pub(super) fn authenticated_since(&self, earliest: Instant) -> bool {
        self.authenticated_at.is_some_and(|at| at >= earliest)
    }

    /// Whether the peer may have lost the local final flight: for the server of DTLS 1.2 and the client of 1.3.
    /// The other role knows that both sides have all flights.
    pub(super) fn peer_may_miss_final_flight(&self) -> bool {
        self.identity.role == final_flight_sender(self.negotiated.version)
    }
}

/// The sender of a handshake's final flight (RFC 6347 section 4.2.4, RFC 9147 section 5.8.1).
fn final_flight_sender(version: ProtocolVersion) -> DtlsRole {
    if version == ProtocolVersion::DTLS12 { DtlsRole::Server } else { DtlsRole::Client }
}

/// A protected packet, classified by its clear bytes.
#[derive(Clone, Copy)]
pub(super) enum Protected {
    /// An RTP packet with its parsed header.
    Rtp(RtpHeader),
    /// A compound RTCP packet.
    Rtcp,
}
