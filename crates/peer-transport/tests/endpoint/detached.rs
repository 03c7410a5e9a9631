//! Detached media halves: which changes of the transport they follow, and when.

use std::time::Duration;

use crate::network::Network;
use crate::node::rtp_header;
use peer_transport::{
    AssociationId, Datagram, DescriptionKind, Discard, Error, Event, Media, MediaReceiver, MediaSender, Path,
    PeerId, RestartOptions, RestartOutcome, SendError, Transmit,
};
use sim::NodeId;

/// Alice's media goes through detached halves, Bob's through his transport.
struct Fixture {
    network: Network,
    alice: NodeId,
    bob: NodeId,
    to_bob: PeerId,
    to_alice: PeerId,
    sender: MediaSender,
    receiver: MediaReceiver,
    sequence_number: u16,
}

impl Fixture {
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

    /// Sends a packet from Alice's sender to Bob's transport.
    fn alice_sends(&mut self) -> Option<AssociationId> {
        let mut datagram = Vec::new();
        let sent = self.protect(&mut datagram).unwrap();
        let path = Path::udp(sent.path.remote(), sent.path.local());
        let now = self.network.now();
        let received = self.network.endpoint(self.bob).handle_input(now, Datagram::new(path, &mut datagram));
        received.and_then(|(_, media)| media.association())
    }

    /// Returns a packet of Bob's transport, as it arrives at Alice.
    fn bob_sends(&mut self) -> (Path, Vec<u8>) {
        let (now, header, mut datagram) = (self.network.now(), self.next_header(), Vec::new());
        let bob = self.network.endpoint(self.bob);
        let sent = bob.send_rtp(now, self.to_alice, &header, b"frame", &mut datagram).unwrap();
        (Path::udp(sent.path.remote(), sent.path.local()), datagram)
    }

    /// Sends a packet from Bob's transport through Alice's transport to her receiver.
    fn alice_receives(&mut self) -> Result<AssociationId, Discard> {
        let (path, mut datagram) = self.bob_sends();
        let now = self.network.now();
        let alice = self.network.endpoint(self.alice);
        let Some((_, Media::Protected(datagram))) =
            alice.handle_input(now, Datagram::new(path, &mut datagram))
        else {
            panic!("no protected media\n{}", self.network.trace())
        };
        let media = self.receiver.unprotect(now, datagram)?;
        assert!(media.bytes().ends_with(b"frame"));
        Ok(media.association().unwrap())
    }

    fn pass_evidence(&mut self) -> usize {
        let now = self.network.now();
        let evidence: Vec<_> = std::iter::from_fn(|| self.receiver.take_evidence()).collect();
        for evidence in &evidence {
            let mut peer = self.network.endpoint(self.alice).peer_mut(self.to_bob).unwrap();
            peer.note_authenticated(now, *evidence);
        }
        evidence.len()
    }

    /// Restarts ICE with an offer by Alice and an answer by Bob.
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
fn detached_halves_continue_existing_streams() {
    let mut network = Network::new(20);
    let [alice, bob] = [network.node("192.0.2.1:5000"), network.node("192.0.2.2:5000")];
    let (to_bob, to_alice) = network.connect(alice, bob);
    // Both streams exist before the halves are detached, and continue afterwards.
    network.send_rtp(alice, to_bob, &rtp_header(1, 7), b"first");
    network.send_rtp(bob, to_alice, &rtp_header(1, 7), b"first");
    let now = network.now();
    let mut peer = network.endpoint(alice).peer_mut(to_bob).unwrap();
    let (sender, receiver) = (peer.detach_outbound(now).unwrap(), peer.detach_inbound(now).unwrap());
    let mut fixture = Fixture { network, alice, bob, to_bob, to_alice, sender, receiver, sequence_number: 1 };

    assert!(fixture.alice_sends().is_some());
    assert!(fixture.alice_receives().is_ok());

    let mut again = Vec::new();
    let reused = fixture.sender.protect_rtp(now, &rtp_header(1, 7), b"other", &mut again);
    assert!(matches!(reused, Err(SendError::Srtp(_))), "{reused:?}: the index was used before");
    assert!(again.is_empty());
}

#[test]
fn rtcp_passes_through_detached_halves() {
    let mut fixture = Fixture::new(21);
    let report = [0x80, 201, 0, 1, 0, 0, 0, 7];
    let (now, mut datagram) = (fixture.network.now(), Vec::new());
    let sent = fixture.sender.protect_rtcp(now, &report, &mut datagram).unwrap();
    let path = Path::udp(sent.path.remote(), sent.path.local());
    let (_, media) =
        fixture.network.endpoint(fixture.bob).handle_input(now, Datagram::new(path, &mut datagram)).unwrap();
    assert_eq!(media.bytes(), report);

    let mut datagram = Vec::new();
    let sent = fixture.network.endpoint(fixture.bob).send_rtcp(now, fixture.to_alice, &report, &mut datagram);
    let path = Path::udp(sent.unwrap().path.remote(), "192.0.2.2:5000".parse().unwrap());
    let (_, media) = fixture
        .network
        .endpoint(fixture.alice)
        .handle_input(now, Datagram::new(path, &mut datagram))
        .unwrap();
    let Media::Protected(datagram) = media else { panic!("{media:?}") };
    assert_eq!(fixture.receiver.unprotect(now, datagram).unwrap().bytes(), report);
}

#[test]
fn transport_refuses_detached_directions() {
    let mut fixture = Fixture::new(22);
    let (now, mut out) = (fixture.network.now(), Vec::new());
    let alice = fixture.network.endpoint(fixture.alice);
    let refused = alice.send_rtp(now, fixture.to_bob, &rtp_header(1, 7), b"x", &mut out);
    assert_eq!(refused, Err(SendError::Detached));
    let refused = alice.send_rtcp(now, fixture.to_bob, &[0x80, 201, 0, 1, 0, 0, 0, 7], &mut out);
    assert_eq!(refused, Err(SendError::Detached));
    assert!(out.is_empty());
    let mut peer = alice.peer_mut(fixture.to_bob).unwrap();
    assert_eq!(peer.detach_outbound(now).err(), Some(Error::Detached));
    assert_eq!(peer.detach_inbound(now).err(), Some(Error::Detached));
}

#[test]
fn halves_detached_before_connection_work() {
    let mut network = Network::new(23);
    let [alice, bob] = [network.node("192.0.2.1:5000"), network.node("192.0.2.2:5000")];
    let (to_bob, to_alice) = network.introduce(alice, bob);
    let now = network.now();
    let mut peer = network.endpoint(alice).peer_mut(to_bob).unwrap();
    let (sender, receiver) = (peer.detach_outbound(now).unwrap(), peer.detach_inbound(now).unwrap());
    let mut fixture = Fixture { network, alice, bob, to_bob, to_alice, sender, receiver, sequence_number: 0 };
    assert_eq!(fixture.protect(&mut Vec::new()), Err(SendError::NotConnected));

    fixture.network.run(Duration::from_secs(5));
    assert!(fixture.alice_sends().is_some(), "{}", fixture.network.trace());
    assert!(fixture.alice_receives().is_ok());
}

#[test]
fn sender_stops_when_consent_is_revoked() {
    let mut fixture = Fixture::new(24);
    assert!(fixture.alice_sends().is_some());
    let now = fixture.network.now();
    fixture.network.endpoint(fixture.alice).peer_mut(fixture.to_bob).unwrap().revoke_consent(now);
    assert_eq!(fixture.protect(&mut Vec::new()), Err(SendError::NotPermitted));
}

#[test]
fn sender_stops_at_consent_expiry_without_transport() {
    let mut fixture = Fixture::new(25);
    let now = fixture.network.now();
    let transport = fixture.network.endpoint(fixture.alice).peer(fixture.to_bob).unwrap();
    let until = transport.ice().permission(now).unwrap().until.unwrap();
    let (header, mut out) = (fixture.next_header(), Vec::new());
    let just_in_time = until.checked_sub(Duration::from_millis(1)).unwrap();
    assert!(fixture.sender.protect_rtp(just_in_time, &header, b"x", &mut out).is_ok());
    let header = fixture.next_header();
    let refused = fixture.sender.protect_rtp(until, &header, b"x", &mut out);
    assert_eq!(refused, Err(SendError::NotPermitted));
}

#[test]
fn sender_of_closed_transport_is_not_connected() {
    let mut fixture = Fixture::new(26);
    let now = fixture.network.now();
    fixture.network.endpoint(fixture.alice).peer_mut(fixture.to_bob).unwrap().close(now);
    assert_eq!(fixture.protect(&mut Vec::new()), Err(SendError::NotConnected));
    assert_eq!(fixture.sender.association(), None);
}

#[test]
fn halves_follow_restart_to_new_keys() {
    let mut fixture = Fixture::new(27);
    let before = fixture.alice_sends().unwrap();
    assert_eq!(fixture.alice_receives(), Ok(before));
    fixture.restart();
    let mut lost = 0;
    for _ in 0..100 {
        fixture.network.run(Duration::from_millis(20));
        lost += usize::from(fixture.alice_sends().is_none());
        lost += usize::from(fixture.alice_receives().is_err());
        fixture.pass_evidence();
    }
    assert_eq!(lost, 0, "{}", fixture.network.trace());
    let after = fixture.alice_sends().unwrap();
    assert!(after > before, "{before:?} {after:?}");
    assert_eq!(fixture.alice_receives(), Ok(after));
    let is_fresh = |outcome: &RestartOutcome| matches!(outcome, RestartOutcome::FreshHandshake { association, .. } if *association == after);
    let reported = fixture
        .network
        .events(fixture.alice)
        .iter()
        .any(|(_, event)| matches!(event, Event::RestartCompleted { outcome, .. } if is_fresh(outcome)));
    assert!(reported, "{:?}", fixture.network.events(fixture.alice));
}

#[test]
fn halves_follow_overlapping_restarts() {
    for gap in [0, 5, 20, 45, 100] {
        let mut fixture = Fixture::new(31);
        let before = fixture.alice_sends().unwrap();
        for _ in 0..4 {
            fixture.restart();
            fixture.network.run(Duration::from_millis(gap));
            assert!(fixture.alice_sends().is_some(), "{gap} ms apart\n{}", fixture.network.trace());
            assert!(fixture.alice_receives().is_ok(), "{gap} ms apart\n{}", fixture.network.trace());
            fixture.pass_evidence();
        }
        for _ in 0..100 {
            fixture.network.run(Duration::from_millis(20));
            assert!(fixture.alice_sends().is_some(), "{gap} ms apart\n{}", fixture.network.trace());
            assert!(fixture.alice_receives().is_ok(), "{gap} ms apart\n{}", fixture.network.trace());
            fixture.pass_evidence();
        }
        let after = fixture.alice_sends().unwrap();
        assert!(after > before);
        assert_eq!(fixture.alice_receives(), Ok(after));
        assert_eq!(fixture.sender.association(), Some(after));
    }
}

//= rfc6347-4.2.8-association-replaced
//= rfc5764-5.2-no-key-fits
#[test]
fn old_keys_read_until_erased() {
    let mut fixture = Fixture::new(28);
    let before = fixture.alice_receives().unwrap();
    let (path, late) = fixture.bob_sends();
    let (_, later) = fixture.bob_sends();
    fixture.restart();
    fixture.network.run(Duration::from_millis(500));
    let after = fixture.alice_receives().unwrap();
    assert_ne!(before, after);
    fixture.pass_evidence();

    let (now, mut late) = (fixture.network.now(), late);
    let media = fixture.receiver.unprotect(now, Datagram::new(path, &mut late)).unwrap();
    assert_eq!(media.association(), Some(before), "reordered by the network");

    fixture.network.run(Duration::from_secs(2));
    let (now, mut later) = (fixture.network.now(), later);
    let refused = fixture.receiver.unprotect(now, Datagram::new(path, &mut later));
    assert!(matches!(refused, Err(Discard::Srtp(_))), "{refused:?}");
}

#[test]
fn evidence_counts_only_authenticated_packets() {
    let mut fixture = Fixture::new(29);
    assert!(fixture.receiver.take_evidence().is_none());
    let association = fixture.alice_receives().unwrap();
    let (path, original) = fixture.bob_sends();
    let now = fixture.network.now();
    let receive = |fixture: &mut Fixture, mut bytes: Vec<u8>| {
        fixture.receiver.unprotect(now, Datagram::new(path, &mut bytes)).map(|_| ())
    };
    let mut forged = original.clone();
    forged[20] ^= 1;
    let unauthenticated = Err(Discard::Srtp(srtp::Discard::Unauthenticated));
    assert_eq!(receive(&mut fixture, forged), unauthenticated);
    assert_eq!(receive(&mut fixture, original.clone()), Ok(()));
    assert_eq!(receive(&mut fixture, original), Err(Discard::Srtp(srtp::Discard::Replayed)));
    assert_eq!(receive(&mut fixture, vec![]), Err(Discard::Empty));
    assert_eq!(receive(&mut fixture, vec![22; 40]), Err(Discard::UnknownClass));
    assert_eq!(receive(&mut fixture, vec![0x80, 200]), Err(Discard::Srtp(srtp::Discard::Malformed)));

    let evidence = fixture.receiver.take_evidence().unwrap();
    assert_eq!((evidence.association(), evidence.packets()), (association, 2));
    assert_eq!((evidence.path(), evidence.at()), (path, now));
    assert!(!evidence.key_nears_limit());
    assert!(fixture.receiver.take_evidence().is_none());
}

#[test]
fn halves_work_on_other_threads() {
    let mut fixture = Fixture::new(30);
    let now = fixture.network.now();
    let (path, mut datagram) = fixture.bob_sends();
    let (mut sender, mut receiver) = (fixture.sender, fixture.receiver);
    let protected = std::thread::spawn(move || {
        let mut out = Vec::new();
        sender.protect_rtp(now, &rtp_header(1, 7), b"other thread", &mut out).map(|sent| (sent, out))
    });
    let opened = std::thread::spawn(move || {
        receiver.unprotect(now, Datagram::new(path, &mut datagram)).map(|media| media.bytes().to_vec())
    });
    assert!(opened.join().unwrap().unwrap().ends_with(b"frame"));
    let (sent, mut out) = protected.join().unwrap().unwrap();
    let path = Path::udp(sent.path.remote(), sent.path.local());
    let received = fixture.network.endpoint(fixture.bob).handle_input(now, Datagram::new(path, &mut out));
    assert!(received.is_some_and(|(_, media)| media.bytes().ends_with(b"other thread")));
}
