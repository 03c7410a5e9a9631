//! Restarts between two of ours: a fresh handshake beside a call that never stops.

#![expect(clippy::unwrap_used, reason = "a story that breaks should stop")]

mod pair;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use pair::{Alice, Bob, Pair, VERSIONS, Who};
use peer_transport::{
    Applied, Config, Datagram, DescriptionKind, DtlsRestart, Error, Event, Path, RestartCertificates,
    RestartOptions, RestartOutcome, Role, State, Versions,
};

fn fresh(pair: &Pair, who: Who) -> usize {
    let is_fresh = |event: &&Event| {
        matches!(event, Event::RestartCompleted { outcome: RestartOutcome::FreshHandshake { .. }, .. })
    };
    pair.peer(who).events.iter().filter(is_fresh).count()
}

fn retained(pair: &Pair, who: Who) -> Option<bool> {
    pair.peer(who).events.iter().find_map(|event| match event {
        Event::RestartCompleted { outcome: RestartOutcome::AssociationRetained { proven, .. }, .. } => {
            Some(*proven)
        }
        _ => None,
    })
}

fn keys(pair: &Pair, who: Who) -> [u8; 32] {
    let mut out = [0; 32];
    pair.peer(who).transport.export("EXPERIMENTAL-story", None, &mut out).unwrap();
    out
}

/// Everything that was sent arrived, in order, once.
#[track_caller]
fn assert_nothing_lost(pair: &Pair) {
    for who in [Alice, Bob] {
        let heard: Vec<u32> = pair.peer(who).heard.iter().map(|(_, at)| u32::from(*at)).collect();
        let sent = pair.peer(who.other()).sent;
        assert_eq!(heard, (1..=sent).collect::<Vec<_>>(), "{who:?}\n{}", pair.trace.join("\n"));
    }
}

#[test]
fn a_restart_brings_new_keys_and_loses_nothing() {
    for versions in VERSIONS {
        for who in [Alice, Bob] {
            let mut pair = Pair::connected_over(versions);
            pair.talk_for(Duration::from_millis(500));
            let before = keys(&pair, Alice);
            pair.restart(who, RestartOptions::default());
            pair.talk_for(Duration::from_secs(2));
            pair.run_for(Duration::from_millis(50));
            assert_eq!((fresh(&pair, Alice), fresh(&pair, Bob)), (1, 1));
            assert_ne!(keys(&pair, Alice), before);
            assert_eq!(keys(&pair, Alice), keys(&pair, Bob));
            assert!(pair.both(State::Connected));
            assert_nothing_lost(&pair);
            for peer in &pair.peers {
                assert_eq!(peer.heard.last().map(|(association, _)| *association), Some(2));
            }
        }
    }
}

//= rfc9147-5.11-abandoned
#[test]
fn the_association_before_is_heard_as_long_as_it_drains_and_then_abandoned() {
    for versions in VERSIONS {
        for who in [Alice, Bob] {
            let mut pair = Pair::connected_over(versions);
            // Sealed by the association before, and late.
            let now = pair.now;
            let [soon, late] = [7001_u16, 7002].map(|sequence| {
                let [high, low] = sequence.to_be_bytes();
                let header = [0x80, 96, high, low, 0, 0, 0, 1, 0, 0, 0, 9];
                let mut sealed = Vec::new();
                let _ = pair.transport(Alice).send_rtp(now, &header, b"x", &mut sealed).unwrap();
                sealed
            });
            pair.restart(who, RestartOptions::default());
            pair.run_until("the handshake is fresh", |pair| fresh(pair, Alice) + fresh(pair, Bob) == 2);
            let path = Path::udp(pair.peer(Bob).address, pair.peer(Alice).address);
            let hear = |pair: &mut Pair, mut sealed: Vec<u8>| {
                let now = pair.now;
                let media = pair.transport(Bob).handle_input(now, Datagram::new(path, &mut sealed));
                media.is_some()
            };
            assert!(hear(&mut pair, soon), "{}", pair.trace.join("\n"));
            pair.talk_for(Duration::from_secs(10));
            assert!(!hear(&mut pair, late), "{}", pair.trace.join("\n"));
        }
    }
}

#[test]
fn media_never_stops_while_the_answer_is_awaited() {
    let mut pair = Pair::connected();
    let now = pair.now;
    pair.transport(Alice).restart(now, RestartOptions::default()).unwrap();
    pair.talk_for(Duration::from_secs(3));
    assert_eq!(pair.peer(Alice).transport.state(), State::Connecting);
    pair.signal(Alice);
    pair.talk_for(Duration::from_secs(1));
    pair.run_for(Duration::from_millis(50));
    assert!(pair.both(State::Connected));
    assert_nothing_lost(&pair);
}

#[test]
fn a_rotated_certificate_is_verified_against_the_new_fingerprint() {
    for versions in VERSIONS {
        let mut pair = Pair::connected_over(versions);
        let rotated = pair::certificate();
        let fingerprint = rotated.fingerprint(peer_transport::HashAlgorithm::Sha256);
        let certificates = RestartCertificates::Rotate(vec![rotated.clone()]);
        pair.restart(Alice, RestartOptions { certificates, ..RestartOptions::default() });
        assert_eq!(pair.peer(Alice).transport.local_parameters().fingerprints, [fingerprint]);
        pair.talk_for(Duration::from_secs(2));
        pair.run_for(Duration::from_millis(50));
        assert_nothing_lost(&pair);
        let seen = pair.peer(Bob).transport.remote_certificate().unwrap();
        assert_eq!(Some(seen), rotated.chain().next());
    }
}

#[test]
fn a_restart_that_is_abandoned_leaves_the_call_as_it_was() {
    let mut pair = Pair::connected();
    let now = pair.now;
    let before = pair.peer(Alice).transport.local_parameters();
    pair.transport(Alice).restart(now, RestartOptions::default()).unwrap();
    assert_ne!(pair.peer(Alice).transport.local_parameters(), before);
    pair.talk_for(Duration::from_millis(200));
    let now = pair.now;
    pair.transport(Alice).abandon_restart(now).unwrap();
    assert_eq!(pair.peer(Alice).transport.local_parameters(), before);
    pair.talk_for(Duration::from_secs(40));
    pair.run_for(Duration::from_millis(50));
    assert!(pair.both(State::Connected));
    assert_nothing_lost(&pair);
}

#[test]
fn an_offer_that_meets_our_own_restart_offer_is_glare() {
    let mut pair = Pair::connected();
    let now = pair.now;
    pair.transport(Alice).restart(now, RestartOptions::default()).unwrap();
    pair.transport(Bob).restart(now, RestartOptions::default()).unwrap();
    let offer = pair.peer(Bob).transport.local_parameters();
    let refused = pair.transport(Alice).set_remote_parameters(now, DescriptionKind::Offer, offer.clone());
    assert_eq!(refused, Err(Error::Glare));
    pair.transport(Alice).abandon_restart(now).unwrap();
    let taken = pair.transport(Alice).set_remote_parameters(now, DescriptionKind::Offer, offer);
    assert!(matches!(taken, Ok(Applied::IceRestart(_))));
    pair.answer(Alice);
    pair.describe_candidates(Bob);
    pair.talk_for(Duration::from_secs(1));
    pair.run_for(Duration::from_millis(50));
    assert!(pair.both(State::Connected));
    assert_eq!(fresh(&pair, Bob), 1);
    assert_nothing_lost(&pair);
}

#[test]
fn a_half_changed_ufrag_is_no_restart() {
    let mut pair = Pair::connected();
    let now = pair.now;
    let mut offer = pair.peer(Alice).transport.local_parameters();
    offer.ice = ice_agent::Parameters::new("changed1".parse().unwrap(), offer.ice.password.clone());
    let refused = pair.transport(Bob).set_remote_parameters(now, DescriptionKind::Offer, offer);
    assert_eq!(refused, Err(Error::Ice(ice_agent::Error::HalfChangedCredentials)));
    pair.talk_for(Duration::from_millis(100));
    assert!(pair.both(State::Connected));
}

#[test]
fn a_restart_opens_a_closed_transport() {
    for versions in VERSIONS {
        for closer in [Alice, Bob] {
            let mut pair = Pair::connected_over(versions);
            let now = pair.now;
            pair.transport(closer).close(now);
            pair.run_until("both are closed", |pair| pair.both(State::Closed));
            pair.restart(Alice, RestartOptions::default());
            pair.run_until("both are connected again", |pair| pair.both(State::Connected));
            pair.talk_for(Duration::from_millis(100));
            pair.run_for(Duration::from_millis(50));
            assert_nothing_lost(&pair);
        }
    }
}

#[test]
fn a_restart_opens_a_failed_transport() {
    for versions in VERSIONS {
        let mut pair = Pair::connected_over(versions);
        pair.tap = Box::new(|_, _| false);
        pair.run_until("both have failed", |pair| pair.both(State::Failed));
        pair.tap = Box::new(|_, _| true);
        pair.restart(Bob, RestartOptions::default());
        pair.run_until("both are connected again", |pair| pair.both(State::Connected));
        assert_eq!((fresh(&pair, Alice), fresh(&pair, Bob)), (1, 1));
    }
}

#[test]
fn a_second_restart_replaces_the_first() {
    for versions in VERSIONS {
        let mut pair = Pair::connected_over(versions);
        pair.talk_for(Duration::from_millis(100));
        let now = pair.now;
        let first = pair.transport(Alice).restart(now, RestartOptions::default()).unwrap();
        let second = pair.transport(Alice).restart(now, RestartOptions::default()).unwrap();
        assert_ne!(first, second);
        pair.signal(Alice);
        pair.talk_for(Duration::from_secs(1));
        pair.run_for(Duration::from_millis(50));
        assert_eq!((fresh(&pair, Alice), fresh(&pair, Bob)), (1, 1));
        assert_nothing_lost(&pair);
    }
}

#[test]
fn ten_restarts_in_a_row_lose_nothing() {
    for versions in VERSIONS {
        let mut pair = Pair::connected_over(versions);
        for round in 0..10 {
            pair.restart(if round % 2 == 0 { Alice } else { Bob }, RestartOptions::default());
            pair.talk_for(Duration::from_millis(600));
        }
        pair.run_for(Duration::from_millis(50));
        assert_eq!((fresh(&pair, Alice), fresh(&pair, Bob)), (10, 10));
        assert_nothing_lost(&pair);
    }
}

#[test]
fn under_on_change_the_association_stays_and_no_clienthello_leaves() {
    let config = || Config {
        restart: RestartOptions { dtls: DtlsRestart::OnChange, ..RestartOptions::default() },
        ..Config::default()
    };
    let mut pair = Pair::with(config(), config());
    pair.signal(Alice);
    pair.run_until("both are connected", |pair| pair.both(State::Connected));
    let before = keys(&pair, Alice);
    pair.tap = Box::new(|_, bytes| {
        assert!(bytes[0] != 22, "a plaintext handshake record left");
        true
    });
    pair.restart(Alice, RestartOptions { dtls: DtlsRestart::OnChange, ..RestartOptions::default() });
    pair.talk_for(Duration::from_secs(2));
    pair.run_for(Duration::from_millis(50));
    assert!(pair.both(State::Connected));
    assert_eq!((retained(&pair, Alice), retained(&pair, Bob)), (Some(true), Some(true)));
    assert_eq!(keys(&pair, Alice), before);
    assert_nothing_lost(&pair);
}

/// A peer like both large browsers: no tls-id, and a fresh handshake under an unchanged certificate is
/// ignored. Bob's DTLS handshake records of a second association are lost on purpose.
fn browser_like(pair: &mut Pair, restarting: Who) {
    let now = pair.now;
    pair.transport(restarting).restart(now, RestartOptions::default()).unwrap();
    for (from, kind) in [(restarting, DescriptionKind::Offer), (restarting.other(), DescriptionKind::Answer)]
    {
        let mut parameters = pair.peer(from).transport.local_parameters();
        parameters.tls_id = None;
        pair.describe(from, kind, parameters);
    }
    pair.tap = Box::new(|_, bytes| bytes.first() != Some(&22));
}

#[test]
fn a_peer_that_ignores_the_fresh_handshake_has_kept_the_association() {
    let mut pair = Pair::new();
    for (from, kind) in [(Alice, DescriptionKind::Offer), (Bob, DescriptionKind::Answer)] {
        let mut parameters = pair.peer(from).transport.local_parameters();
        parameters.tls_id = None;
        pair.describe(from, kind, parameters);
    }
    pair.run_until("both are connected", |pair| pair.both(State::Connected));
    let before = keys(&pair, Alice);
    browser_like(&mut pair, Alice);
    let restarted = pair.now;
    while (retained(&pair, Alice).is_none() || retained(&pair, Bob).is_none())
        && pair.now - restarted < Duration::from_secs(6)
    {
        pair.talk_for(Duration::from_millis(20));
    }
    let took = pair.now - restarted;
    assert_eq!((retained(&pair, Alice), retained(&pair, Bob)), (Some(true), Some(true)));
    assert!(took >= Duration::from_secs(4) && took <= Duration::from_secs(5), "{took:?}");
    pair.talk_for(Duration::from_secs(40));
    pair.run_for(Duration::from_millis(50));
    assert!(pair.both(State::Connected));
    assert_eq!(keys(&pair, Alice), before);
    assert_nothing_lost(&pair);
}

/// Between restart and verdict, Alice and Bob say something every `pause`; returns what the verdicts say of proof.
fn verdicts_with_media_every(pause: Duration) -> (Option<bool>, Option<bool>) {
    let mut pair = Pair::new();
    pair.latency = Duration::from_micros(100);
    for (from, kind) in [(Alice, DescriptionKind::Offer), (Bob, DescriptionKind::Answer)] {
        let mut parameters = pair.peer(from).transport.local_parameters();
        parameters.tls_id = None;
        pair.describe(from, kind, parameters);
    }
    pair.run_until("both are connected", |pair| pair.both(State::Connected));
    browser_like(&mut pair, Alice);
    for _ in 0..6 * 1000 / pause.as_millis() {
        pair.speak(Alice);
        pair.speak(Bob);
        pair.run_for(pause);
    }
    (retained(&pair, Alice), retained(&pair, Bob))
}

#[test]
fn on_a_path_shorter_than_the_pause_between_two_packets_media_still_proves_the_association() {
    assert_eq!(verdicts_with_media_every(Duration::from_millis(20)), (Some(true), Some(true)));
    assert_eq!(verdicts_with_media_every(Duration::from_millis(900)), (Some(true), Some(true)));
}

#[test]
fn a_peer_that_said_nothing_lately_is_judged_without_proof() {
    assert_eq!(verdicts_with_media_every(Duration::from_secs(6)), (Some(false), Some(false)));
}

#[test]
fn a_fresh_handshake_that_signalling_promised_is_never_judged_retained() {
    let mut pair = Pair::connected();
    let now = pair.now;
    pair.transport(Alice).restart(now, RestartOptions::default()).unwrap();
    pair.signal(Alice);
    pair.tap = Box::new(|_, bytes| bytes.first() != Some(&22));
    pair.talk_for(Duration::from_secs(32));
    assert!(retained(&pair, Alice).is_none() && retained(&pair, Bob).is_none());
    for who in [Alice, Bob] {
        assert!(pair.peer(who).has(|event| matches!(event, Event::RestartFailed { .. })), "{who:?}");
    }
    assert!(pair.both(State::Connected));
    pair.run_for(Duration::from_millis(50));
    assert_nothing_lost(&pair);
}

#[test]
fn roles_are_derived_anew() {
    let mut pair = Pair::connected();
    pair.restart(Alice, RestartOptions { role: Role::Client, ..RestartOptions::default() });
    pair.talk_for(Duration::from_secs(1));
    pair.run_for(Duration::from_millis(50));
    assert_eq!((fresh(&pair, Alice), fresh(&pair, Bob)), (1, 1));
    let hello =
        pair.trace.iter().filter(|line| line.contains("Alice ->") && line.contains("[16, fe")).count();
    assert!(hello > 0, "alice sends the ClientHello this time");
    assert_nothing_lost(&pair);
}

#[test]
fn a_restart_survives_loss_of_every_single_handshake_datagram() {
    for versions in VERSIONS {
        for lost in 0..12 {
            let mut pair = Pair::connected_over(versions);
            pair.restart(Alice, RestartOptions::default());
            let mut seen = 0;
            pair.tap = Box::new(move |_, bytes| {
                let handshake = (20..64).contains(&bytes[0]);
                seen += usize::from(handshake);
                !(handshake && seen == lost + 1)
            });
            pair.talk_for(Duration::from_secs(3));
            pair.run_for(Duration::from_millis(50));
            assert_eq!((fresh(&pair, Alice), fresh(&pair, Bob)), (1, 1), "datagram {lost}");
            assert_nothing_lost(&pair);
        }
    }
}

#[test]
fn a_late_certificate_of_the_association_before_does_not_end_the_fresh_handshake() {
    // DTLS 1.3 sends no certificate in plaintext.
    let config = || Config { dtls_versions: Versions::Dtls12, ..Config::default() };
    let mut pair = Pair::with(config(), config());
    let seen = Rc::new(RefCell::new(Vec::new()));
    let tap = Rc::clone(&seen);
    pair.tap = Box::new(move |who, bytes| {
        tap.borrow_mut().push((who, bytes.clone()));
        true
    });
    pair.signal(Alice);
    pair.run_until("both are connected", |pair| pair.both(State::Connected));
    let plaintext = |from: Who, message: u8| {
        let of_kind =
            move |(who, bytes): &&(Who, Vec<u8>)| *who == from && bytes[0] == 22 && bytes[13] == message;
        seen.borrow().iter().filter(of_kind).map(|(_, bytes)| bytes.clone()).collect::<Vec<_>>()
    };
    let certificate = plaintext(Bob, 11).remove(0);

    // Bob answers with another certificate; his old one is still on its way when Alice has answered his hello.
    let now = pair.now;
    let certificates = RestartCertificates::Rotate(vec![pair::certificate()]);
    pair.transport(Bob).set_restart_options(RestartOptions { certificates, ..RestartOptions::default() });
    pair.restart(Alice, RestartOptions::default());
    while plaintext(Alice, 2).len() < 2 && pair.now - now < Duration::from_secs(1) {
        pair.talk_for(Duration::from_millis(1));
    }
    let path = Path::udp(pair.peer(Bob).address, pair.peer(Alice).address);
    let latency = std::mem::replace(&mut pair.latency, Duration::from_micros(1));
    pair.launch(Bob, path, certificate);
    pair.latency = latency;
    pair.talk_for(Duration::from_secs(2));
    pair.run_for(Duration::from_millis(50));
    assert!(pair.both(State::Connected), "{}", pair.trace.join("\n"));
    assert_eq!((fresh(&pair, Alice), fresh(&pair, Bob)), (1, 1), "{}", pair.trace.join("\n"));
    assert_nothing_lost(&pair);
}

#[test]
fn a_late_hello_of_the_association_before_does_not_disturb_the_fresh_handshake() {
    for versions in VERSIONS {
        let config = || Config { dtls_versions: versions, ..Config::default() };
        let mut pair = Pair::with(config(), config());
        let hellos = Rc::new(RefCell::new(Vec::new()));
        let tap = Rc::clone(&hellos);
        pair.tap = Box::new(move |who, bytes| {
            if bytes[0] == 22 && bytes[3..5] == [0, 0] && matches!(bytes[13], 1 | 2) {
                tap.borrow_mut().push((who, bytes.clone()));
            }
            true
        });
        pair.signal(Alice);
        pair.run_until("both are connected", |pair| pair.both(State::Connected));
        let before = hellos.borrow().clone();

        pair.restart(Alice, RestartOptions::default());
        let answers = || hellos.borrow().iter().filter(|(who, _)| *who == Alice).count();
        let (first, now) = (answers(), pair.now);
        while answers() == first && pair.now - now < Duration::from_secs(1) {
            pair.talk_for(Duration::from_millis(1));
        }
        assert!(answers() > first, "Alice has answered the new hello\n{}", pair.trace.join("\n"));
        let latency = std::mem::replace(&mut pair.latency, Duration::from_micros(1));
        for (from, hello) in before {
            let path = Path::udp(pair.peer(from).address, pair.peer(from.other()).address);
            pair.launch(from, path, hello);
        }
        pair.latency = latency;
        pair.talk_for(Duration::from_secs(2));
        pair.run_for(Duration::from_millis(50));
        assert!(pair.both(State::Connected), "{}", pair.trace.join("\n"));
        assert_eq!((fresh(&pair, Alice), fresh(&pair, Bob)), (1, 1), "{}", pair.trace.join("\n"));
        assert_eq!(keys(&pair, Alice), keys(&pair, Bob));
        assert_nothing_lost(&pair);
    }
}

/// Alice and Bob as two browsers would leave them: restarted, the association judged retained by both.
fn judged_retained() -> Pair {
    let mut pair = Pair::new();
    for (from, kind) in [(Alice, DescriptionKind::Offer), (Bob, DescriptionKind::Answer)] {
        let mut parameters = pair.peer(from).transport.local_parameters();
        parameters.tls_id = None;
        pair.describe(from, kind, parameters);
    }
    pair.run_until("both are connected", |pair| pair.both(State::Connected));
    browser_like(&mut pair, Alice);
    pair.run_until("both have judged", |pair| {
        retained(pair, Alice).is_some() && retained(pair, Bob).is_some()
    });
    pair
}

#[test]
fn a_close_under_the_retained_association_ends_the_transport() {
    for closer in [Alice, Bob] {
        let mut pair = judged_retained();
        let now = pair.now;
        pair.transport(closer).close(now);
        pair.run_until("both are closed", |pair| pair.both(State::Closed));
        assert!(!pair.peer(closer.other()).has(|event| matches!(event, Event::Failed(_))));
    }
}

#[test]
fn a_restart_of_a_closed_transport_that_is_abandoned_leaves_it_closed() {
    let mut pair = Pair::connected();
    let now = pair.now;
    pair.transport(Alice).close(now);
    pair.run_until("both are closed", |pair| pair.both(State::Closed));
    let now = pair.now;
    pair.transport(Alice).restart(now, RestartOptions::default()).unwrap();
    pair.transport(Alice).restart(now, RestartOptions::default()).unwrap();
    pair.transport(Alice).abandon_restart(now).unwrap();
    assert_eq!(pair.peer(Alice).transport.state(), State::Closed);
    assert_eq!(pair.peer(Alice).transport.poll_timeout(), None);
    pair.restart(Alice, RestartOptions::default());
    pair.run_until("both are connected again", |pair| pair.both(State::Connected));
}

#[test]
fn a_restart_of_a_failed_transport_that_is_abandoned_leaves_it_failed() {
    let mut pair = Pair::connected();
    pair.tap = Box::new(|_, _| false);
    pair.run_until("both have failed", |pair| pair.both(State::Failed));
    let now = pair.now;
    pair.transport(Bob).restart(now, RestartOptions::default()).unwrap();
    pair.transport(Bob).abandon_restart(now).unwrap();
    assert_eq!(pair.peer(Bob).transport.state(), State::Failed);
    pair.tap = Box::new(|_, _| true);
    pair.restart(Bob, RestartOptions::default());
    pair.run_until("both are connected again", |pair| pair.both(State::Connected));
}

#[test]
fn a_restart_that_is_abandoned_after_the_call_has_ended_says_so() {
    // The peer hangs up while our offer is out.
    let mut pair = Pair::connected();
    let now = pair.now;
    pair.transport(Alice).restart(now, RestartOptions::default()).unwrap();
    pair.transport(Bob).close(now);
    pair.run_for(Duration::from_millis(100));
    let now = pair.now;
    pair.transport(Alice).abandon_restart(now).unwrap();
    assert_eq!(pair.peer(Alice).transport.state(), State::Closed);
    // The peer vanishes while our offer is out.
    let mut pair = Pair::connected();
    let now = pair.now;
    pair.transport(Alice).restart(now, RestartOptions::default()).unwrap();
    pair.tap = Box::new(|_, _| false);
    pair.run_for(Duration::from_secs(60));
    let now = pair.now;
    pair.transport(Alice).abandon_restart(now).unwrap();
    assert_eq!(pair.peer(Alice).transport.state(), State::Failed);
    pair.run_for(Duration::ZERO);
    assert!(pair.peer(Alice).has(|event| matches!(event, Event::Failed(_))));
}

#[test]
fn a_server_that_refuses_the_new_certificate_of_the_client_does_not_end_the_call() {
    for versions in VERSIONS {
        let mut pair = Pair::connected_over(versions);
        let before = keys(&pair, Alice);
        let now = pair.now;
        pair.transport(Alice).restart(now, RestartOptions::default()).unwrap();
        pair.offer(Alice);
        let mut answer = pair.peer(Bob).transport.local_parameters();
        answer.fingerprints = vec![pair::certificate().fingerprint(peer_transport::HashAlgorithm::Sha256)];
        pair.describe(Bob, DescriptionKind::Answer, answer);
        pair.talk_for(Duration::from_secs(40));
        pair.run_for(Duration::from_millis(50));
        assert!(pair.both(State::Connected), "{}", pair.trace.join("\n"));
        assert!(pair.peer(Alice).has(|event| matches!(event, Event::RestartFailed { .. })));
        assert_eq!((keys(&pair, Alice), keys(&pair, Bob)), (before, before));
        assert_nothing_lost(&pair);
    }
}
