//! Many peers behind one address: routing of datagrams and forwarding of media.

use crate::network::Network;
use crate::node::{certificate, rtp_header};
use peer_transport::{
    Class, Config, Datagram, Discard, Endpoint, EndpointConfig, Error, Event, ForwardTag, Media, Path, Route,
    Seed, SendError, State, classify,
};
use std::time::{Duration, Instant};

#[test]
fn endpoints_exchange_rtp_rtcp_and_data() {
    let mut network = Network::new(1);
    let [alice, bob] = [network.node("192.0.2.1:5000"), network.node("192.0.2.2:5000")];
    let (to_bob, to_alice) = network.connect(alice, bob);

    network.send_rtp(alice, to_bob, &rtp_header(1, 7), b"picture");
    network.send_rtp(bob, to_alice, &rtp_header(1, 8), b"sound");
    let report = [0x80, 201, 0, 1, 0, 0, 0, 7];
    network.send_rtcp(alice, to_bob, &report);
    let now = network.now();
    network.endpoint(bob).send_data(now, to_alice, b"text").unwrap();
    network.run(Duration::from_millis(100));

    let received = network.received(bob);
    assert_eq!(received.len(), 2, "{}", network.trace());
    assert_eq!(received[0].peer, to_alice);
    assert_eq!(received[0].bytes, [&rtp_header(1, 7)[..], b"picture"].concat());
    assert_eq!(received[1].bytes, report);
    assert_eq!(network.received(alice)[0].bytes, [&rtp_header(1, 8)[..], b"sound"].concat());
    let received_data = network.events(alice).iter().any(
        |(peer, event)| matches!(event, Event::Data { bytes, .. } if *peer == to_bob && bytes == &b"text"[..]),
    );
    assert!(received_data, "{:?}", network.events(alice));
}

#[test]
fn rtp_is_forwarded_inside_receive_loop() {
    let mut network = Network::new(2);
    let [unit, alice, bob] =
        ["192.0.2.100:443", "192.0.2.1:5000", "192.0.2.2:5000"].map(|address| network.node(address));
    let (to_alice, at_alice) = network.connect(unit, alice);
    let (to_bob, _) = network.connect(unit, bob);

    let now = network.now();
    let mut sent = Vec::new();
    for sequence_number in 0..10 {
        let header = rtp_header(sequence_number, 7);
        let transmit = network.endpoint(alice).send_rtp(now, at_alice, &header, b"frame", &mut sent).unwrap();
        assert_eq!(transmit.len, 12 + 5 + 16);
    }

    // The loop of a forwarding unit, as in the README: a received packet is rewritten, protected again and sent
    // from the receive buffer.
    let path = Path::udp("192.0.2.100:443".parse().unwrap(), "192.0.2.1:5000".parse().unwrap());
    let packet_len = sent.len() / 10;
    let mut out = Vec::new();
    let endpoint = network.endpoint(unit);
    for received in sent.chunks_mut(packet_len) {
        if let Some((from, Media::Rtp(mut packet))) =
            endpoint.handle_input(now, Datagram::new(path, received))
        {
            assert_eq!(from, to_alice);
            packet.set_ssrc(99);
            let sent =
                endpoint.send_rtp(now, to_bob, packet.header_bytes(), packet.payload(), &mut out).unwrap();
            assert_eq!(sent.path.remote(), "192.0.2.2:5000".parse().unwrap());
        }
    }

    let back = Path::udp("192.0.2.2:5000".parse().unwrap(), "192.0.2.100:443".parse().unwrap());
    let forwarded: Vec<_> = out
        .chunks_mut(packet_len)
        .filter_map(|bytes| network.endpoint(bob).handle_input(now, Datagram::new(back, bytes)))
        .map(|(_, media)| media.bytes().to_vec())
        .collect();
    let expected: Vec<_> = (0..10).map(|n| [&rtp_header(n, 99)[..], b"frame"].concat()).collect();
    assert_eq!(forwarded, expected, "{}", network.trace());
}

#[test]
fn one_payload_is_sent_under_many_headers() {
    let mut network = Network::new(3);
    let unit = network.node("192.0.2.100:443");
    let viewers: Vec<_> = (1..=3).map(|n| network.node(&format!("192.0.2.{n}:5000"))).collect();
    let mut peers: Vec<_> = viewers.iter().map(|viewer| network.connect(unit, *viewer).0).collect();
    let removed = network.add_peer(unit);
    network.endpoint(unit).remove_peer(removed).unwrap();
    peers.insert(1, removed);

    let now = network.now();
    let (mut out, mut sent) = (vec![0xff; 3], Vec::new());
    let endpoint = network.endpoint(unit);
    endpoint.send_rtp_to_many(now, peers.iter().copied(), b"payload", &mut out, &mut sent, |peer, header| {
        let place = peers.iter().position(|each| *each == peer).unwrap();
        header.extend_from_slice(&rtp_header(1, u32::try_from(place).unwrap()));
    });

    assert_eq!(sent.iter().map(|(peer, _)| *peer).collect::<Vec<_>>(), peers);
    assert_eq!(sent[1].1, Err(SendError::UnknownPeer));
    let mut rest = &mut out[3..];
    for (place, viewer) in [(0, viewers[0]), (2, viewers[1]), (3, viewers[2])] {
        let transmit = sent[place].1.unwrap();
        let (datagram, behind) = rest.split_at_mut(transmit.len);
        rest = behind;
        let path = Path::udp(transmit.path.remote(), transmit.path.local());
        let (_, media) = network.endpoint(viewer).handle_input(now, Datagram::new(path, datagram)).unwrap();
        let ssrc = u32::try_from(place).unwrap();
        assert_eq!(media.bytes(), [&rtp_header(1, ssrc)[..], b"payload"].concat());
    }
    assert!(rest.is_empty());
}

#[test]
fn malformed_input_is_counted_and_changes_nothing() {
    let mut network = Network::new(4);
    let [alice, bob] = [network.node("192.0.2.1:5000"), network.node("192.0.2.2:5000")];
    let (to_bob, to_alice) = network.connect(alice, bob);
    let now = network.now();
    let bound = Path::udp("192.0.2.1:5000".parse().unwrap(), "192.0.2.2:5000".parse().unwrap());
    let unbound = Path::udp("192.0.2.1:5000".parse().unwrap(), "203.0.113.9:9".parse().unwrap());
    let deadline = network.endpoint(alice).poll_timeout();

    for path in [bound, unbound] {
        for first in 0..=255u8 {
            for len in [0, 1, 2, 11, 12, 13, 20, 40, 200] {
                let mut malformed: Vec<u8> = std::iter::repeat_n(first, len).collect();
                let media = network.endpoint(alice).handle_input(now, Datagram::new(path, &mut malformed));
                assert!(media.is_none(), "{first} {len}");
            }
        }
    }

    let endpoint = network.endpoint(alice);
    assert_eq!(endpoint.poll_timeout(), deadline);
    assert_eq!(endpoint.poll_transmit(&mut Vec::new()), None);
    assert_eq!(endpoint.poll_event(), None);
    assert_eq!(endpoint.peer(to_bob).unwrap().state(), State::Connected);
    assert_eq!(endpoint.discarded(Discard::Empty), 2 * 256);
    assert!(endpoint.discarded(Discard::UnknownClass) > 0);
    assert!(endpoint.discarded(Discard::UnknownPath) > 0);
    let stats = endpoint.peer(to_bob).unwrap().stats();
    let by_peer: u64 = stats.discards().map(|(_, times)| times).sum();
    let by_endpoint: u64 = endpoint.discards().map(|(_, times)| times).sum();
    assert_eq!(by_peer + by_endpoint, 2 * 256 * 9, "{stats:?}");

    network.send_rtp(bob, to_alice, &rtp_header(5, 8), b"still here");
    network.run(Duration::from_millis(10));
    assert_eq!(network.received(alice).len(), 1);
}

#[test]
fn removed_peer_id_is_always_an_error() {
    let mut network = Network::new(5);
    let [alice, bob] = [network.node("192.0.2.1:5000"), network.node("192.0.2.2:5000")];
    let (removed, _) = network.connect(alice, bob);
    let now = network.now();
    let endpoint = network.endpoint(alice);
    endpoint.remove_peer(removed).unwrap();
    let next = endpoint.add_peer(now, Config::default(), vec![certificate()]).unwrap();

    assert_ne!(removed, next);
    assert!(endpoint.peer(removed).is_none());
    assert_eq!(endpoint.peer_mut(removed).err(), Some(Error::UnknownPeer));
    assert_eq!(endpoint.remove_peer(removed), Err(Error::UnknownPeer));
    assert_eq!(endpoint.send_data(now, removed, b"x"), Err(SendError::UnknownPeer));
    let mut out = Vec::new();
    assert_eq!(
        endpoint.send_rtp(now, removed, &rtp_header(1, 1), b"x", &mut out),
        Err(SendError::UnknownPeer)
    );
    assert_eq!(
        endpoint.send_rtcp(now, removed, &[0x80, 201, 0, 1, 0, 0, 0, 7], &mut out),
        Err(SendError::UnknownPeer)
    );
    assert!(out.is_empty());
    assert_eq!(endpoint.peers().collect::<Vec<_>>(), [next]);
    assert!(endpoint.peer(next).is_some());
}

//= rfc5764-5.1.2-mapping-removed
#[test]
fn removed_peer_leaves_no_index_entries() {
    let mut network = Network::new(6);
    let [alice, bob] = [network.node("192.0.2.1:5000"), network.node("192.0.2.2:5000")];
    let (to_bob, _) = network.connect(alice, bob);
    let path = Path::udp("192.0.2.1:5000".parse().unwrap(), "192.0.2.2:5000".parse().unwrap());
    let endpoint = network.endpoint(alice);
    endpoint.remove_peer(to_bob).unwrap();

    let route = endpoint.route(&Datagram::new(path, &mut [0x80; 40])) == Route::Unknown(Discard::UnknownPath);
    assert!(route, "the path is unbound");
    assert_eq!(endpoint.poll_timeout(), None);
    assert_eq!(endpoint.poll_transmit(&mut Vec::new()), None);
    assert_eq!(endpoint.poll_event(), None);
    network.run(Duration::from_secs(10));
    let unanswered = ice_agent::Discard::UnknownUfrag;
    assert!(
        network.endpoint(alice).discarded(Discard::Ice(unanswered)) > 0,
        "the other side still sends checks"
    );
}

#[test]
fn unknown_ufrag_is_routed_as_foreign() {
    let mut network = Network::new(7);
    let [alice, bob] = [network.node("192.0.2.1:5000"), network.node("192.0.2.2:5000")];
    let (at_alice, at_bob) = network.introduce(alice, bob);
    let ufrag = network.endpoint(bob).peer(at_bob).unwrap().local_parameters().ice.ufrag;
    network.endpoint(bob).remove_peer(at_bob).unwrap();

    let now = network.now();
    let mut request = Vec::new();
    while network.endpoint(alice).poll_transmit(&mut request).is_none() {
        let at = network.endpoint(alice).poll_timeout().unwrap();
        network.endpoint(alice).handle_timeout(at);
    }
    assert_eq!(classify(&request), Class::Stun);
    let path = Path::udp("192.0.2.2:5000".parse().unwrap(), "192.0.2.1:5000".parse().unwrap());
    let endpoint = network.endpoint(bob);
    assert_eq!(endpoint.route(&Datagram::new(path, &mut request)), Route::Foreign { ufrag: ufrag.as_str() });
    assert!(endpoint.handle_input(now, Datagram::new(path, &mut request)).is_none());
    assert_eq!(endpoint.discarded(Discard::Ice(ice_agent::Discard::UnknownUfrag)), 1);
    assert!(network.endpoint(alice).peer(at_alice).is_some());
}

//= rfc9147-11-address-kept
#[test]
fn only_authenticated_stun_binds_path() {
    let mut network = Network::new(8);
    let [alice, bob] = [network.node("192.0.2.1:5000"), network.node("192.0.2.2:5000")];
    let (_, at_bob) = network.introduce(alice, bob);
    let path = Path::udp("192.0.2.2:5000".parse().unwrap(), "192.0.2.1:5000".parse().unwrap());
    let protected = &mut [0x80; 40][..];
    let unknown = Route::Unknown(Discard::UnknownPath);

    // A request is routed by its ufrag before it is authenticated.
    let (transmit, mut request) = network.first_datagram(alice);
    assert_eq!((transmit.path.remote(), classify(&request)), (path.local(), Class::Stun));
    let mut forged = request.clone();
    let middle = forged.len() - 20;
    forged[middle] ^= 1;
    let now = network.now();
    let endpoint = network.endpoint(bob);
    assert_eq!(endpoint.route(&Datagram::new(path, &mut forged)), Route::Peer(at_bob));
    endpoint.handle_input(now, Datagram::new(path, &mut forged));
    assert_eq!(endpoint.route(&Datagram::new(path, protected)), unknown, "a forged request binds nothing");

    endpoint.handle_input(now, Datagram::new(path, &mut request));
    assert_eq!(endpoint.route(&Datagram::new(path, protected)), Route::Peer(at_bob));
    let elsewhere = Path::udp(path.local(), "192.0.2.1:5001".parse().unwrap());
    assert_eq!(endpoint.route(&Datagram::new(elsewhere, protected)), unknown);
}

#[test]
fn response_is_routed_by_transaction() {
    let mut network = Network::new(9);
    let [alice, bob] = [network.node("192.0.2.1:5000"), network.node("192.0.2.2:5000")];
    let (at_alice, _) = network.introduce(alice, bob);
    let (transmit, mut request) = network.first_datagram(alice);
    let now = network.now();
    let at_bob = Path::udp(transmit.path.remote(), transmit.path.local());
    network.endpoint(bob).handle_input(now, Datagram::new(at_bob, &mut request));
    let mut response = Vec::new();
    // A success response (RFC 8489 section 5), among Bob's own checks.
    while response.first() != Some(&1) {
        response.clear();
        assert!(network.endpoint(bob).poll_transmit(&mut response).is_some());
    }
    let endpoint = network.endpoint(alice);
    assert_eq!(endpoint.route(&Datagram::new(transmit.path, &mut response)), Route::Peer(at_alice));
    let unknown_path = Route::Unknown(Discard::UnknownPath);
    assert_eq!(
        endpoint.route(&Datagram::new(transmit.path, &mut [0x80; 40])),
        unknown_path,
        "the path is unbound"
    );

    response[12] ^= 1;
    let unknown = Discard::Ice(ice_agent::Discard::UnknownTransaction);
    assert_eq!(endpoint.route(&Datagram::new(transmit.path, &mut response)), Route::Unknown(unknown));
}

#[test]
fn forged_address_does_not_keep_path_from_sender() {
    let mut network = Network::new(12);
    let [alice, bob, mallory] =
        ["192.0.2.1:5000", "192.0.2.2:5000", "192.0.2.3:5000"].map(|address| network.node(address));
    let of_bob = Path::udp("192.0.2.1:5000".parse().unwrap(), "192.0.2.2:5000".parse().unwrap());
    let holder = |network: &mut Network| match network
        .endpoint(alice)
        .route(&Datagram::new(of_bob, &mut [0x80; 40]))
    {
        Route::Peer(id) => id,
        other => panic!("{other:?}"),
    };

    // Mallory, a legitimate peer, sends her first check from Bob's address.
    let (mallory_at_alice, _) = network.introduce(alice, mallory);
    let (_, mut check) = network.first_datagram(mallory);
    let now = network.now();
    network.endpoint(alice).handle_input(now, Datagram::new(of_bob, &mut check));
    assert_eq!(holder(&mut network), mallory_at_alice);

    let (bob_at_alice, alice_at_bob) = network.connect(alice, bob);
    assert_eq!(holder(&mut network), bob_at_alice, "{}", network.trace());
    network.send_rtp(bob, alice_at_bob, &rtp_header(1, 8), b"heard");
    network.run(Duration::from_millis(10));
    assert_eq!(network.received(alice).last().map(|received| received.peer), Some(bob_at_alice));
}

#[test]
fn path_stays_with_first_authenticated_peer() {
    let mut network = Network::new(10);
    let [alice, bob] = [network.node("192.0.2.1:5000"), network.node("192.0.2.2:5000")];
    let path = Path::udp("192.0.2.1:5000".parse().unwrap(), "192.0.2.2:5000".parse().unwrap());
    let (first, first_at_bob) = network.connect(alice, bob);
    let (second, _) = network.introduce(alice, bob);
    network.run(Duration::from_secs(2));

    let of_media =
        |network: &mut Network| match network.endpoint(alice).route(&Datagram::new(path, &mut [0x80; 40])) {
            Route::Peer(id) => id,
            other => panic!("{other:?}"),
        };
    let second_works = network.endpoint(alice).peer(second).unwrap().selected_pair().is_some();
    assert!(second_works, "STUN is routed by ufrag, so both peers connect\n{}", network.trace());
    assert_eq!(of_media(&mut network), first);
    network.send_rtp(bob, first_at_bob, &rtp_header(1, 8), b"undisturbed");
    network.run(Duration::from_millis(10));
    assert_eq!(network.received(alice).len(), 1);

    network.endpoint(alice).remove_peer(first).unwrap();
    assert_eq!(of_media(&mut network), second, "the next bound peer");
    network.endpoint(bob).remove_peer(first_at_bob).unwrap();
    network.run(Duration::from_secs(5));
    assert_eq!(
        network.endpoint(alice).peer(second).unwrap().state(),
        State::Connected,
        "{}",
        network.trace()
    );
}

#[test]
fn forwarded_path_still_routes_known_ufrags() {
    let mut network = Network::new(11);
    let [alice, bob] = [network.node("192.0.2.1:5000"), network.node("192.0.2.2:5000")];
    let (_, at_bob) = network.introduce(alice, bob);
    let path = Path::udp("192.0.2.2:5000".parse().unwrap(), "192.0.2.1:5000".parse().unwrap());
    let now = network.now();
    let (_, mut request) = network.first_datagram(alice);
    let endpoint = network.endpoint(bob);

    endpoint.set_forward(now, path, Some(ForwardTag(7))).unwrap();
    assert_eq!(endpoint.route(&Datagram::new(path, &mut [0x80; 40])), Route::Forward(ForwardTag(7)));
    assert_eq!(endpoint.route(&Datagram::new(path, &mut [22; 40])), Route::Forward(ForwardTag(7)));
    assert_eq!(endpoint.route(&Datagram::new(path, &mut request)), Route::Peer(at_bob));

    endpoint.set_forward(now, path, None).unwrap();
    let unknown = Route::Unknown(Discard::UnknownPath);
    assert_eq!(endpoint.route(&Datagram::new(path, &mut [0x80; 40])), unknown);

    endpoint.handle_input(now, Datagram::new(path, &mut request));
    assert_eq!(endpoint.set_forward(now, path, Some(ForwardTag(8))), Err(Error::PathTaken));
    assert_eq!(endpoint.route(&Datagram::new(path, &mut [0x80; 40])), Route::Peer(at_bob));
}

#[test]
fn peer_and_forward_tables_are_limited() {
    let now = Instant::now();
    let config = EndpointConfig { max_peers: 2, max_forwards: 1, ..EndpointConfig::default() };
    let mut endpoint = Endpoint::new(now, config, Seed::new([12; 32]));
    let add = |endpoint: &mut Endpoint| endpoint.add_peer(now, Config::default(), vec![certificate()]);
    let first = add(&mut endpoint).unwrap();
    add(&mut endpoint).unwrap();
    assert_eq!(add(&mut endpoint), Err(Error::TooManyPeers { max: 2 }));
    endpoint.remove_peer(first).unwrap();
    assert!(add(&mut endpoint).is_ok());
    assert_eq!(endpoint.len(), 2);

    let path = |port| Path::udp("192.0.2.1:1".parse().unwrap(), ([192, 0, 2, 2], port).into());
    endpoint.set_forward(now, path(1), Some(ForwardTag(1))).unwrap();
    let full = Err(Error::TooManyForwards { max: 1 });
    assert_eq!(endpoint.set_forward(now, path(2), Some(ForwardTag(1))), full);
    assert_eq!(endpoint.set_forward(now, path(1), Some(ForwardTag(2))), Ok(()), "the same path again");
}

#[test]
fn peers_draw_independent_deterministic_credentials() {
    let now = Instant::now();
    let build = |seed| {
        let mut endpoint = Endpoint::new(now, EndpointConfig::default(), Seed::new([seed; 32]));
        let config = std::sync::Arc::new(Config::default());
        let ids = [(); 3].map(|()| endpoint.add_peer(now, config.clone(), vec![certificate()]).unwrap());
        ids.map(|id| endpoint.peer(id).unwrap().local_parameters())
    };
    let names = |seed: u8| build(seed).map(|parameters| (parameters.ice, parameters.tls_id));
    let [a, b, c] = names(1);
    assert!(a != b && b != c && a != c);
    assert_eq!(names(1), [a.clone(), b, c]);
    assert!(names(2).iter().all(|other| *other != a));
}

#[test]
fn handled_deadline_is_followed_by_later_one() {
    let mut network = Network::new(13);
    let unit = network.node("192.0.2.100:443");
    for n in 1..=3 {
        let viewer = network.node(&format!("192.0.2.{n}:5000"));
        network.connect(unit, viewer);
    }
    // The viewers stay silent from now on: consent checks get no response until consent expires.
    let endpoint = network.endpoint(unit);
    let mut steps = 0;
    while let Some(deadline) = endpoint.poll_timeout() {
        endpoint.handle_timeout(deadline);
        assert!(endpoint.poll_timeout().is_none_or(|next| next > deadline), "step {steps}");
        while endpoint.poll_transmit(&mut Vec::new()).is_some() {}
        steps += 1;
        assert!(steps < 10_000);
    }
    assert!(steps > 3);
    let failed = std::iter::from_fn(|| endpoint.poll_event()).filter(|(_, e)| matches!(e, Event::Failed(_)));
    assert_eq!(failed.count(), 3);
}
