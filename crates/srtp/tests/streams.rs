//! Streams: rollover of sequence numbers, late packets, duplicates and losses.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "fixtures fail like the test itself")]

use srtp::{Discard, Error, Inbound, Options, Outbound, RtpHeader};
use srtp_keys::{DtlsRole, KeyingMaterial, Profile};

#[test]
fn stream_survives_two_rollovers() {
    for profile in Profile::PREFERENCE {
        let (mut alice, mut bob) = association(profile, &Options::default());
        for step in 0..150_000_u32 {
            let sequence_number = u16::try_from((step + 30_000) % 65_536).unwrap();
            // Most packets are lost; those that arrive are less than half the range apart.
            let packet = protect(&mut alice, 7, sequence_number, b"media").unwrap();
            if step % 9_973 == 0 {
                assert_eq!(unprotect(&mut bob, &packet), Ok(b"media".to_vec()), "{profile} {step}");
            }
        }
    }
}

#[test]
fn reordered_packets_at_a_rollover_arrive() {
    let (mut alice, mut bob) = association(Profile::AeadAes128Gcm, &Options::default());
    let numbers = [65_530, 65_533, 2, 65_534, 0, 65_535, 1, 3];
    for number in numbers {
        let packet = protect(&mut alice, 7, number, &number.to_be_bytes()).unwrap();
        assert_eq!(unprotect(&mut bob, &packet), Ok(number.to_be_bytes().to_vec()));
    }
}

#[test]
fn packet_before_the_first_rollover_counter_has_no_index() {
    let (mut alice, mut bob) = association(Profile::AeadAes128Gcm, &Options::default());
    let first = protect(&mut alice, 7, 0, b"").unwrap();
    unprotect(&mut bob, &first).unwrap();
    // 65,535 is one before 0, where no rollover counter exists.
    assert_eq!(protect(&mut alice, 7, 65_535, b""), Err(Error::IndexReused));

    let (mut stranger, _) = association(Profile::AeadAes128Gcm, &Options::default());
    let before = protect(&mut stranger, 7, 65_535, b"").unwrap();
    assert_eq!(unprotect(&mut bob, &before), Err(Discard::TooOld));
}

#[test]
fn packet_before_the_oldest_of_the_window_is_too_old() {
    let (mut alice, mut bob) =
        association(Profile::Aes128CmSha1_80, &Options { replay_window: 64, ..Options::default() });
    let (mut early, _) = association(Profile::Aes128CmSha1_80, &Options::default());
    let packets: Vec<_> = (0..=64).map(|number| protect(&mut early, 7, number, b"x").unwrap()).collect();
    unprotect(&mut bob, &packets[64]).unwrap();
    assert_eq!(unprotect(&mut bob, &packets[1]), Ok(b"x".to_vec()));
    assert_eq!(unprotect(&mut bob, &packets[0]), Err(Discard::TooOld));

    protect(&mut alice, 7, 64, b"x").unwrap();
    assert!(protect(&mut alice, 7, 1, b"x").is_ok());
    assert_eq!(protect(&mut alice, 7, 0, b"x"), Err(Error::IndexReused));
}

#[test]
fn packet_is_accepted_once() {
    for profile in Profile::PREFERENCE {
        let (mut alice, mut bob) = association(profile, &Options::default());
        let rtp = protect(&mut alice, 7, 1, b"media").unwrap();
        unprotect(&mut bob, &rtp).unwrap();
        assert_eq!(unprotect(&mut bob, &rtp), Err(Discard::Replayed));

        let mut rtcp = Vec::new();
        alice.protect_rtcp(&report(7), &mut rtcp).unwrap();
        bob.unprotect_rtcp(&mut rtcp.clone()).unwrap();
        assert_eq!(bob.unprotect_rtcp(&mut rtcp), Err(Discard::Replayed));
        assert_eq!((bob.rtp_packets(), bob.rtcp_packets()), (1, 1));
    }
}

//= rfc5764-3-distinct-ssrcs
#[test]
fn index_is_used_once_and_refusal_has_no_effect() {
    for profile in Profile::PREFERENCE {
        let (mut alice, _) = association(profile, &Options::default());
        let mut out = b"before".to_vec();
        alice.protect_rtp(&header(7, 1), b"first", &mut out).unwrap();
        let sealed = out.clone();
        // Even identical content is refused: a retransmission sends the protected bytes again.
        for payload in [&b"first"[..], b"second"] {
            assert_eq!(alice.protect_rtp(&header(7, 1), payload, &mut out), Err(Error::IndexReused));
            assert_eq!(out, sealed);
        }
        // Another stream has its own indexes.
        assert!(alice.protect_rtp(&header(8, 1), b"second", &mut out).is_ok());
        assert_eq!(alice.rtp_packets(), 2);
    }
}

#[test]
fn excess_stream_is_refused_and_the_others_continue() {
    let options = Options { max_streams: 2, ..Options::default() };
    let (mut alice, mut bob) = association(Profile::AeadAes256Gcm, &options);
    let (mut generous, _) = association(Profile::AeadAes256Gcm, &Options::default());
    for ssrc in [1, 2] {
        unprotect(&mut bob, &protect(&mut alice, ssrc, 1, b"").unwrap()).unwrap();
    }
    assert_eq!(protect(&mut alice, 3, 1, b""), Err(Error::TooManyStreams));
    let third = protect(&mut generous, 3, 1, b"").unwrap();
    assert_eq!(unprotect(&mut bob, &third), Err(Discard::TooManyStreams));
    unprotect(&mut bob, &protect(&mut alice, 1, 2, b"").unwrap()).unwrap();
}

#[test]
fn retired_stream_frees_its_place_and_stays_retired() {
    let options = Options { max_streams: 1, ..Options::default() };
    let (mut alice, mut bob) = association(Profile::AeadAes128Gcm, &options);
    let old = protect(&mut alice, 1, 1, b"").unwrap();
    unprotect(&mut bob, &old).unwrap();

    assert_eq!((alice.retire(1), bob.retire(1)), (Ok(true), Ok(true)));
    assert_eq!((alice.retire(1), bob.retire(1)), (Ok(false), Ok(false)));
    unprotect(&mut bob, &protect(&mut alice, 2, 1, b"").unwrap()).unwrap();
    assert_eq!(unprotect(&mut bob, &old), Err(Discard::RetiredSsrc));
    assert_eq!(protect(&mut alice, 1, 1, b"other"), Err(Error::RetiredSsrc));
}

#[test]
fn retirement_ends_the_reports_of_an_ssrc_too() {
    let (mut alice, mut bob) = association(Profile::AeadAes128Gcm, &Options::default());
    assert!(!bob.knows_stream(1));
    let mut first = Vec::new();
    alice.protect_rtcp(&report(1), &mut first).unwrap();
    bob.unprotect_rtcp(&mut first).unwrap();
    assert!(bob.knows_stream(1));

    assert_eq!(bob.retire(1), Ok(true));
    assert!(!bob.knows_stream(1));
    let mut second = Vec::new();
    alice.protect_rtcp(&report(1), &mut second).unwrap();
    assert_eq!(bob.unprotect_rtcp(&mut second), Err(Discard::RetiredSsrc));
}

#[test]
fn reports_have_their_own_window_and_limit() {
    let options = Options { replay_window: 64, max_streams: 1, ..Options::default() };
    let (mut alice, mut bob) = association(Profile::Aes128CmSha1_80, &options);
    let mut reports: Vec<_> = (0..=64)
        .map(|_| {
            let mut packet = Vec::new();
            alice.protect_rtcp(&report(1), &mut packet).unwrap();
            packet
        })
        .collect();
    assert_eq!(bob.unprotect_rtcp(&mut reports[64]), Ok(0..8));
    assert_eq!(bob.unprotect_rtcp(&mut reports[1]), Ok(0..8));
    assert_eq!(bob.unprotect_rtcp(&mut reports[0]), Err(Discard::TooOld));

    let mut other = Vec::new();
    alice.protect_rtcp(&report(2), &mut other).unwrap();
    assert_eq!(bob.unprotect_rtcp(&mut other), Err(Discard::TooManyStreams));
    // A stream of media is not a stream of reports, so this is the first one.
    unprotect(&mut bob, &protect(&mut alice, 2, 1, b"").unwrap()).unwrap();
}

#[test]
fn limit_of_retired_streams_refuses_the_next() {
    let options = Options { max_retired: 1, ..Options::default() };
    let (mut alice, _) = association(Profile::AeadAes128Gcm, &options);
    for ssrc in [1, 2] {
        protect(&mut alice, ssrc, 1, b"").unwrap();
    }
    alice.retire(1).unwrap();
    assert_eq!(alice.retire(2), Err(Error::TooManyStreams));
    assert_eq!(protect(&mut alice, 2, 1, b""), Err(Error::IndexReused));
    assert!(protect(&mut alice, 2, 2, b"").is_ok());
}

#[test]
fn reports_of_all_senders_share_one_index() {
    let (mut alice, mut bob) = association(Profile::Aes128CmSha1_32, &Options::default());
    let mut sealed = Vec::new();
    for ssrc in [1, 2, 1] {
        let mut packet = Vec::new();
        alice.protect_rtcp(&report(ssrc), &mut packet).unwrap();
        let (_, trailer) = packet.split_at(report(ssrc).len());
        sealed.push(trailer[..4].to_vec());
        let compound = bob.unprotect_rtcp(&mut packet).unwrap();
        assert_eq!(packet[compound], report(ssrc));
    }
    assert_eq!(sealed, [[0x80, 0, 0, 0], [0x80, 0, 0, 1], [0x80, 0, 0, 2]]);
}

#[test]
fn failed_command_changes_neither_buffer_nor_context() {
    for profile in Profile::PREFERENCE {
        let (mut alice, _) = association(profile, &Options::default());
        let mut out = b"before".to_vec();
        let before = out.clone();
        let too_long = vec![0; 65_535 - 12 - profile.rtp_tag_len() + 1];
        for (header, payload, error) in [
            (&header(7, 1)[..11], &b""[..], Error::Malformed),
            (&[header(7, 1), vec![0]].concat(), b"", Error::Malformed),
            (&[vec![0x40], header(7, 1)[1..].to_vec()].concat(), b"", Error::Malformed),
            (&header(7, 1), &too_long, Error::TooLarge),
        ] {
            assert_eq!(alice.protect_rtp(header, payload, &mut out), Err(error));
            assert_eq!(out, before);
        }
        assert_eq!(alice.protect_rtp_in_place(&mut out, 7), Err(Error::Malformed));
        assert_eq!(alice.protect_rtp_payload(&mut out, 0, b"no header"), Err(Error::Malformed));
        assert_eq!(alice.protect_rtp_payload(&mut out, 7, b"past the end"), Err(Error::Malformed));
        assert_eq!(alice.protect_rtp_in_place(&mut out, 0), Err(Error::Malformed));
        // RTP instead of RTCP: the receiver would parse it as RTP.
        assert_eq!(alice.protect_rtcp(&header(7, 1), &mut out), Err(Error::Malformed));
        assert_eq!(alice.protect_rtcp(&report(7)[..7], &mut out), Err(Error::Malformed));
        assert_eq!(out, before);

        assert!(alice.protect_rtp(&header(7, 1), &too_long[1..], &mut out).is_ok(), "the longest packet");
        assert_eq!((alice.rtp_packets(), alice.rtcp_packets()), (1, 0));
    }
}

fn association(profile: Profile, options: &Options) -> (Outbound, Inbound) {
    let exported: Vec<u8> = (0..profile.keying_material_len()).map(|i| u8::try_from(i).unwrap()).collect();
    let keys = KeyingMaterial::new(profile, &exported).unwrap();
    let (client, server) = (keys.clone().split(DtlsRole::Client), keys.split(DtlsRole::Server));
    (Outbound::new(&client.outbound, options), Inbound::new(&server.inbound, options))
}

fn header(ssrc: u32, sequence_number: u16) -> Vec<u8> {
    let mut header = vec![0x80, 96];
    header.extend(sequence_number.to_be_bytes());
    header.extend([0, 0, 0, 0]);
    header.extend(ssrc.to_be_bytes());
    header
}

/// An empty receiver report.
fn report(ssrc: u32) -> Vec<u8> {
    let mut report = vec![0x80, 201, 0, 1];
    report.extend(ssrc.to_be_bytes());
    report
}

fn protect(
    outbound: &mut Outbound,
    ssrc: u32,
    sequence_number: u16,
    payload: &[u8],
) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    outbound.protect_rtp(&header(ssrc, sequence_number), payload, &mut out)?;
    Ok(out)
}

fn unprotect(inbound: &mut Inbound, packet: &[u8]) -> Result<Vec<u8>, Discard> {
    let mut packet = packet.to_vec();
    let header = RtpHeader::parse(&packet)?;
    let payload = inbound.unprotect_rtp(&header, &mut packet)?;
    Ok(packet[payload].to_vec())
}
