//! A flight: the messages that are sent together, and sent again until the peer answers (RFC 6347 section 4.2.4).
//!
//! Kept as plaintext, so that each transmission is sealed under sequence numbers of its own. Knows no time
//! beyond when it was sent last.

use crate::handshake::HEADER_LEN;
use crate::outbox::Outbox;
use crate::record::ContentType;
use crate::record::protect::{Epoch, RecordLayer};
use crate::record::sequence::KeyExhausted;
use std::time::{Duration, Instant};

/// A fragment smaller than this is not worth its headers; it waits for the next datagram.
const MIN_FRAGMENT: usize = 32;

/// One part of a flight.
enum Part {
    /// A handshake message of this length, header included.
    Message {
        epoch: Epoch,
        len: usize,
    },
    ChangeCipherSpec,
}

/// The messages of a flight and what is known of their way.
#[derive(Default)]
pub(crate) struct Flight {
    bytes: Vec<u8>,
    parts: Vec<Part>,
    transmissions: u32,
    sent_at: Option<Instant>,
    /// The peer's messages below this sequence were known when the flight was made: when one of them comes
    /// again, the peer has not seen this flight.
    answers_below: u16,
}

impl Flight {
    /// Room for a flight with a certificate, taken at once.
    pub(crate) fn with_room() -> Self {
        Self { bytes: Vec::with_capacity(1024), parts: Vec::with_capacity(6), ..Self::default() }
    }

    /// Gives back what a flight that is kept for long does not need.
    pub(crate) fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
        self.parts.shrink_to_fit();
    }

    /// Drops the old flight, which the peer has answered, and begins a new one.
    pub(crate) fn begin(&mut self) {
        self.bytes.clear();
        self.parts.clear();
        self.transmissions = 0;
        self.sent_at = None;
    }

    /// Appends a whole message with its header, and patches the message length, which is the fragment length
    /// that stands at the header's end. Returns the message.
    pub(crate) fn push_message(&mut self, epoch: Epoch, write: impl FnOnce(&mut Vec<u8>)) -> &[u8] {
        let start = self.bytes.len();
        write(&mut self.bytes);
        let message = self.bytes.get_mut(start..).unwrap_or_default();
        if let Some([_, a, b, c, _, _, _, _, _, x, y, z]) = message.first_chunk_mut::<HEADER_LEN>() {
            (*a, *b, *c) = (*x, *y, *z);
        }
        self.parts.push(Part::Message { epoch, len: message.len() });
        message
    }

    pub(crate) fn push_change_cipher_spec(&mut self) {
        self.parts.push(Part::ChangeCipherSpec);
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Whether it was made and not sent yet.
    pub(crate) fn is_new(&self) -> bool {
        self.transmissions == 0 && !self.parts.is_empty()
    }

    pub(crate) const fn transmissions(&self) -> u32 {
        self.transmissions
    }

    pub(crate) const fn answers(&mut self, below: u16) {
        self.answers_below = below;
    }

    /// Whether a peer that sends this message has missed the flight.
    pub(crate) const fn was_missed_by(&self, sequence: u16) -> bool {
        sequence < self.answers_below
    }

    /// Whether the last transmission is long enough ago that a forger gains nothing by asking for another.
    pub(crate) fn may_repeat(&self, now: Instant, rto: Duration) -> bool {
        self.sent_at.is_some_and(|sent_at| now.saturating_duration_since(sent_at) >= rto)
    }

    /// Seals the flight into datagrams of at most `mtu` bytes.
    pub(crate) fn transmit(
        &mut self,
        now: Instant,
        mtu: usize,
        records: &mut RecordLayer,
        outbox: &mut Outbox,
    ) -> Result<(), KeyExhausted> {
        let mut rest: &[u8] = &self.bytes;
        for part in &self.parts {
            match *part {
                Part::ChangeCipherSpec => {
                    if outbox.open_len() + records.overhead(Epoch::Plaintext) + 1 > mtu {
                        outbox.finish_datagram();
                    }
                    let out = outbox.datagram();
                    records.write(Epoch::Plaintext, ContentType::ChangeCipherSpec, [&[1], &[]], out)?;
                }
                Part::Message { epoch, len } => {
                    let Some((message, after)) = rest.split_at_checked(len) else { break };
                    rest = after;
                    write_fragments(message, epoch, mtu, records, outbox)?;
                }
            }
        }
        outbox.finish_datagram();
        self.transmissions = self.transmissions.saturating_add(1);
        self.sent_at = Some(now);
        Ok(())
    }
}

/// Cuts a message so that it fills the datagrams that are there.
fn write_fragments(
    message: &[u8],
    epoch: Epoch,
    mtu: usize,
    records: &mut RecordLayer,
    outbox: &mut Outbox,
) -> Result<(), KeyExhausted> {
    let Some((header, body)) = message.split_first_chunk::<HEADER_LEN>() else { return Ok(()) };
    let [kind_length_sequence @ .., _, _, _, _, _, _] = *header;
    let mut offset: usize = 0;
    let mut rest = body;
    loop {
        let headers = records.overhead(epoch) + HEADER_LEN;
        let room = mtu.saturating_sub(outbox.open_len() + headers);
        if outbox.open_len() > 0 && room < rest.len().min(MIN_FRAGMENT) {
            outbox.finish_datagram();
            continue;
        }
        let (piece, after) = rest.split_at_checked(room).unwrap_or((rest, &[]));
        let mut fragment_header = [0; HEADER_LEN];
        let numbers = [u24(offset), u24(piece.len())];
        let bytes = kind_length_sequence.iter().chain(numbers.as_flattened());
        fragment_header.iter_mut().zip(bytes).for_each(|(slot, byte)| *slot = *byte);
        records.write(epoch, ContentType::Handshake, [&fragment_header, piece], outbox.datagram())?;
        offset += piece.len();
        rest = after;
        if rest.is_empty() {
            return Ok(());
        }
    }
}

/// No message of ours comes near 2^24 bytes.
fn u24(number: usize) -> [u8; 3] {
    let [_, bytes @ ..] = u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes();
    bytes
}
