//! The life cycle of one transport: connecting, sending, refused input and commands, closing.

mod pair;

use std::time::Duration;

use pair::{Alice, Bob, Pair, Peer};
use peer_transport::{
    AssociationId, Certificate, Config, Datagram, DescriptionKind, Discard, Error, Event, Failure, Path,
    PeerTransport, Profile, RestartOptions, Seed, SendError, Side, State, WallClock,
};

#[test]
fn peers_connect_and_transfer_media_and_data() {
    let mut pair = Pair::connected();
    pair.exchange_media_for(Duration::from_millis(200));
    for who in [Alice, Bob] {
        let received: Vec<_> = pair.peer(who).received.iter().map(|(_, sequence)| *sequence).collect();
        assert_eq!(received, (1..=10).collect::<Vec<_>>(), "{who:?}");
    }
    let now = pair.now;
    pair.transport(Alice).send_data(now, b"hello").unwrap();
    pair.run_for(Duration::from_millis(50));
    assert!(pair.peer(Bob).has(|event| matches!(event, Event::Data { bytes, .. } if &bytes[..] == b"hello")));
}

#[test]
fn states_are_reported_in_order_and_keys_once() {
    let pair = Pair::connected();
    for peer in &pair.peers {
        let states: Vec<_> = peer
            .events
            .iter()
            .filter_map(|event| match event {
                Event::StateChanged(state) => Some(*state),
                _ => None,
            })
            .collect();
        assert_eq!(states, [State::Connecting, State::Connected]);
        let keys = peer.events.iter().filter(|event| matches!(event, Event::KeysChanged { .. })).count();
        assert_eq!(keys, 1);
    }
}

#[test]
fn both_sides_export_equal_keys() {
    let pair = Pair::connected();
    let [alice, bob] = pair.peers.as_slice() else { return };
    let mut ours = [0; 32];
    let mut theirs = [0; 32];
    alice.transport.export("EXPERIMENTAL-test", None, &mut ours).unwrap();
    bob.transport.export("EXPERIMENTAL-test", None, &mut theirs).unwrap();
    assert_eq!(ours, theirs);
    assert_ne!(ours, [0; 32]);
    assert_eq!(alice.transport.srtp_profile(), Some(Profile::AeadAes128Gcm));
    assert_eq!(bob.transport.srtp_profile(), Some(Profile::AeadAes128Gcm));
}

#[test]
fn rtcp_is_delivered() {
    let mut pair = Pair::connected();
    let report = [0x80, 201, 0, 1, 0, 0, 0, 9];
    let mut out = Vec::new();
    let now = pair.now;
    let transmit = pair.transport(Alice).send_rtcp(now, &report, &mut out).unwrap();
    pair.send_datagram(Alice, transmit.path, out);
    pair.run_for(Duration::from_millis(50));
    assert_eq!(pair.peer(Bob).compounds, 1);
    assert_eq!(pair.peer(Bob).transport.stats().rtcp_received.bytes, 8);
}

#[test]
fn early_client_hello_is_buffered_until_answer() {
    // Bob answers and is the DTLS client; Alice gets the answer 300 ms later.
    let mut pair = Pair::new();
    pair.offer(Alice);
    let answer = pair.peer(Bob).transport.local_parameters();
    pair.run_for(Duration::from_millis(300));
    pair.describe(Bob, DescriptionKind::Answer, answer);
    pair.run_until("both are connected", |pair| pair.both(State::Connected));
}

//= rfc5764-5.1-after-handshake
#[test]
fn wrong_fingerprint_fails_before_key_export() {
    let mut pair = Pair::new();
    let mut offer = pair.peer(Alice).transport.local_parameters();
    offer.fingerprints = vec![pair::certificate().fingerprint(peer_transport::HashAlgorithm::Sha256)];
    pair.describe(Alice, DescriptionKind::Offer, offer);
    pair.answer(Bob);
    pair.run_until("Bob refuses the certificate", |pair| pair.peer(Bob).transport.state() == State::Failed);
    assert!(pair.peer(Bob).has(|event| matches!(event, Event::Failed(Failure::Dtls { .. }))));
    assert!(!pair.peer(Bob).has(|event| matches!(event, Event::KeysChanged { .. })));
    assert!(!pair.send_packet(Bob));
    pair.run_until("Alice receives the alert", |pair| pair.peer(Alice).transport.state() == State::Failed);
}

#[test]
fn commands_in_wrong_state_change_nothing() {
    let mut pair = Pair::new();
    let now = pair.now;
    let before = format!("{:?}", pair.peer(Alice).transport.local_parameters());
    let alice = pair.transport(Alice);
    let mut out = vec![1, 2, 3];
    let header = [0x80, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1];
    assert_eq!(alice.send_rtp(now, &header, b"x", &mut out), Err(SendError::NotConnected));
    assert_eq!(out, [1, 2, 3]);
    assert_eq!(alice.send_data(now, b"x"), Err(SendError::NotConnected));
    assert_eq!(alice.restart(now, RestartOptions::default()), Err(Error::NotStarted));
    assert_eq!(alice.rollback_restart(now), Err(Error::NoRestart));
    assert_eq!(alice.state(), State::New);
    assert_eq!(format!("{:?}", alice.local_parameters()), before);
}

#[test]
fn transport_needs_certificate_or_wall_clock() {
    let made = PeerTransport::new(pair::start(), Config::default(), Vec::new(), Seed::new([9; 32]));
    assert_eq!(made.err(), Some(Error::NoCertificate));
}

#[test]
fn wall_clock_suffices_to_generate_certificate() {
    let config =
        Config { wall_clock: Some(WallClock::new(pair::start(), pair::today())), ..Config::default() };
    let made = PeerTransport::new(pair::start(), config, Vec::new(), Seed::new([9; 32])).unwrap();
    assert_eq!(made.local_parameters().fingerprints.len(), 1);
}

#[test]
fn parameters_without_fingerprint_are_refused() {
    let mut pair = Pair::new();
    let mut offer = pair.peer(Alice).transport.local_parameters();
    offer.fingerprints.clear();
    let now = pair.now;
    let refused = pair.transport(Bob).set_remote_parameters(now, DescriptionKind::Offer, offer);
    assert_eq!(refused, Err(Error::NoFingerprint));
    assert_eq!(pair.peer(Bob).transport.state(), State::New);
}

#[test]
fn equal_parameters_change_nothing() {
    let mut pair = Pair::connected();
    let (now, answer) = (pair.now, pair.peer(Bob).transport.local_parameters());
    let again = pair.transport(Alice).set_remote_parameters(now, DescriptionKind::Answer, answer);
    assert_eq!(again, Ok(peer_transport::Applied::Unchanged));
    assert!(pair.both(State::Connected));
}

#[test]
fn changed_fingerprint_without_ice_restart_is_refused() {
    let mut pair = Pair::connected();
    let (now, mut answer) = (pair.now, pair.peer(Bob).transport.local_parameters());
    answer.fingerprints = vec![pair::certificate().fingerprint(peer_transport::HashAlgorithm::Sha256)];
    let refused = pair.transport(Alice).set_remote_parameters(now, DescriptionKind::Answer, answer);
    assert_eq!(refused, Err(Error::ParametersChanged));
    assert!(pair.both(State::Connected));
}

#[test]
fn close_reaches_peer_and_stops_sending() {
    let mut pair = Pair::connected();
    let now = pair.now;
    pair.transport(Alice).close(now);
    pair.run_until("Bob receives the close", |pair| pair.peer(Bob).transport.state() == State::Closed);
    assert!(pair.peer(Bob).has(|event| matches!(event, Event::AssociationClosed { by: Side::Peer, .. })));
    assert!(pair.peer(Alice).has(|event| matches!(event, Event::AssociationClosed { by: Side::Local, .. })));
    pair.run_for(Duration::from_secs(60));
    for who in [Alice, Bob] {
        assert_eq!(pair.peer(who).transport.poll_timeout(), None, "{who:?}");
        assert!(!pair.send_packet(who));
    }
}

#[test]
fn revoked_consent_stops_peer_at_next_check() {
    let mut pair = Pair::connected();
    let now = pair.now;
    pair.transport(Bob).revoke_consent(now);
    pair.run_until("Alice receives the 403", |pair| pair.peer(Alice).transport.state() == State::Failed);
    assert!(pair.now - now <= Duration::from_secs(7), "the next consent check is at most 6 s away");
    assert!(pair.peer(Alice).has(|event| matches!(event, Event::ConsentLost { .. })));
    assert!(!pair.send_packet(Alice));
}

#[test]
fn consent_of_silent_peer_expires_within_30_s() {
    let mut pair = Pair::connected();
    pair.run_for(Duration::from_secs(3));
    pair.tap = Box::new(|who, _| who == Alice);
    let silent_since = pair.now;
    pair.run_until("the consent of Alice expires", |pair| {
        pair.peer(Alice).transport.state() == State::Failed
    });
    let lasted = pair.now - silent_since;
    assert!(lasted <= Duration::from_secs(30), "{lasted:?}");
    assert!(
        lasted >= Duration::from_secs(23),
        "the last check was at most 6 s before the silence: {lasted:?}"
    );
}

#[test]
fn malformed_input_is_counted_in_every_state() {
    for when in ["new", "connecting", "connected"] {
        let mut pair = Pair::new();
        if when != "new" {
            pair.signal(Alice);
        }
        if when == "connected" {
            pair.run_until("both are connected", |pair| pair.both(State::Connected));
        }
        let (now, state) = (pair.now, pair.peer(Alice).transport.state());
        let path = Path::udp(pair.peer(Alice).address, pair.peer(Bob).address);
        let before: u64 = pair.peer(Alice).transport.stats().discards().map(|(_, times)| times).sum();
        let mut given = 0;
        for first in 0..=255_u8 {
            for len in [1_usize, 2, 8, 12, 13, 20, 40, 100, 1500] {
                let mut malformed: Vec<u8> =
                    (0..len).map(|at| first ^ u8::try_from(at * 7 % 256).unwrap()).collect();
                malformed[0] = first;
                assert!(
                    pair.transport(Alice).handle_input(now, Datagram::new(path, &mut malformed)).is_none()
                );
                given += 1;
            }
        }
        assert!(pair.transport(Alice).handle_input(now, Datagram::new(path, &mut [])).is_none());
        let after = pair.peer(Alice).transport.stats();
        let counted: u64 = after.discards().map(|(_, times)| times).sum::<u64>() - before;
        assert!(counted > given, "{when}: {counted} of {}", given + 1);
        assert_eq!(after.discarded(Discard::Empty), 1);
        assert_eq!(pair.peer(Alice).transport.state(), state, "{when}");
        if when == "new" {
            pair.signal(Alice);
        }
        pair.run_until("both are connected", |pair| pair.both(State::Connected));
        pair.exchange_media_for(Duration::from_millis(100));
        assert_eq!(pair.peer(Bob).received.len(), 5, "{when}");
    }
}

#[test]
fn media_from_unauthenticated_path_is_dropped() {
    let mut pair = Pair::connected();
    let mut captured = Vec::new();
    let header = [0x80, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1];
    let now = pair.now;
    let _sent = pair.transport(Bob).send_rtp(now, &header, b"x", &mut captured).unwrap();
    let elsewhere = Path::udp(pair.peer(Alice).address, "198.51.100.9:9".parse().unwrap());
    let alice = pair.transport(Alice);
    assert!(alice.handle_input(now, Datagram::new(elsewhere, &mut captured.clone())).is_none());
    assert_eq!(alice.stats().discarded(Discard::UnknownPath), 1);
    let there = Path::udp(pair.peer(Alice).address, pair.peer(Bob).address);
    let alice = pair.transport(Alice);
    assert!(alice.handle_input(now, Datagram::new(there, &mut captured.clone())).is_some());
    assert!(alice.handle_input(now, Datagram::new(there, &mut captured)).is_none());
    assert_eq!(alice.stats().discarded(Discard::Srtp(srtp::Discard::Replayed)), 1);
}

#[test]
fn first_association_has_number_one() {
    let pair = Pair::connected();
    let number = pair.peer(Alice).transport.association().map(AssociationId::number);
    assert_eq!(number, Some(1));
}

#[test]
fn remote_certificate_is_available() {
    let now = pair::start();
    let own: Certificate = pair::certificate();
    let mut pair = Pair::new();
    pair.peers[0] = Peer::with_certificate(now, own.clone(), "192.0.2.1:1000");
    pair.now = now;
    pair.signal(Alice);
    pair.run_until("both are connected", |pair| pair.both(State::Connected));
    let seen = pair.peer(Bob).transport.remote_certificate().unwrap();
    assert_eq!(Some(seen), own.chain().next());
}

//= rfc5764-4.1-dtls-framing
//= rfc5764-4.1-separate-datagrams
#[test]
fn dtls_and_srtp_never_share_datagram() {
    let mut pair = Pair::new();
    let seen = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let tap = std::rc::Rc::clone(&seen);
    pair.tap = Box::new(move |_, bytes| {
        tap.borrow_mut().push(bytes.clone());
        true
    });
    pair.signal(Alice);
    pair.run_until("both are connected", |pair| pair.both(State::Connected));
    for _ in 0..5 {
        let now = pair.now;
        pair.transport(Alice).send_data(now, b"hello").unwrap();
        pair.exchange_media_for(Duration::from_millis(50));
    }
    let (mut of_dtls, mut of_srtp) = (0, 0);
    for datagram in seen.borrow().iter() {
        match datagram[0] {
            20..=63 => {
                let mut rest = &datagram[..];
                while let [first, ..] = rest {
                    // The header of DTLS 1.2 and of plaintext, or the DTLS 1.3 header with 16-bit sequence
                    // number and length.
                    let header = if first >> 5 == 1 { 5 } else { 13 };
                    let len = usize::from(u16::from_be_bytes([rest[header - 2], rest[header - 1]]));
                    rest = &rest[header + len..];
                }
                of_dtls += 1;
            }
            128..=191 => of_srtp += 1,
            _ => {}
        }
    }
    assert!(of_dtls > 5 && of_srtp > 5, "{of_dtls} {of_srtp}");
}

#[test]
fn unread_fresh_hellos_are_reported_once() {
    let mut pair = Pair::connected();
    let mut hello = vec![22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 46, 1, 0, 0, 34, 0, 0, 0, 0, 0, 0, 0, 34];
    hello.extend([0xfe, 0xfd]);
    hello.extend([7; 32]);
    let path = Path::udp(pair.peer(Alice).address, pair.peer(Bob).address);
    for second in 1..20 {
        let now = pair.now + Duration::from_secs(second);
        assert!(pair.transport(Alice).handle_input(now, Datagram::new(path, &mut hello.clone())).is_none());
    }
    let events = std::iter::from_fn(|| pair.transport(Alice).poll_event());
    assert_eq!(events.filter(|event| matches!(event, Event::FreshClientHello { .. })).count(), 1);
}
