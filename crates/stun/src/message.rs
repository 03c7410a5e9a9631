//! The borrowed view of a message (RFC 8489 section 5): decoded once, in one pass, without allocation.
//!
//! Knows the meaning of the bytes. Does not decide whether to act on a message.

use std::{fmt, net::SocketAddr};

use crate::{
    Attribute, AttributeType, Attributes, Error, ErrorCode, IntegrityKey, MessageType, TransactionId,
    Verified, address,
    attribute::{self, Scope},
    error_code, fingerprint, integrity,
};

/// The length of the header: type, length, magic cookie, transaction id.
pub const HEADER_LEN: usize = 20;

/// The fixed value in bytes 4 to 7 of every message.
pub const MAGIC_COOKIE: u32 = 0x2112_a442;

/// Returns whether a datagram is STUN by its first eight bytes: two zero bits and the magic cookie.
///
/// Sufficient to select the next protocol layer (RFC 7983). [`Message::decode`] may still reject the datagram.
#[must_use]
pub fn is_stun(datagram: &[u8]) -> bool {
    let Some(&[first, _, _, _, a, b, c, d]) = datagram.first_chunk() else { return false };
    first & 0b1100_0000 == 0 && u32::from_be_bytes([a, b, c, d]) == MAGIC_COOKIE
}

/// A message with a valid structure, borrowed from its datagram.
///
/// Of several attributes of one type the first counts, and attributes behind MESSAGE-INTEGRITY do not count (RFC 8489
/// sections 14 and 14.5). Each reader of an attribute scans the attributes from the start.
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
    /// Decodes one message that fills the whole datagram.
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

    /// Returns class and method.
    #[must_use]
    pub const fn message_type(&self) -> MessageType {
        self.kind
    }

    /// Returns the transaction id.
    #[must_use]
    pub const fn transaction_id(&self) -> TransactionId {
        self.transaction_id
    }

    /// Returns the attributes that count, in wire order.
    #[must_use]
    pub const fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.body)
    }

    /// Returns the value of the first attribute of this type that counts.
    #[must_use]
    pub fn attribute(&self, attribute_type: AttributeType) -> Option<&'a [u8]> {
        self.attributes()
            .find(|attribute| attribute.attribute_type == attribute_type)
            .map(|attribute| attribute.value)
    }

    /// Returns the comprehension-required types (RFC 8489 section 14) that are not in `understood`, in wire order: the
    /// list for UNKNOWN-ATTRIBUTES in a 420. MESSAGE-INTEGRITY and MESSAGE-INTEGRITY-SHA256 count as understood.
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

    /// SOFTWARE: a description of the agent, UTF-8 of at most 763 bytes (RFC 8489 section 14.14).
    ///
    /// # Errors
    /// [`Malformed`](Error::Malformed) where it is longer or not UTF-8.
    pub fn software(&self) -> Result<Option<&'a str>, Error> {
        self.read(AttributeType::SOFTWARE, text)
    }

    /// XOR-MAPPED-ADDRESS: the source address of the request (RFC 8489 section 14.2).
    ///
    /// # Errors
    /// [`Malformed`](Error::Malformed) where family and length are not those of IPv4 or IPv6.
    pub fn xor_mapped_address(&self) -> Result<Option<SocketAddr>, Error> {
        self.read(AttributeType::XOR_MAPPED_ADDRESS, |value| address::decode_xor(value, self.transaction_id))
    }

    /// ERROR-CODE: code and reason phrase (RFC 8489 section 14.8). The phrase ends before the first byte that is not
    /// UTF-8.
    ///
    /// # Errors
    /// [`Malformed`](Error::Malformed) where the code is not within 300 to 699.
    pub fn error_code(&self) -> Result<Option<(ErrorCode, &'a str)>, Error> {
        self.read(AttributeType::ERROR_CODE, error_code::decode)
    }

    /// UNKNOWN-ATTRIBUTES: the types that the responding side did not understand (RFC 8489 section 14.13).
    ///
    /// # Errors
    /// [`Malformed`](Error::Malformed) where it is not a list of 16-bit values.
    pub fn unknown_attributes(&self) -> Result<Option<impl Iterator<Item = AttributeType> + 'a>, Error> {
        self.read(AttributeType::UNKNOWN_ATTRIBUTES, |value| {
            let (types, rest) = value.as_chunks::<2>();
            rest.is_empty().then(|| types.iter().map(|bytes| AttributeType(u16::from_be_bytes(*bytes))))
        })
    }

    /// PRIORITY: the priority of the peer-reflexive candidate that this check may create (RFC 8445 section 7.1.1).
    ///
    /// # Errors
    /// [`Malformed`](Error::Malformed) where it is not 4 bytes.
    pub fn priority(&self) -> Result<Option<u32>, Error> {
        self.read(AttributeType::PRIORITY, |value| Some(u32::from_be_bytes(value.try_into().ok()?)))
    }

    /// USE-CANDIDATE: whether the check nominates its pair (RFC 8445 section 7.1.2). The attribute has no value; a
    /// value is ignored.
    #[must_use]
    pub fn use_candidate(&self) -> bool {
        self.attribute(AttributeType::USE_CANDIDATE).is_some()
    }

    /// ICE-CONTROLLING: the tie-breaker of a sender in the controlling role (RFC 8445 section 7.1.3).
    ///
    /// # Errors
    /// [`Malformed`](Error::Malformed) where it is not 8 bytes.
    pub fn ice_controlling(&self) -> Result<Option<u64>, Error> {
        self.read(AttributeType::ICE_CONTROLLING, |value| Some(u64::from_be_bytes(value.try_into().ok()?)))
    }

    /// ICE-CONTROLLED: the tie-breaker of a sender in the controlled role (RFC 8445 section 7.1.3).
    ///
    /// # Errors
    /// [`Malformed`](Error::Malformed) where it is not 8 bytes.
    pub fn ice_controlled(&self) -> Result<Option<u64>, Error> {
        self.read(AttributeType::ICE_CONTROLLED, |value| Some(u64::from_be_bytes(value.try_into().ok()?)))
    }

    /// Returns whether a MESSAGE-INTEGRITY that counts is present. It may not match any key.
    #[must_use]
    pub const fn has_integrity(&self) -> bool {
        self.integrity.is_some()
    }

    /// Compares FINGERPRINT with the CRC-32 of the message (RFC 8489 section 14.7). Does not authenticate the message.
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

    /// Returns the input of MESSAGE-INTEGRITY: the header with the length of a message that ends behind it.
    pub(crate) fn protected(&self) -> Option<Protected<'a>> {
        let Integrity { body, mac, length } = self.integrity?;
        let mut header = *self.header;
        let [_, _, length_high, length_low, ..] = &mut header;
        [*length_high, *length_low] = length.to_be_bytes();
        Some(Protected { header, body, mac })
    }

    /// Scans every attribute once, so that later readers need no structural checks.
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

    /// Returns the first attribute of this type that counts, converted by `decode`.
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
    /// Shows types only: a value may be a credential, and the transaction may be pending.
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

/// The bytes that MESSAGE-INTEGRITY covers, ready to be hashed, and the MAC of the message.
pub(crate) struct Protected<'a> {
    pub(crate) header: [u8; HEADER_LEN],
    pub(crate) body: &'a [u8],
    pub(crate) mac: &'a [u8; integrity::MAC_LEN],
}

/// The position of MESSAGE-INTEGRITY.
#[derive(Clone, Copy)]
struct Integrity<'a> {
    /// The attributes before it.
    body: &'a [u8],
    mac: &'a [u8; integrity::MAC_LEN],
    /// The length field of a message that ends behind it.
    length: u16,
}

/// The position of FINGERPRINT.
#[derive(Clone, Copy)]
struct Fingerprint<'a> {
    /// The datagram before it.
    covered: &'a [u8],
    crc: u32,
}

/// Returns the part of `whole` before its own tail `rest`.
fn before<'a>(whole: &'a [u8], rest: &[u8]) -> &'a [u8] {
    whole.get(..whole.len().saturating_sub(rest.len())).unwrap_or(whole)
}

/// Returns the text of USERNAME or SOFTWARE.
fn text(value: &[u8]) -> Option<&str> {
    if value.len() > MAX_TEXT_LEN { None } else { str::from_utf8(value).ok() }
}

/// RFC 8489 sections 14.3 and 14.14: the length that a receiver must be able to read.
const MAX_TEXT_LEN: usize = 763;
