//! Malformed messages: each gives a value or a named error.

use proptest::prelude::*;
use stun::{AttributeType, Error, IntegrityKey, Message};

use crate::vectors;

/// Calls every reader of a message.
fn interrogate(datagram: &[u8]) -> Result<(), Error> {
    let message = Message::decode(datagram)?;
    assert!(stun::is_stun(datagram));
    let total: usize = message.attributes().map(|attribute| 4 + attribute.value.len()).sum();
    assert!(total <= datagram.len());
    let _ = (message.username(), message.software(), message.error_code(), message.xor_mapped_address());
    let _ =
        (message.priority(), message.ice_controlled(), message.ice_controlling(), message.use_candidate());
    let _ = message.unknown_attributes().map(|types| types.map(Iterator::count));
    let _ = message.unknown_required(&[AttributeType::PRIORITY]).count();
    let _ = format!("{message:?}");
    message.check_fingerprint()?;
    message.verify(&IntegrityKey::short_term(vectors::PASSWORD)).map(drop)
}

#[test]
fn prefix_of_a_message_is_rejected() {
    for sound in vectors::all() {
        for len in 0..sound.len() {
            let expected = if len < 20 { Error::NotStun } else { Error::LengthMismatch };
            assert_eq!(interrogate(&sound[..len]), Err(expected), "prefix of {len} bytes");
        }
    }
}

#[test]
fn prefix_with_correct_length_ends_between_attributes() {
    for sound in vectors::all() {
        for len in (20..sound.len()).step_by(4) {
            let mut prefix = sound[..len].to_vec();
            prefix[2..4].copy_from_slice(&u16::try_from(len - 20).unwrap().to_be_bytes());
            let refused = interrogate(&prefix).unwrap_err();
            assert!(
                matches!(refused, Error::AttributeOverrun | Error::FingerprintMissing),
                "prefix of {len} bytes: {refused}"
            );
        }
    }
}

#[test]
fn each_flipped_bit_of_a_protected_message_is_detected() {
    for sound in [vectors::request(), vectors::ipv4_response(), vectors::ipv6_response()] {
        interrogate(&sound).unwrap();
        for bit in 0..sound.len() * 8 {
            let mut flipped = sound.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            interrogate(&flipped).unwrap_err();
        }
    }
}

#[test]
fn integrity_alone_detects_each_flipped_bit_it_covers() {
    let sound = vectors::request();
    let key = IntegrityKey::short_term(vectors::PASSWORD);
    let covered = sound.len() - 8;
    for bit in 0..covered * 8 {
        let mut flipped = sound.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        if let Ok(message) = Message::decode(&flipped) {
            assert!(message.verify(&key).is_err(), "bit {bit}");
        }
    }
}

#[test]
fn repeated_fingerprint_is_rejected_at_the_first() {
    let mut datagram = vectors::request()[..20].to_vec();
    for _ in 0..8191 {
        datagram.extend([0x80, 0x28, 0, 4, 0, 0, 0, 0]);
    }
    datagram[2..4].copy_from_slice(&u16::try_from(8191 * 8).unwrap().to_be_bytes());
    assert_eq!(interrogate(&datagram), Err(Error::FingerprintNotLast));
}

#[test]
fn maximum_number_of_attributes_is_read() {
    let mut datagram = vectors::request()[..20].to_vec();
    datagram.extend([0x7f, 0xff, 0, 0].repeat(16_383));
    datagram[2..4].copy_from_slice(&65_532_u16.to_be_bytes());
    let message = Message::decode(&datagram).unwrap();
    assert_eq!(message.attributes().count(), 16_383);
    assert_eq!(message.unknown_required(&[]).count(), 16_383);
    assert_eq!(message.priority(), Ok(None));
}

proptest! {
    #[test]
    fn any_bytes_give_a_value_or_an_error(datagram in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = interrogate(&datagram);
    }

    #[test]
    fn any_body_behind_a_valid_header_gives_value_or_error(
        mut body in prop::collection::vec(any::<u8>(), 0..600),
        kind in 0_u16..0x4000,
    ) {
        body.truncate(body.len() & !3);
        let mut datagram = kind.to_be_bytes().to_vec();
        datagram.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
        datagram.extend([0x21, 0x12, 0xa4, 0x42]);
        datagram.extend([0; 12]);
        datagram.extend(body);
        let _ = interrogate(&datagram);
    }

    #[test]
    fn message_with_changed_bytes_gives_value_or_error(
        which in 0_usize..4,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut datagram = vectors::all()[which].clone();
        for (position, byte) in changes {
            let position = position.index(datagram.len());
            datagram[position] = byte;
        }
        let _ = interrogate(&datagram);
    }
}
