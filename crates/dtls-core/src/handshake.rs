//! The handshake layer (RFC 6347 section 4.2): fragmentation, reassembly, flights, and the transcript for the Finished.
//!
//! Does not know the meaning of the messages.

pub(crate) mod early;
pub(crate) mod flight;
mod packer;
mod ranges;
pub(crate) mod reassembly;
pub(crate) mod step;
pub(crate) mod transcript;

use crate::codec::{Malformed, Reader, Width, Writer};
use crate::record::epoch::Epoch;
use flight::Flight;
use transcript::Transcript;

/// Type, length, message sequence, fragment offset and fragment length.
pub(crate) const HEADER_LEN: usize = 12;

/// RFC 5246 section 7.4, RFC 6347 section 4.3.2. Unknown values are ordinary values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HandshakeType(pub(crate) u8);

impl HandshakeType {
    pub(crate) const HELLO_REQUEST: Self = Self(0);
    pub(crate) const CLIENT_HELLO: Self = Self(1);
    pub(crate) const SERVER_HELLO: Self = Self(2);
    pub(crate) const HELLO_VERIFY_REQUEST: Self = Self(3);
    pub(crate) const NEW_SESSION_TICKET: Self = Self(4);
    pub(crate) const ENCRYPTED_EXTENSIONS: Self = Self(8);
    pub(crate) const CERTIFICATE: Self = Self(11);
    pub(crate) const SERVER_KEY_EXCHANGE: Self = Self(12);
    pub(crate) const CERTIFICATE_REQUEST: Self = Self(13);
    pub(crate) const SERVER_HELLO_DONE: Self = Self(14);
    pub(crate) const CERTIFICATE_VERIFY: Self = Self(15);
    pub(crate) const CLIENT_KEY_EXCHANGE: Self = Self(16);
    pub(crate) const FINISHED: Self = Self(20);
    pub(crate) const KEY_UPDATE: Self = Self(24);
}

/// A fragment of a handshake message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fragment<'a> {
    pub(crate) kind: HandshakeType,
    /// Length of the whole message.
    pub(crate) length: usize,
    pub(crate) sequence: u16,
    pub(crate) offset: usize,
    pub(crate) body: &'a [u8],
}

impl<'a> Fragment<'a> {
    /// Decodes one fragment of a record, which may contain several.
    pub(crate) fn decode(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let size = |number: u32| usize::try_from(number).map_err(|_| Malformed);
        let kind = HandshakeType(reader.u8()?);
        let length = size(reader.u24()?)?;
        let sequence = reader.u16()?;
        let offset = size(reader.u24()?)?;
        let body = reader.vector24()?;
        if offset + body.len() > length {
            return Err(Malformed);
        }
        Ok(Self { kind, length, sequence, offset, body })
    }

    /// Returns the message, if the fragment is all of it.
    pub(crate) fn whole(&self, protected: bool) -> Option<Message<'a>> {
        let Self { kind, sequence, body, .. } = *self;
        (body.len() == self.length).then_some(Message { kind, sequence, body, protected })
    }
}

/// A whole handshake message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    pub(crate) kind: HandshakeType,
    pub(crate) sequence: u16,
    pub(crate) body: &'a [u8],
    /// Whether it arrived in a protected record.
    pub(crate) protected: bool,
}

impl Message<'_> {
    /// Writes the message as one fragment.
    pub(crate) fn write(&self, writer: &mut Writer<'_>) {
        // No message of ours is nearly 2^24 bytes long.
        let [_, length @ ..] = u32::try_from(self.body.len()).unwrap_or(u32::MAX).to_be_bytes();
        writer.u8(self.kind.0);
        writer.bytes(&length);
        writer.u16(self.sequence);
        writer.bytes(&[0; 3]);
        writer.bytes(&length);
        writer.bytes(self.body);
    }
}

/// The sending side of a handshake in both roles: the current flight and the transcript.
pub(crate) struct Outgoing {
    pub(crate) flight: Flight,
    pub(crate) transcript: Transcript,
    next_sequence: u16,
}

impl Outgoing {
    pub(crate) fn new() -> Self {
        Self { flight: Flight::with_room(), transcript: Transcript::with_room(), next_sequence: 0 }
    }

    /// Continues a handshake that the gate has begun: the next message has this sequence number.
    pub(crate) fn continued(next_sequence: u16) -> Self {
        Self { next_sequence, ..Self::new() }
    }

    /// Returns whether another message can have its own sequence number. The last number stays unused, so that it never
    /// wraps.
    pub(crate) const fn has_sequence(&self) -> bool {
        self.next_sequence < u16::MAX
    }

    #[cfg(test)]
    pub(crate) const fn use_up_sequence(&mut self) {
        self.next_sequence = u16::MAX;
    }

    /// Appends a message to the flight and to the transcript. `write` writes the body behind a header whose lengths are
    /// patched here.
    pub(crate) fn push(&mut self, epoch: Epoch, kind: HandshakeType, write: impl FnOnce(&mut Writer<'_>)) {
        let sequence = self.next_sequence;
        self.next_sequence = sequence.wrapping_add(1);
        let message = self.flight.push_message(epoch, |bytes| {
            bytes.push(kind.0);
            bytes.extend_from_slice(&[0; 3]);
            bytes.extend_from_slice(&sequence.to_be_bytes());
            bytes.extend_from_slice(&[0; 3]);
            write(&mut Writer::new(bytes).block(Width::Three));
        });
        self.transcript.push(message);
    }
}
