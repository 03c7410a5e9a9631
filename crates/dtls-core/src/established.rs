//! A connection after its handshake, in either version.
//!
//! Forwards to the version, and has what both versions share: key usage limits, and the detection of a peer that
//! restarts. Every method that sends takes the [`Link`]; an `Err` ends the connection.

mod key_limits;

use crate::config::DtlsRole;
use crate::connected::{Connected, Randoms};
use crate::discard::Discard;
use crate::dtls13::ack::Received;
use crate::end::End;
use crate::error::Error;
use crate::event::{Admitted, ClosedBy, Event, Negotiated};
use crate::handshake::flight::Flight;
use crate::handshake::reassembly::Reassembly;
use crate::handshake::{Fragment, HandshakeType, Outgoing};
use crate::link::Link;
use crate::message::key_update::KeyUpdate;
use crate::peek::hello_random;
use crate::record::epoch::Epoch;
use crate::record::{ContentType, RecordNumber};
use crate::{dtls12, dtls13};
use std::time::{Duration, Instant};

/// The minimum interval of events about fresh ClientHellos, which any sender can cause.
const FRESH_HELLO_INTERVAL: Duration = Duration::from_secs(1);

/// An established connection.
pub(crate) struct Established {
    version: Version,
    key_limit_announced: bool,
    /// When the last event about a fresh ClientHello was emitted.
    fresh_hello_at: Option<Instant>,
}

enum Version {
    Dtls12(dtls12::established::Established),
    Dtls13(Box<dtls13::established::Established>),
}

impl Established {
    /// Takes over from the handshake. [`Established::transmit`] then sends the final flight.
    #[inline]
    pub(crate) fn new(
        connected: Connected,
        outgoing: Outgoing,
        reassembly: Reassembly,
        received: Received,
        link: &mut Link,
    ) -> Self {
        let version = match connected {
            Connected::Dtls12(connected) => {
                Version::Dtls12(dtls12::established::Established::new(connected, outgoing, &reassembly, link))
            }
            Connected::Dtls13(connected) => Version::Dtls13(Box::new(dtls13::established::Established::new(
                connected, outgoing, reassembly, received, link,
            ))),
        };
        Self { version, key_limit_announced: false, fresh_hello_at: None }
    }

    pub(crate) fn negotiated(&self) -> Negotiated {
        match &self.version {
            Version::Dtls12(established) => established.connected().negotiated(),
            Version::Dtls13(established) => established.connected().negotiated(),
        }
    }

    pub(crate) fn remote_certificate(&self) -> Option<&[u8]> {
        match &self.version {
            Version::Dtls12(established) => established.connected().remote_certificate(),
            Version::Dtls13(established) => established.connected().remote_certificate(),
        }
    }

    /// Exports keying material. Returns `None` if the version cannot export as many bytes, or use a context as long.
    pub(crate) fn export(&self, label: &str, context: Option<&[u8]>, out: &mut [u8]) -> Option<()> {
        match &self.version {
            Version::Dtls12(established) => established.connected().master().export(label, context, out),
            Version::Dtls13(established) => established.connected().exporter().export(label, context, out),
        }
    }

    pub(crate) fn randoms(&self, role: DtlsRole) -> Randoms {
        let (client, server) = match &self.version {
            Version::Dtls12(established) => {
                let selected = established.connected().master().selected();
                (selected.client_random, selected.server_random)
            }
            Version::Dtls13(established) => {
                let selected = established.connected().selected();
                (selected.client_random, selected.server_random)
            }
        };
        match role {
            DtlsRole::Client => Randoms { local: client, remote: server },
            DtlsRole::Server => Randoms { local: server, remote: client },
        }
    }

    /// Returns the epoch in which this side sends.
    #[inline]
    pub(crate) fn epoch(&self) -> Epoch {
        match &self.version {
            Version::Dtls12(_) => Epoch::Protected,
            Version::Dtls13(established) => established.epoch(),
        }
    }

    /// Returns whether our direction is open.
    #[inline]
    pub(crate) fn may_send(&self) -> bool {
        match &self.version {
            Version::Dtls12(established) => established.may_send(),
            Version::Dtls13(established) => established.may_send(),
        }
    }

    // Flights and acknowledgements.

    /// Returns the flight that the peer may still need.
    pub(crate) fn flight_mut(&mut self) -> Option<&mut Flight> {
        match &mut self.version {
            Version::Dtls12(established) => established.flight_mut(),
            Version::Dtls13(established) => Some(established.flight_mut()),
        }
    }

    /// Transmits the current flight.
    pub(crate) fn transmit(&mut self, link: &mut Link) -> Result<(), End> {
        match &mut self.version {
            Version::Dtls12(established) => {
                established.flight_mut().map_or(Ok(()), |flight| link.transmit_final(flight))
            }
            Version::Dtls13(established) => link.transmit(established.flight_mut()),
        }
    }

    /// Retransmits the current flight, which the peer may have lost.
    pub(crate) fn retransmit(&mut self, link: &mut Link) -> Result<(), End> {
        match &mut self.version {
            Version::Dtls12(established) => {
                established.flight_mut().map_or(Ok(()), |flight| link.retransmit_final(flight))
            }
            Version::Dtls13(established) => link.retransmit(established.flight_mut()),
        }
    }

    /// Handles a sign that the peer is connected: data, or SRTP that authenticated. DTLS 1.3 waits for an ACK instead.
    #[inline]
    pub(crate) fn release_final_flight(&mut self, link: &mut Link) {
        if let Version::Dtls12(established) = &mut self.version {
            established.release_final_flight(link);
        }
    }

    pub(crate) fn on_final_flight_timeout(&mut self, link: &mut Link) -> Result<(), End> {
        match &mut self.version {
            Version::Dtls12(established) => {
                established.release_final_flight(link);
                Ok(())
            }
            Version::Dtls13(established) => established.on_final_flight_timeout(link),
        }
    }

    pub(crate) fn on_ack(&mut self, epoch: u16, content: &[u8], link: &mut Link) -> Result<(), End> {
        match &mut self.version {
            Version::Dtls12(_) => Ok(()),
            Version::Dtls13(established) => established.on_ack(epoch, content, link),
        }
    }

    /// Notes that a handshake record was used, so that it is acknowledged.
    pub(crate) fn on_record_used(&mut self, number: RecordNumber) {
        if let Version::Dtls13(established) = &mut self.version {
            established.on_record_used(number);
        }
    }

    /// At the end of a datagram: sends an ACK if one is needed (RFC 9147 section 7.1).
    #[inline]
    pub(crate) fn schedule_ack(&mut self, link: &mut Link) -> Result<(), End> {
        match &self.version {
            Version::Dtls13(established) if established.ack_pending() => self.send_ack(link),
            Version::Dtls12(_) | Version::Dtls13(_) => Ok(()),
        }
    }

    pub(crate) fn send_ack(&mut self, link: &mut Link) -> Result<(), End> {
        if let Version::Dtls13(established) = &mut self.version
            && established.send_ack(link)
        {
            self.check_key_limits(link)?;
        }
        Ok(())
    }

    // Records of the peer.

    /// Handles an authenticated record of this epoch, after its content.
    #[inline]
    pub(crate) fn on_authenticated(&mut self, epoch: u16, link: &mut Link) -> Result<(), End> {
        match &mut self.version {
            Version::Dtls12(_) => Ok(()),
            Version::Dtls13(established) => established.on_authenticated(epoch, link),
        }
    }

    /// Returns whether a record is ignored, because its sender had closed before it.
    #[inline]
    pub(crate) fn is_after_close(&self, number: RecordNumber, content_type: ContentType) -> bool {
        match &self.version {
            // The close_notify of the peer ends the connection.
            Version::Dtls12(_) => false,
            Version::Dtls13(established) => established.is_after_close(number, content_type),
        }
    }

    /// Handles a protected handshake message or a fragment of one.
    pub(crate) fn on_handshake(
        &mut self,
        fragment: &Fragment<'_>,
        epoch: u16,
        link: &mut Link,
    ) -> Result<Admitted, End> {
        match &mut self.version {
            Version::Dtls12(established) => established.on_handshake(fragment, link),
            Version::Dtls13(established) => established.on_handshake(fragment, epoch, link),
        }
    }

    /// Handles a plaintext handshake message: a retransmission, or a new handshake.
    pub(crate) fn on_plaintext_handshake(
        &mut self,
        fragment: &Fragment<'_>,
        link: &mut Link,
    ) -> Result<Admitted, End> {
        if fragment.kind != HandshakeType::CLIENT_HELLO {
            return match &mut self.version {
                Version::Dtls12(established) => established.on_retransmitted_message(fragment.sequence, link),
                Version::Dtls13(_) => Ok(link.discard(Discard::RetransmittedMessage)),
            };
        }
        Ok(self.on_client_hello(fragment, link))
    }

    /// Handles a plaintext ChangeCipherSpec, which is part of a retransmitted flight of DTLS 1.2.
    pub(crate) fn on_change_cipher_spec(&mut self, link: &mut Link) -> Result<Admitted, End> {
        match &mut self.version {
            // It has no message number. All messages before it were handled.
            Version::Dtls12(established) => established.on_retransmitted_message(0, link),
            Version::Dtls13(_) => Ok(link.discard(Discard::BadRecord)),
        }
    }

    /// Handles a plaintext ClientHello: a retransmission, or a peer that restarts.
    fn on_client_hello(&mut self, fragment: &Fragment<'_>, link: &mut Link) -> Admitted {
        let Some(random) = hello_random(fragment) else {
            return link.discard(Discard::FreshClientHello);
        };
        let randoms = self.randoms(link.role);
        if random == randoms.remote || random == randoms.local {
            return link.discard(Discard::RetransmittedMessage);
        }
        let recently = self
            .fresh_hello_at
            .is_some_and(|at| link.now.saturating_duration_since(at) < FRESH_HELLO_INTERVAL);
        if !recently {
            self.fresh_hello_at = Some(link.now);
            link.events.push_once(Event::FreshClientHello);
        }
        link.discard(Discard::FreshClientHello)
    }

    // Key updates and the close.

    /// Returns why the application cannot update the keys now.
    pub(crate) fn check_key_update(&self) -> Result<(), Error> {
        match &self.version {
            _ if !self.may_send() => Err(Error::Closed),
            Version::Dtls12(_) => Err(Error::NoKeyUpdate),
            Version::Dtls13(established) => established.check_key_update(),
        }
    }

    /// Starts a key update for our direction, and requests one of the peer.
    pub(crate) fn update_keys(&mut self, link: &mut Link) -> Result<(), End> {
        if let Version::Dtls13(established) = &mut self.version {
            established.update_keys(KeyUpdate::Requested, link)?;
        }
        Ok(())
    }

    /// Closes our direction, which was open. If the peer has closed its own, the connection ends.
    pub(crate) fn close_sending(&mut self, link: &mut Link) -> Result<(), End> {
        match &mut self.version {
            Version::Dtls12(established) => {
                established.close_sending(link);
                Ok(())
            }
            Version::Dtls13(established) => established.close_sending(link),
        }
    }

    pub(crate) fn on_close_notify(&mut self, number: RecordNumber, link: &mut Link) -> Result<(), End> {
        match &mut self.version {
            Version::Dtls12(established) => Err(established.on_close_notify()),
            Version::Dtls13(established) => established.on_close_notify(number, link),
        }
    }

    /// Returns which side closed first, if this side ends the connection now.
    pub(crate) fn closer(&self) -> ClosedBy {
        match &self.version {
            Version::Dtls12(_) => ClosedBy::Us,
            Version::Dtls13(established) => established.closer(),
        }
    }
}

#[cfg(test)]
impl Established {
    /// Returns the part of DTLS 1.3, for tests that reach inside.
    pub(crate) fn dtls13(&self) -> &dtls13::established::Established {
        match &self.version {
            Version::Dtls13(established) => established,
            Version::Dtls12(_) => panic!("DTLS 1.3 was negotiated"),
        }
    }

    pub(crate) fn dtls13_mut(&mut self) -> &mut dtls13::established::Established {
        match &mut self.version {
            Version::Dtls13(established) => established,
            Version::Dtls12(_) => panic!("DTLS 1.3 was negotiated"),
        }
    }
}
