//! The borrowed view of a message (RFC 8489 section 5): decoded once, in one pass, without allocation.
//!
//! Says what the bytes mean, not whether anyone should act on them.

use std::{fmt, net::SocketAddr};

use crate::{
    Attribute, AttributeType, Attributes, Error, ErrorCode, IntegrityKey, MessageType, TransactionId,
    Verified, address,
    attribute::{self, Scope},
    error_code, fingerprint, integrity,
};

/// The header: type, length, magic cookie, transaction id.
pub const HEADER_LEN: usize = 20;

/// The fixed value in bytes 4 to 7 of every message.
pub const MAGIC_COOKIE: u32 = 0x2112_a442;

/// Whether a datagram is STUN by its first eight bytes: two zero bits and the magic cookie.
///
/// Enough to choose who looks at it next (RFC 7983); [`Message::decode`] may still refuse it.
#[must_use]
pub fn is_stun(datagram: &[u8]) -> bool {
    let Some(&[first, _, _, _, a, b, c, d]) = datagram.first_chunk() else { return false };
    first & 0b1100_0000 == 0 && u32::from_be_bytes([a, b, c, d]) == MAGIC_COOKIE
}

/// A message whose structure is sound, borrowed from its datagram.
///
/// Where an attribute occurs twice the first one counts, and what stands behind MESSAGE-INTEGRITY does not count at
/// all (RFC 8489 sections 14 and 14.5). Each reader of an attribute walks the attributes anew.
#[derive(Clone, Copy)]
pub struct Message<'a> {
    header: &'a [u8; HEADER_LEN],
    body: &'a [u8],
    kind: MessageType,
    transaction_id: TransactionId,
    integrity: Option<Integrity<'a>>,
    fingerprint: Option<Fingerprint<'a>>,
}

impl<'a> Message<'a> {
    /// Reads one message that fills the whole datagram.
    ///
    /// # Errors
    /// In this order: [`NotStun`](Error::NotStun), [`LengthMismatch`](Error::LengthMismatch), then what the first bad
    /// attribute shows: [`AttributeOverrun`](Error::AttributeOverrun),
    /// [`FingerprintNotLast`](Error::FingerprintNotLast), or [`Malformed`](Error::Malformed) for a MESSAGE-INTEGRITY
    /// or FINGERPRINT of a wrong size. Other values are looked at only when they are asked for.
    pub fn decode(datagram: &'a [u8]) -> Result<Self, Error> {
        let (header, body) = datagram.split_first_chunk::<HEADER_LEN>().ok_or(Error::NotStun)?;
        let [type_high, type_low, length_high, length_low, c0, c1, c2, c3, transaction_id @ ..] = *header;
        if u32::from_be_bytes([c0, c1, c2, c3]) != MAGIC_COOKIE {
            return Err(Error::NotStun);
        }
        let message_type =
            MessageType::from_wire(u16::from_be_bytes([type_high, type_low])).ok_or(Error::NotStun)?;
        let length = u16::from_be_bytes([length_high, length_low]);
        if length % 4 != 0 || usize::from(length) != body.len() {
            return Err(Error::LengthMismatch);
        }
        let mut message = Self {
            header,
            body,
            kind: message_type,
            transaction_id: TransactionId::from(transaction_id),
            integrity: None,
            fingerprint: None,
        };
        message.walk(datagram)?;
        Ok(message)
    }

    /// Class and method.
    #[must_use]
    pub const fn message_type(&self) -> MessageType {
        self.kind
    }

    /// The transaction id.
    #[must_use]
    pub const fn transaction_id(&self) -> TransactionId {
        self.transaction_id
    }

    /// The attributes that count, in wire order.
    #[must_use]
    pub const fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.body)
    }

    /// The value of the first attribute of this type that counts.
    #[must_use]
    pub fn attribute(&self, attribute_type: AttributeType) -> Option<&'a [u8]> {
        self.attributes()
            .find(|attribute| attribute.attribute_type == attribute_type)
            .map(|attribute| attribute.value)
    }

    /// The types that must be understood (RFC 8489 section 14) and are not among `understood`, in wire order: what a
    /// 420 lists in UNKNOWN-ATTRIBUTES. MESSAGE-INTEGRITY and MESSAGE-INTEGRITY-SHA256 are understood here.
    pub fn unknown_required<'m>(
        &'m self,
        understood: &'m [AttributeType],
    ) -> impl Iterator<Item = AttributeType> + 'm {
        self.attributes().map(|attribute| attribute.attribute_type).filter(|unknown| {
            unknown.is_comprehension_required()
                && *unknown != AttributeType::MESSAGE_INTEGRITY
                && *unknown != AttributeType::MESSAGE_INTEGRITY_SHA256
                && !understood.contains(unknown)
        })
    }

    /// USERNAME: UTF-8 of at most 763 bytes (RFC 8489 section 14.3). In ICE, `receiver's ufrag ":" sender's ufrag`.
    ///
    /// # Errors
    /// [`Malformed`](Error::Malformed) where it is longer or not UTF-8.
    pub fn username(&self) -> Result<Option<&'a str>, Error> {
        self.read(AttributeType::USERNAME, text)
    }

    /// SOFTWARE: a description for people, UTF-8 of at most 763 bytes (RFC 8489 section 14.14).
    ///
    /// # Errors
    /// [`Malformed`](Error::Malformed) where it is longer or not UTF-8.
    pub fn software(&self) -> Result<Option<&'a str>, Error> {
        self.read(AttributeType::SOFTWARE, text)
    }

    /// XOR-MAPPED-ADDRESS: the address that the request came from (RFC 8489 section 14.2).
    ///
    /// # Errors
    /// [`Malformed`](Error::Malformed) where family and length are not those of IPv4 or IPv6.
    pub fn xor_mapped_address(&self) -> Result<Option<SocketAddr>, Error> {
        self.read(AttributeType::XOR_MAPPED_ADDRESS, |value| address::decode_xor(value, self.transaction_id))
    }

    /// ERROR-CODE: code and reason phrase (RFC 8489 section 14.8). The phrase ends where it stops being UTF-8.
    ///
    /// # Errors
    /// [`Malformed`](Error::Malformed) where the code is not within 300 to 699.
    pub fn error_code(&self) -> Result<Option<(ErrorCode, &'a str)>, Error> {
        self.read(AttributeType::ERROR_CODE, error_code::decode)
    }

    /// UNKNOWN-ATTRIBUTES: the types that the answering side did not understand (RFC 8489 section 14.13).
    ///
    /// # Errors
    /// [`Malformed`](Error::Malformed) where it is not a list of 16-bit values.
    pub fn unknown_attributes(&self) -> Result<Option<impl Iterator<Item = AttributeType> + 'a>, Error> {
        self.read(AttributeType::UNKNOWN_ATTRIBUTES, |value| {
            let (types, rest) = value.as_chunks::<2>();
            rest.is_empty().then(|| types.iter().map(|bytes| AttributeType(u16::from_be_bytes(*bytes))))
        })
    }

    /// PRIORITY: that of the peer-reflexive candidate which this check may reveal (RFC 8445 section 7.1.1).
    ///
    /// # Errors
    /// [`Malformed`](Error::Malformed) where it is not 4 bytes.
    pub fn priority(&self) -> Result<Option<u32>, Error> {
        self.read(AttributeType::PRIORITY, |value| Some(u32::from_be_bytes(value.try_into().ok()?)))
    }

    /// USE-CANDIDATE: whether the check nominates its pair (RFC 8445 section 7.1.2). It has no value; one is ignored.
    #[must_use]
    pub fn use_candidate(&self) -> bool {
        self.attribute(AttributeType::USE_CANDIDATE).is_some()
    }

    /// ICE-CONTROLLING: the tie-breaker of a sender that believes itself controlling (RFC 8445 section 7.1.3).
    ///
    /// # Errors
    /// [`Malformed`](Error::Malformed) where it is not 8 bytes.
    pub fn ice_controlling(&self) -> Result<Option<u64>, Error> {
        self.read(AttributeType::ICE_CONTROLLING, |value| Some(u64::from_be_bytes(value.try_into().ok()?)))
    }

    /// ICE-CONTROLLED: the tie-breaker of a sender that believes itself controlled (RFC 8445 section 7.1.3).
    ///
    /// # Errors
    /// [`Malformed`](Error::Malformed) where it is not 8 bytes.
    pub fn ice_controlled(&self) -> Result<Option<u64>, Error> {
        self.read(AttributeType::ICE_CONTROLLED, |value| Some(u64::from_be_bytes(value.try_into().ok()?)))
    }

    /// Whether a MESSAGE-INTEGRITY that counts is there at all, true or false as it may be.
    #[must_use]
    pub const fn has_integrity(&self) -> bool {
        self.integrity.is_some()
    }

    /// Compares FINGERPRINT with the CRC-32 of the message (RFC 8489 section 14.7). Proves nothing about its origin.
    ///
    /// # Errors
    /// [`FingerprintMissing`](Error::FingerprintMissing) or [`FingerprintMismatch`](Error::FingerprintMismatch).
    pub fn check_fingerprint(&self) -> Result<(), Error> {
        let fingerprint = self.fingerprint.ok_or(Error::FingerprintMissing)?;
        let expected = fingerprint::compute(fingerprint.covered);
        if expected == fingerprint.crc { Ok(()) } else { Err(Error::FingerprintMismatch) }
    }

    /// Verifies MESSAGE-INTEGRITY with `key`, comparing in constant time (RFC 8489 section 14.5).
    ///
    /// # Errors
    /// [`IntegrityMissing`](Error::IntegrityMissing) or [`IntegrityMismatch`](Error::IntegrityMismatch).
    pub fn verify(self, key: &IntegrityKey) -> Result<Verified<'a>, Error> {
        integrity::verify(self, key)
    }

    /// What MESSAGE-INTEGRITY was computed over: the header says that the message ends behind it.
    pub(crate) fn protected(&self) -> Option<Protected<'a>> {
        let Integrity { body, mac, length } = self.integrity?;
        let mut header = *self.header;
        let [_, _, length_high, length_low, ..] = &mut header;
        [*length_high, *length_low] = length.to_be_bytes();
        Some(Protected { header, body, mac })
    }

    /// Visits every attribute once, so that later readers need not look for errors of structure.
    fn walk(&mut self, datagram: &'a [u8]) -> Result<(), Error> {
        let mut scope = Scope::Open;
        let mut rest = self.body;
        while !rest.is_empty() {
            let (Attribute { attribute_type, value }, after) =
                attribute::split_first(rest).ok_or(Error::AttributeOverrun)?;
            let counts = scope.admit(attribute_type);
            match attribute_type {
                AttributeType::FINGERPRINT => {
                    if !after.is_empty() {
                        return Err(Error::FingerprintNotLast);
                    }
                    let crc = value.try_into().map_err(|_| Error::Malformed(attribute_type))?;
                    let covered = before(datagram, rest);
                    self.fingerprint = Some(Fingerprint { covered, crc: u32::from_be_bytes(crc) });
                }
                AttributeType::MESSAGE_INTEGRITY if counts => {
                    let body = before(self.body, rest);
                    self.integrity = Some(Integrity {
                        body,
                        mac: value.try_into().map_err(|_| Error::Malformed(attribute_type))?,
                        length: u16::try_from(before(self.body, after).len())
                            .map_err(|_| Error::LengthMismatch)?,
                    });
                }
                _ => {}
            }
            rest = after;
        }
        Ok(())
    }

    /// The first attribute of this type that counts, as `decode` understands it.
    fn read<T>(
        &self,
        attribute_type: AttributeType,
        decode: impl FnOnce(&'a [u8]) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        self.attribute(attribute_type)
            .map(|value| decode(value).ok_or(Error::Malformed(attribute_type)))
            .transpose()
    }
}

impl fmt::Debug for Message<'_> {
    /// Types only: a value may be a credential, and the transaction may be pending.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct Types<'m>(&'m Message<'m>);
        impl fmt::Debug for Types<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_list().entries(self.0.attributes().map(|attribute| attribute.attribute_type)).finish()
            }
        }
        f.debug_struct("Message")
            .field("message_type", &self.kind)
            .field("attributes", &Types(self))
            .finish_non_exhaustive()
    }
}

/// What MESSAGE-INTEGRITY covers, ready to be hashed, and the MAC that it claims.
pub(crate) struct Protected<'a> {
    pub(crate) header: [u8; HEADER_LEN],
    pub(crate) body: &'a [u8],
    pub(crate) mac: &'a [u8; integrity::MAC_LEN],
}

/// Where MESSAGE-INTEGRITY stands.
#[derive(Clone, Copy)]
struct Integrity<'a> {
    /// The attributes before it.
    body: &'a [u8],
    mac: &'a [u8; integrity::MAC_LEN],
    /// The length of a message that would end behind it.
    length: u16,
}

/// Where FINGERPRINT stands.
#[derive(Clone, Copy)]
struct Fingerprint<'a> {
    /// The datagram up to it.
    covered: &'a [u8],
    crc: u32,
}

/// The part of `whole` that precedes its own tail `rest`.
fn before<'a>(whole: &'a [u8], rest: &[u8]) -> &'a [u8] {
    whole.get(..whole.len().saturating_sub(rest.len())).unwrap_or(whole)
}

/// Text as USERNAME and SOFTWARE hold it.
fn text(value: &[u8]) -> Option<&str> {
    if value.len() > MAX_TEXT_LEN { None } else { str::from_utf8(value).ok() }
}

/// RFC 8489 sections 14.3 and 14.14: what a receiver has to be able to read.
const MAX_TEXT_LEN: usize = 763;
