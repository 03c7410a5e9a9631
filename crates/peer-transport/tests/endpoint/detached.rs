//! Media on threads of its own: what the detached halves know, and how soon.

use std::time::Duration;

use crate::network::{Network, Node, rtp_header};
use peer_transport::{
    Association, Datagram, DescriptionKind, Discard, Error, Event, Media, MediaReceiver, MediaSender, Path,
    PeerId, RestartOptions, RestartOutcome, SendError, Transmit,
};

/// Alice's media goes through detached halves, bob's through his transport.
struct Scene {
    network: Network,
    alice: Node,
    bob: Node,
    to_bob: PeerId,
    to_alice: PeerId,
    sender: MediaSender,
    receiver: MediaReceiver,
    sequence_number: u16,
}

impl Scene {
    fn new(seed: u8) -> Self {
        let mut network = Network::new(seed);
        let [alice, bob] = [network.node("192.0.2.1:5000"), network.node("192.0.2.2:5000")];
        let (to_bob, to_alice) = network.connect(alice, bob);
        let now = network.now();
        let mut peer = network.endpoint(alice).peer_mut(to_bob).unwrap();
        let sender = peer.detach_outbound(now).unwrap();
        let receiver = peer.detach_inbound(now).unwrap();
        Self { network, alice, bob, to_bob, to_alice, sender, receiver, sequence_number: 0 }
    }

    fn next_header(&mut self) -> [u8; 12] {
        self.sequence_number += 1;
        rtp_header(self.sequence_number, 7)
    }

    fn protect(&mut self, out: &mut Vec<u8>) -> Result<Transmit, SendError> {
        let header = self.next_header();
        self.sender.protect_rtp(self.network.now(), &header, b"frame", out)
    }

    /// From alice's sender to bob's transport.
    fn alice_sends(&mut self) -> Option<Association> {
        let mut datagram = Vec::new();
        let sent = self.protect(&mut datagram).unwrap();
        let path = Path::udp(sent.path.remote(), sent.path.local());
        let now = self.network.now();
        let received = self.network.endpoint(self.bob).handle_input(now, Datagram::new(path, &mut datagram));
        received.and_then(|(_, media)| media.association())
    }

    /// A packet from bob's transport, as it arrives at alice's.
    fn bob_sends(&mut self) -> (Path, Vec<u8>) {
        let (now, header, mut datagram) = (self.network.now(), self.next_header(), Vec::new());
        let bob = self.network.endpoint(self.bob);
        let sent = bob.send_rtp(now, self.to_alice, &header, b"frame", &mut datagram).unwrap();
        (Path::udp(sent.path.remote(), sent.path.local()), datagram)
    }

    /// From bob's transport by way of alice's to her receiver.
    fn alice_receives(&mut self) -> Result<Association, Discard> {
        let (path, mut datagram) = self.bob_sends();
        let now = self.network.now();
        let alice = self.network.endpoint(self.alice);
        let Some((_, Media::Protected(datagram))) =
            alice.handle_input(now, Datagram::new(path, &mut datagram))
        else {
            panic!("the transport keeps it\n{}", self.network.trace())
        };
        let media = self.receiver.unprotect(now, datagram)?;
        assert!(media.bytes().ends_with(b"frame"));
        Ok(media.association().unwrap())
    }

    fn hand_over_evidence(&mut self) -> usize {
        let now = self.network.now();
        let evidence: Vec<_> = std::iter::from_fn(|| self.receiver.take_evidence()).collect();
        for evidence in &evidence {
            let mut peer = self.network.endpoint(self.alice).peer_mut(self.to_bob).unwrap();
            peer.note_authenticated(now, *evidence);
        }
        evidence.len()
    }

    /// Alice offers an ICE restart, bob answers.
    fn restart(&mut self) {
        let now = self.network.now();
        let alice = self.network.endpoint(self.alice);
        alice.peer_mut(self.to_bob).unwrap().restart(now, RestartOptions::default()).unwrap();
        let offer = alice.peer(self.to_bob).unwrap().local_parameters();
        let bob = self.network.endpoint(self.bob);
        let mut peer = bob.peer_mut(self.to_alice).unwrap();
        peer.set_remote_parameters(now, DescriptionKind::Offer, offer).unwrap();
        self.network.offer_candidates(self.bob, self.to_alice, self.alice);
        let answer = self.network.endpoint(self.bob).peer(self.to_alice).unwrap().local_parameters();
        let mut peer = self.network.endpoint(self.alice).peer_mut(self.to_bob).unwrap();
        peer.set_remote_parameters(now, DescriptionKind::Answer, answer).unwrap();
        self.network.offer_candidates(self.alice, self.to_bob, self.bob);
    }
}

#[test]
fn detached_halves_send_and_receive_with_the_streams_of_the_transport() {
    let mut network = Network::new(20);
    let [alice, bob] = [network.node("192.0.2.1:5000"), network.node("192.0.2.2:5000")];
    let (to_bob, to_alice) = network.connect(alice, bob);
    // Both streams have begun when the halves are detached, and go on.
    network.send_rtp(alice, to_bob, &rtp_header(1, 7), b"first");
    network.send_rtp(bob, to_alice, &rtp_header(1, 7), b"first");
    let now = network.now();
    let mut peer = network.endpoint(alice).peer_mut(to_bob).unwrap();
    let (sender, receiver) = (peer.detach_outbound(now).unwrap(), peer.detach_inbound(now).unwrap());
    let mut scene = Scene { network, alice, bob, to_bob, to_alice, sender, receiver, sequence_number: 1 };

    assert!(scene.alice_sends().is_some());
    assert!(scene.alice_receives().is_ok());

    let mut again = Vec::new();
    let reused = scene.sender.protect_rtp(now, &rtp_header(1, 7), b"other", &mut again);
    assert!(matches!(reused, Err(SendError::Srtp(_))), "{reused:?}: one context, one index");
    assert!(again.is_empty());
}

#[test]
fn rtcp_takes_the_same_way() {
    let mut scene = Scene::new(21);
    let report = [0x80, 201, 0, 1, 0, 0, 0, 7];
    let (now, mut datagram) = (scene.network.now(), Vec::new());
    let sent = scene.sender.protect_rtcp(now, &report, &mut datagram).unwrap();
    let path = Path::udp(sent.path.remote(), sent.path.local());
    let (_, media) =
        scene.network.endpoint(scene.bob).handle_input(now, Datagram::new(path, &mut datagram)).unwrap();
    assert_eq!(media.bytes(), report);

    let mut datagram = Vec::new();
    let sent = scene.network.endpoint(scene.bob).send_rtcp(now, scene.to_alice, &report, &mut datagram);
    let path = Path::udp(sent.unwrap().path.remote(), "192.0.2.2:5000".parse().unwrap());
    let (_, media) =
        scene.network.endpoint(scene.alice).handle_input(now, Datagram::new(path, &mut datagram)).unwrap();
    let Media::Protected(datagram) = media else { panic!("{media:?}") };
    assert_eq!(scene.receiver.unprotect(now, datagram).unwrap().bytes(), report);
}

#[test]
fn what_was_detached_is_refused_by_the_transport() {
    let mut scene = Scene::new(22);
    let (now, mut out) = (scene.network.now(), Vec::new());
    let alice = scene.network.endpoint(scene.alice);
    let refused = alice.send_rtp(now, scene.to_bob, &rtp_header(1, 7), b"x", &mut out);
    assert_eq!(refused, Err(SendError::Detached));
    let refused = alice.send_rtcp(now, scene.to_bob, &[0x80, 201, 0, 1, 0, 0, 0, 7], &mut out);
    assert_eq!(refused, Err(SendError::Detached));
    assert!(out.is_empty());
    let mut peer = alice.peer_mut(scene.to_bob).unwrap();
    assert_eq!(peer.detach_outbound(now).err(), Some(Error::Detached));
    assert_eq!(peer.detach_inbound(now).err(), Some(Error::Detached));
}

#[test]
fn halves_that_were_detached_before_the_connection_work_from_its_first_moment() {
    let mut network = Network::new(23);
    let [alice, bob] = [network.node("192.0.2.1:5000"), network.node("192.0.2.2:5000")];
    let (to_bob, to_alice) = network.introduce(alice, bob);
    let now = network.now();
    let mut peer = network.endpoint(alice).peer_mut(to_bob).unwrap();
    let (sender, receiver) = (peer.detach_outbound(now).unwrap(), peer.detach_inbound(now).unwrap());
    let mut scene = Scene { network, alice, bob, to_bob, to_alice, sender, receiver, sequence_number: 0 };
    assert_eq!(scene.protect(&mut Vec::new()), Err(SendError::NotConnected));

    scene.network.run(Duration::from_secs(5));
    assert!(scene.alice_sends().is_some(), "{}", scene.network.trace());
    assert!(scene.alice_receives().is_ok());
}

#[test]
fn a_sender_stops_when_consent_is_revoked() {
    let mut scene = Scene::new(24);
    assert!(scene.alice_sends().is_some());
    let now = scene.network.now();
    scene.network.endpoint(scene.alice).peer_mut(scene.to_bob).unwrap().revoke_consent(now);
    assert_eq!(scene.protect(&mut Vec::new()), Err(SendError::NotPermitted));
}

#[test]
fn a_sender_stops_at_the_end_of_consent_even_if_the_transport_is_stuck() {
    let mut scene = Scene::new(25);
    let now = scene.network.now();
    let transport = scene.network.endpoint(scene.alice).peer(scene.to_bob).unwrap();
    let until = transport.ice().permission(now).unwrap().until.unwrap();
    let (header, mut out) = (scene.next_header(), Vec::new());
    let just_in_time = until.checked_sub(Duration::from_millis(1)).unwrap();
    assert!(scene.sender.protect_rtp(just_in_time, &header, b"x", &mut out).is_ok());
    let header = scene.next_header();
    let refused = scene.sender.protect_rtp(until, &header, b"x", &mut out);
    assert_eq!(refused, Err(SendError::NotPermitted));
}

#[test]
fn a_sender_of_a_closed_transport_is_not_connected() {
    let mut scene = Scene::new(26);
    let now = scene.network.now();
    scene.network.endpoint(scene.alice).peer_mut(scene.to_bob).unwrap().close(now);
    assert_eq!(scene.protect(&mut Vec::new()), Err(SendError::NotConnected));
    assert_eq!(scene.sender.association(), None);
}

#[test]
fn both_halves_follow_a_restart_to_its_new_keys() {
    let mut scene = Scene::new(27);
    let before = scene.alice_sends().unwrap();
    assert_eq!(scene.alice_receives(), Ok(before));
    scene.restart();
    let mut lost = 0;
    for _ in 0..100 {
        scene.network.run(Duration::from_millis(20));
        lost += usize::from(scene.alice_sends().is_none());
        lost += usize::from(scene.alice_receives().is_err());
        scene.hand_over_evidence();
    }
    assert_eq!(lost, 0, "{}", scene.network.trace());
    let after = scene.alice_sends().unwrap();
    assert!(after > before, "{before:?} {after:?}");
    assert_eq!(scene.alice_receives(), Ok(after));
    let outcome = RestartOutcome::FreshHandshake { association: after };
    let told = scene
        .network
        .events(scene.alice)
        .iter()
        .any(|(_, event)| matches!(event, Event::RestartCompleted { outcome: o, .. } if *o == outcome));
    assert!(told, "{:?}", scene.network.events(scene.alice));
}

#[test]
fn both_halves_follow_restarts_that_overtake_each_other() {
    for gap in [0, 5, 20, 45, 100] {
        let mut scene = Scene::new(31);
        let before = scene.alice_sends().unwrap();
        for _ in 0..4 {
            scene.restart();
            scene.network.run(Duration::from_millis(gap));
            assert!(scene.alice_sends().is_some(), "{gap} ms apart\n{}", scene.network.trace());
            assert!(scene.alice_receives().is_ok(), "{gap} ms apart\n{}", scene.network.trace());
            scene.hand_over_evidence();
        }
        for _ in 0..100 {
            scene.network.run(Duration::from_millis(20));
            assert!(scene.alice_sends().is_some(), "{gap} ms apart\n{}", scene.network.trace());
            assert!(scene.alice_receives().is_ok(), "{gap} ms apart\n{}", scene.network.trace());
            scene.hand_over_evidence();
        }
        let after = scene.alice_sends().unwrap();
        assert!(after > before);
        assert_eq!(scene.alice_receives(), Ok(after));
        assert_eq!(scene.sender.association(), Some(after));
    }
}

//= rfc6347-4.2.8-association-replaced
//= rfc5764-5.2-no-key-fits
#[test]
fn packets_of_the_old_keys_are_read_until_the_old_keys_are_erased() {
    let mut scene = Scene::new(28);
    let before = scene.alice_receives().unwrap();
    let (path, late) = scene.bob_sends();
    let (_, later) = scene.bob_sends();
    scene.restart();
    scene.network.run(Duration::from_millis(500));
    let after = scene.alice_receives().unwrap();
    assert_ne!(before, after);
    scene.hand_over_evidence();

    let (now, mut late) = (scene.network.now(), late);
    let media = scene.receiver.unprotect(now, Datagram::new(path, &mut late)).unwrap();
    assert_eq!(media.association(), Some(before), "reordered by the network");

    scene.network.run(Duration::from_secs(2));
    let (now, mut later) = (scene.network.now(), later);
    let refused = scene.receiver.unprotect(now, Datagram::new(path, &mut later));
    assert!(matches!(refused, Err(Discard::Srtp(_))), "{refused:?}");
}

#[test]
fn evidence_counts_what_authenticated_and_nothing_else() {
    let mut scene = Scene::new(29);
    assert!(scene.receiver.take_evidence().is_none());
    let association = scene.alice_receives().unwrap();
    let (path, original) = scene.bob_sends();
    let now = scene.network.now();
    let receive = |scene: &mut Scene, mut bytes: Vec<u8>| {
        scene.receiver.unprotect(now, Datagram::new(path, &mut bytes)).map(|_| ())
    };
    let mut forged = original.clone();
    forged[20] ^= 1;
    let unauthenticated = Err(Discard::Srtp(srtp::Discard::Unauthenticated));
    assert_eq!(receive(&mut scene, forged), unauthenticated);
    assert_eq!(receive(&mut scene, original.clone()), Ok(()));
    assert_eq!(receive(&mut scene, original), Err(Discard::Srtp(srtp::Discard::Replayed)));
    assert_eq!(receive(&mut scene, vec![]), Err(Discard::Empty));
    assert_eq!(receive(&mut scene, vec![22; 40]), Err(Discard::UnknownClass));
    assert_eq!(receive(&mut scene, vec![0x80, 200]), Err(Discard::Srtp(srtp::Discard::Malformed)));

    let evidence = scene.receiver.take_evidence().unwrap();
    assert_eq!((evidence.association(), evidence.packets()), (association, 2));
    assert_eq!((evidence.path(), evidence.at()), (path, now));
    assert!(!evidence.key_wears_out());
    assert!(scene.receiver.take_evidence().is_none());
}

#[test]
fn the_halves_may_live_on_other_threads() {
    let mut scene = Scene::new(30);
    let now = scene.network.now();
    let (path, mut datagram) = scene.bob_sends();
    let (mut sender, mut receiver) = (scene.sender, scene.receiver);
    let protected = std::thread::spawn(move || {
        let mut out = Vec::new();
        sender.protect_rtp(now, &rtp_header(1, 7), b"from afar", &mut out).map(|sent| (sent, out))
    });
    let opened = std::thread::spawn(move || {
        receiver.unprotect(now, Datagram::new(path, &mut datagram)).map(|media| media.bytes().to_vec())
    });
    assert!(opened.join().unwrap().unwrap().ends_with(b"frame"));
    let (sent, mut out) = protected.join().unwrap().unwrap();
    let path = Path::udp(sent.path.remote(), sent.path.local());
    let received = scene.network.endpoint(scene.bob).handle_input(now, Datagram::new(path, &mut out));
    assert!(received.is_some_and(|(_, media)| media.bytes().ends_with(b"from afar")));
}
