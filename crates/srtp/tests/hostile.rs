//! Forged and damaged packets: discarded for the right reason, without effect.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "fixtures fail like the test itself")]

use proptest::prelude::*;
use srtp::{Discard, Inbound, Options, Outbound, RtpHeader, is_rtcp};
use srtp_keys::{DtlsRole, KeyingMaterial, Profile};

/// An association with some history, and one packet of each kind in flight.
struct World {
    alice: Outbound,
    bob: Inbound,
    rtp: Vec<u8>,
    rtcp: Vec<u8>,
}

impl World {
    fn new(profile: Profile) -> Self {
        let (client, server) =
            (keys(profile, 0).split(DtlsRole::Client), keys(profile, 0).split(DtlsRole::Server));
        let options = Options { max_streams: 2, ..Options::default() };
        let mut world = Self {
            alice: Outbound::new(&client.outbound, &options),
            bob: Inbound::new(&server.inbound, &options),
            rtp: Vec::new(),
            rtcp: Vec::new(),
        };
        for sequence_number in [65_534, 65_535, 0] {
            let packet = world.sealed_rtp(sequence_number);
            assert_eq!(world.receive(&packet), Ok(()));
        }
        world.rtp = world.sealed_rtp(1);
        world.alice.protect_rtcp(REPORT, &mut world.rtcp).unwrap();
        world
    }

    fn sealed_rtp(&mut self, sequence_number: u16) -> Vec<u8> {
        let mut header = HEADER.to_vec();
        header[2..4].copy_from_slice(&sequence_number.to_be_bytes());
        let mut out = Vec::new();
        self.alice.protect_rtp(&header, b"a payload of some length", &mut out).unwrap();
        out
    }

    /// Unprotects a packet in both ways. They must agree, and the `try_` form must not change a discarded packet.
    fn receive(&mut self, packet: &[u8]) -> Result<(), Discard> {
        let (mut intact, mut scratch) = (packet.to_vec(), Vec::new());
        let outcome = if is_rtcp(packet) {
            self.bob.try_unprotect_rtcp(&mut intact, &mut scratch).map(drop)
        } else {
            RtpHeader::parse(packet)
                .and_then(|header| self.bob.try_unprotect_rtp(&header, &mut intact, &mut scratch).map(drop))
        };
        if outcome.is_err() {
            assert_eq!(intact, packet, "a discarded packet was touched");
            let mut careless = packet.to_vec();
            let again = if is_rtcp(packet) {
                self.bob.unprotect_rtcp(&mut careless).map(drop)
            } else {
                RtpHeader::parse(packet)
                    .and_then(|header| self.bob.unprotect_rtp(&header, &mut careless).map(drop))
            };
            assert_eq!(again, outcome);
        }
        outcome
    }

    /// The two packets in flight still arrive, once.
    fn assert_unchanged(mut self) {
        let (rtp, rtcp) = (self.rtp.clone(), self.rtcp.clone());
        assert_eq!((self.bob.rtp_packets(), self.bob.rtcp_packets()), (3, 0));
        assert_eq!((self.receive(&rtp), self.receive(&rtcp)), (Ok(()), Ok(())));
        assert_eq!(self.receive(&rtp), Err(Discard::Replayed));
    }
}

#[test]
fn each_flipped_bit_is_detected() {
    for profile in Profile::PREFERENCE {
        let mut world = World::new(profile);
        for packet in [world.rtp.clone(), world.rtcp.clone()] {
            for bit in 0..packet.len() * 8 {
                let mut forged = packet.clone();
                forged[bit / 8] ^= 0x80 >> (bit % 8);
                let discard = world.receive(&forged).expect_err("a flipped bit");
                let explained = matches!(
                    discard,
                    Discard::Malformed
                        | Discard::Unauthenticated
                        | Discard::NotEncrypted
                        | Discard::TooOld
                        | Discard::Replayed
                );
                assert!(explained, "{profile}, bit {bit}: {discard:?}");
            }
        }
        world.assert_unchanged();
    }
}

#[test]
fn truncated_packet_is_malformed_or_unauthenticated() {
    for profile in Profile::PREFERENCE {
        let mut world = World::new(profile);
        for packet in [world.rtp.clone(), world.rtcp.clone()] {
            for len in 0..packet.len() {
                let discard = world.receive(&packet[..len]).expect_err("a cut packet");
                let explained =
                    matches!(discard, Discard::Malformed | Discard::Unauthenticated | Discard::NotEncrypted);
                assert!(explained, "{profile}, {len} bytes: {discard:?}");
            }
        }
        world.assert_unchanged();
    }
}

#[test]
fn packet_longer_than_a_datagram_is_malformed() {
    for profile in Profile::PREFERENCE {
        let mut world = World::new(profile);
        for start in [UNKNOWN_STREAM, REPORT] {
            for (len, discard) in [(65_536, Discard::Malformed), (65_535, Discard::Unauthenticated)] {
                let mut packet = start.to_vec();
                packet.resize(len, 0xff);
                assert_eq!(world.receive(&packet), Err(discard), "{profile}, {len} bytes");
            }
        }
        world.assert_unchanged();
    }
}

#[test]
fn forged_streams_are_not_added() {
    for profile in Profile::PREFERENCE {
        let mut world = World::new(profile);
        for ssrc in 0..1_000_u32 {
            for packet in [world.rtp.clone(), world.rtcp.clone()] {
                let at = if is_rtcp(&packet) { 4 } else { 8 };
                let mut forged = packet;
                forged[at..at + 4].copy_from_slice(&ssrc.to_be_bytes());
                assert_eq!(world.receive(&forged), Err(Discard::Unauthenticated));
            }
        }
        world.assert_unchanged();
    }
}

#[test]
fn forged_sequence_number_does_not_move_the_window() {
    for profile in Profile::PREFERENCE {
        let mut world = World::new(profile);
        for jump in [2_u16, 100, 32_767] {
            let mut forged = world.rtp.clone();
            forged[2..4].copy_from_slice(&jump.to_be_bytes());
            assert_eq!(world.receive(&forged), Err(Discard::Unauthenticated));
        }
        world.assert_unchanged();
    }
}

//= rfc5764-4.2-server-reads
//= rfc5764-4.2-client-reads
//= rfc5764-5.2-no-key-fits
#[test]
fn packet_of_another_direction_or_association_is_discarded() {
    for profile in Profile::PREFERENCE {
        let mut world = World::new(profile);
        let other_direction = keys(profile, 0).split(DtlsRole::Server).outbound;
        let other_association = keys(profile, 1).split(DtlsRole::Client).outbound;
        for key in [other_direction, other_association] {
            let mut stranger = Outbound::new(&key, &Options::default());
            let mut rtp = Vec::new();
            stranger.protect_rtp(UNKNOWN_STREAM, b"a payload", &mut rtp).unwrap();
            let mut rtcp = Vec::new();
            stranger.protect_rtcp(REPORT, &mut rtcp).unwrap();
            for packet in [rtp, rtcp] {
                assert_eq!(world.receive(&packet), Err(Discard::Unauthenticated));
            }
        }
        world.assert_unchanged();
    }
}

proptest! {
    #[test]
    fn random_bytes_of_any_size_are_discarded(
        profile in any_profile(),
        packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..20),
        plausible in any::<bool>(),
    ) {
        let mut world = World::new(profile);
        for mut packet in packets {
            if let (true, Some(first)) = (plausible, packet.first_mut()) {
                *first = *first & 0x3f | 0x80;
            }
            prop_assert!(world.receive(&packet).is_err());
        }
        world.assert_unchanged();
    }

    #[test]
    fn mutations_of_valid_packets_are_discarded(
        profile in any_profile(),
        rtcp in any::<bool>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
        appended in prop::collection::vec(any::<u8>(), 0..5),
    ) {
        let mut world = World::new(profile);
        let original = if rtcp { world.rtcp.clone() } else { world.rtp.clone() };
        let mut packet = original.clone();
        for (place, value) in edits {
            let place = place.index(packet.len());
            packet[place] = value;
        }
        packet.extend(appended);
        prop_assume!(packet != original);
        prop_assert!(world.receive(&packet).is_err());
        world.assert_unchanged();
    }

    #[test]
    fn protected_packets_unprotect_to_the_original(
        profile in any_profile(),
        csrcs in prop::collection::vec(any::<u32>(), 0..16),
        extension in prop::option::of(prop::collection::vec(any::<[u8; 4]>(), 0..20)),
        marker_and_type in any::<u8>(),
        ssrc in any::<u32>(),
        start in any::<u16>(),
        order in Just((0..40_u16).collect::<Vec<_>>()).prop_shuffle(),
        payload in prop::collection::vec(any::<u8>(), 0..1_500),
    ) {
        let (client, server) =
            (keys(profile, 0).split(DtlsRole::Client), keys(profile, 0).split(DtlsRole::Server));
        let mut alice = Outbound::new(&client.outbound, &Options::default());
        let mut triplet = Outbound::new(&client.outbound, &Options::default());
        let mut twin = Outbound::new(&client.outbound, &Options::default());
        let mut bob = Inbound::new(&server.inbound, &Options::default());
        // Each side's window starts with its first packet, so the first packet comes first.
        let start = start.clamp(0, u16::MAX - 1);
        let mut scratch = Vec::new();
        for step in [0].into_iter().chain(order.into_iter().filter(|step| *step != 0)) {
            let mut header = vec![0x80 | u8::try_from(csrcs.len()).unwrap(), marker_and_type];
            if extension.is_some() {
                header[0] |= 0x10;
            }
            header.extend(start.wrapping_add(step).to_be_bytes());
            header.extend(u32::from(step).to_be_bytes());
            header.extend(ssrc.to_be_bytes());
            header.extend(csrcs.iter().flat_map(|csrc| csrc.to_be_bytes()));
            if let Some(words) = &extension {
                header.extend([0xbe, 0xde]);
                header.extend(u16::try_from(words.len()).unwrap().to_be_bytes());
                header.extend(words.as_flattened());
            }
            let mut packet = Vec::new();
            let len = alice.protect_rtp(&header, &payload, &mut packet).unwrap();
            prop_assert_eq!(len, packet.len());
            prop_assert_eq!(&packet[..header.len()], &header);

            // Every way of protecting gives the same bytes.
            let mut behind_header = header.clone();
            prop_assert_eq!(twin.protect_rtp_payload(&mut behind_header, 0, &payload).unwrap(), len);
            prop_assert_eq!(&behind_header, &packet);
            let mut in_place = [&header[..], &payload].concat();
            prop_assert_eq!(triplet.protect_rtp_in_place(&mut in_place, 0).unwrap(), len);
            prop_assert_eq!(&in_place, &packet);

            let parsed = RtpHeader::parse(&packet).unwrap();
            let range = bob.try_unprotect_rtp(&parsed, &mut packet, &mut scratch).unwrap();
            prop_assert_eq!(range.start, header.len());
            prop_assert_eq!(&packet[range], &payload);
        }
    }

    #[test]
    fn protected_reports_unprotect_to_the_original(
        profile in any_profile(),
        ssrc in any::<u32>(),
        body in prop::collection::vec(any::<u8>(), 0..1_400),
    ) {
        let mut world = World::new(profile);
        let compound = [&[0x80, 200, 0, 1][..], &ssrc.to_be_bytes(), &body].concat();
        let mut packet = b"before".to_vec();
        world.alice.protect_rtcp(&compound, &mut packet).unwrap();
        prop_assert_eq!(packet.len(), 6 + compound.len() + 4 + profile.rtcp_tag_len());
        let range = world.bob.unprotect_rtcp(&mut packet[6..]).unwrap();
        prop_assert_eq!(&packet[6..][range], &compound);
    }
}

/// Keying material without two equal bytes.
fn keys(profile: Profile, first: u8) -> KeyingMaterial {
    let exported: Vec<u8> = (first..).take(profile.keying_material_len()).collect();
    KeyingMaterial::new(profile, &exported).unwrap()
}

fn any_profile() -> impl Strategy<Value = Profile> {
    prop::sample::select(Profile::PREFERENCE.to_vec())
}

const HEADER: &[u8] = &[0x80, 96, 0, 0, 0, 0, 0, 1, 0xca, 0xfe, 0xba, 0xbe];
const UNKNOWN_STREAM: &[u8] = &[0x80, 96, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1];
const REPORT: &[u8] = &[0x80, 201, 0, 1, 0xca, 0xfe, 0xba, 0xbe];
