//! `srtp` with any bytes, under known keys, so that exploring can find packets that open.
//!
//! The first byte chooses profile and kind, the rest is a packet. Received packets: the copying and the in-place
//! function agree, the copying one leaves the packet intact, and a packet opens at most once. Sent packets: the packet
//! opens to the same bytes, and with a bit flipped it does not open.

use srtp::{Discard, Inbound, Options, Outbound, RtpHeader};
use srtp_keys::{MasterKey, Profile};

use crate::input::Input;

const PROFILES: [Profile; 4] =
    [Profile::Aes128CmSha1_80, Profile::Aes128CmSha1_32, Profile::AeadAes128Gcm, Profile::AeadAes256Gcm];

/// The module documentation describes the input and the checks.
pub fn srtp_unprotect(data: &[u8]) {
    let mut input = Input::new(data);
    let choice = input.byte();
    let profile = PROFILES[usize::from(choice & 3)];
    let key = vec![0x11; profile.key_len()];
    let salt = vec![0x22; profile.salt_len()];
    let key = MasterKey::new(profile, &key, &salt).expect("the lengths are the profile's");
    let packet = input.rest();
    if choice & 4 == 0 {
        rtp_received(&key, packet);
        rtp_sent(&key, packet);
    } else {
        rtcp_received(&key, packet);
        rtcp_sent(&key, packet);
    }
}

fn inbound(key: &MasterKey) -> Inbound {
    Inbound::new(key, &Options::default())
}

fn rtp_received(key: &MasterKey, packet: &[u8]) {
    let Ok(header) = RtpHeader::parse(packet) else { return };
    assert!(header.len() <= packet.len());
    assert_eq!(header.csrcs(packet).count(), usize::from(header.csrc_count()));
    if let Some(extension) = header.extension() {
        assert_eq!(extension.data(packet).len(), extension.len());
        assert_eq!(extension.offset() + extension.len(), header.len());
    }
    let mut destroyed = packet.to_vec();
    let opened = inbound(key).unprotect_rtp(&header, &mut destroyed);
    let mut spared = packet.to_vec();
    let mut context = inbound(key);
    assert_eq!(context.try_unprotect_rtp(&header, &mut spared, &mut Vec::new()), opened);
    match opened {
        Ok(payload) => {
            assert_eq!(spared[..payload.end], destroyed[..payload.end]);
            assert_eq!(payload.start, header.len());
            let _ = header.unpadded(&spared[payload]);
            let mut again = packet.to_vec();
            assert_eq!(context.unprotect_rtp(&header, &mut again), Err(Discard::Replayed));
        }
        Err(_) => assert_eq!(spared, packet),
    }
}

fn rtp_sent(key: &MasterKey, packet: &[u8]) {
    let mut protected = packet.to_vec();
    let Ok(len) = Outbound::new(key, &Options::default()).protect_rtp_in_place(&mut protected, 0) else {
        assert_eq!(protected, packet, "a refused packet is left as it was");
        return;
    };
    assert_eq!(len, protected.len());
    let header = RtpHeader::parse(&protected).expect("what we protect has a header");

    let mut flipped = protected.clone();
    flip(&mut flipped);
    if let Ok(header) = RtpHeader::parse(&flipped) {
        assert!(inbound(key).unprotect_rtp(&header, &mut flipped).is_err());
    }
    let payload = inbound(key).unprotect_rtp(&header, &mut protected).expect("what we protect opens");
    assert_eq!(&protected[..payload.end], packet);
}

fn rtcp_received(key: &MasterKey, packet: &[u8]) {
    let mut destroyed = packet.to_vec();
    let opened = inbound(key).unprotect_rtcp(&mut destroyed);
    let mut spared = packet.to_vec();
    let mut context = inbound(key);
    assert_eq!(context.try_unprotect_rtcp(&mut spared, &mut Vec::new()), opened);
    match opened {
        Ok(compound) => {
            assert_eq!(spared[compound.clone()], destroyed[compound]);
            assert_eq!(context.unprotect_rtcp(&mut packet.to_vec()), Err(Discard::Replayed));
        }
        Err(_) => assert_eq!(spared, packet),
    }
}

fn rtcp_sent(key: &MasterKey, compound: &[u8]) {
    let mut protected = Vec::new();
    let Ok(len) = Outbound::new(key, &Options::default()).protect_rtcp(compound, &mut protected) else {
        assert!(protected.is_empty());
        return;
    };
    assert_eq!(len, protected.len());
    let mut flipped = protected.clone();
    flip(&mut flipped);
    assert!(inbound(key).unprotect_rtcp(&mut flipped).is_err());
    let opened = inbound(key).unprotect_rtcp(&mut protected).expect("what we protect opens");
    assert_eq!(&protected[opened], compound);
}

/// Flips one bit, which the bytes choose.
fn flip(bytes: &mut [u8]) {
    let at = bytes.iter().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(*byte)));
    let position = at / 8 % bytes.len();
    bytes[position] ^= 1 << (at % 8);
}
