//! Restarts between two transports of this crate: fresh handshakes while media continues.

#![expect(clippy::unwrap_used, reason = "a failed scenario stops")]

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
    pair.peer(who).transport.export("EXPERIMENTAL-test", None, &mut out).unwrap();
    out
}

/// Checks that every sent packet arrived once and in order.
#[track_caller]
fn assert_nothing_lost(pair: &Pair) {
    for who in [Alice, Bob] {
        let received: Vec<u32> = pair.peer(who).received.iter().map(|(_, at)| u32::from(*at)).collect();
        let sent = pair.peer(who.other()).sent;
        assert_eq!(received, (1..=sent).collect::<Vec<_>>(), "{who:?}\n{}", pair.trace.join("\n"));
    }
}

#[test]
fn restart_changes_keys_without_media_loss() {
    for versions in VERSIONS {
        for who in [Alice, Bob] {
            let mut pair = Pair::connected_over(versions);
            pair.exchange_media_for(Duration::from_millis(500));
            let before = keys(&pair, Alice);
            pair.restart(who, RestartOptions::default());
            pair.exchange_media_for(Duration::from_secs(2));
            pair.run_for(Duration::from_millis(50));
            assert_eq!((fresh(&pair, Alice), fresh(&pair, Bob)), (1, 1));
            assert_ne!(keys(&pair, Alice), before);
            assert_eq!(keys(&pair, Alice), keys(&pair, Bob));
            assert!(pair.both(State::Connected));
            assert_nothing_lost(&pair);
            for peer in &pair.peers {
                assert_eq!(peer.received.last().map(|(association, _)| *association), Some(2));
            }
        }
    }
}

//= rfc9147-5.11-abandoned
#[test]
fn previous_association_reads_until_drain_ends() {
    for versions in VERSIONS {
        for who in [Alice, Bob] {
            let mut pair = Pair::connected_over(versions);
            // Protected by the previous association, and delivered late.
            let now = pair.now;
            let [soon, late] = [7001_u16, 7002].map(|sequence| {
                let [high, low] = sequence.to_be_bytes();
                let header = [0x80, 96, high, low, 0, 0, 0, 1, 0, 0, 0, 9];
                let mut sealed = Vec::new();
                let _ = pair.transport(Alice).send_rtp(now, &header, b"x", &mut sealed).unwrap();
                sealed
            });
            pair.restart(who, RestartOptions::default());
            pair.run_until("both report the fresh handshake", |pair| {
                fresh(pair, Alice) + fresh(pair, Bob) == 2
            });
            let path = Path::udp(pair.peer(Bob).address, pair.peer(Alice).address);
            let receive = |pair: &mut Pair, mut sealed: Vec<u8>| {
                let now = pair.now;
                let media = pair.transport(Bob).handle_input(now, Datagram::new(path, &mut sealed));
                media.is_some()
            };
            assert!(receive(&mut pair, soon), "{}", pair.trace.join("\n"));
            pair.exchange_media_for(Duration::from_secs(10));
            assert!(!receive(&mut pair, late), "{}", pair.trace.join("\n"));
        }
    }
}

#[test]
fn media_continues_while_awaiting_answer() {
    let mut pair = Pair::connected();
    let now = pair.now;
    pair.transport(Alice).restart(now, RestartOptions::default()).unwrap();
    pair.exchange_media_for(Duration::from_secs(3));
    assert_eq!(pair.peer(Alice).transport.state(), State::Connecting);
    pair.signal(Alice);
    pair.exchange_media_for(Duration::from_secs(1));
    pair.run_for(Duration::from_millis(50));
    assert!(pair.both(State::Connected));
    assert_nothing_lost(&pair);
}

#[test]
fn rotated_certificate_matches_new_fingerprint() {
    for versions in VERSIONS {
        let mut pair = Pair::connected_over(versions);
        let rotated = pair::certificate();
        let fingerprint = rotated.fingerprint(peer_transport::HashAlgorithm::Sha256);
        let certificates = RestartCertificates::Rotate(vec![rotated.clone()]);
        pair.restart(Alice, RestartOptions { certificates, ..RestartOptions::default() });
        assert_eq!(pair.peer(Alice).transport.local_parameters().fingerprints, [fingerprint]);
        pair.exchange_media_for(Duration::from_secs(2));
        pair.run_for(Duration::from_millis(50));
        assert_nothing_lost(&pair);
        let seen = pair.peer(Bob).transport.remote_certificate().unwrap();
        assert_eq!(Some(seen), rotated.chain().next());
    }
}

#[test]
fn rollback_restores_previous_generation() {
    let mut pair = Pair::connected();
    let now = pair.now;
    let before = pair.peer(Alice).transport.local_parameters();
    pair.transport(Alice).restart(now, RestartOptions::default()).unwrap();
    assert_ne!(pair.peer(Alice).transport.local_parameters(), before);
    pair.exchange_media_for(Duration::from_millis(200));
    let now = pair.now;
    pair.transport(Alice).rollback_restart(now).unwrap();
    assert_eq!(pair.peer(Alice).transport.local_parameters(), before);
    pair.exchange_media_for(Duration::from_secs(40));
    pair.run_for(Duration::from_millis(50));
    assert!(pair.both(State::Connected));
    assert_nothing_lost(&pair);
}

#[test]
fn offer_during_local_restart_offer_is_glare() {
    let mut pair = Pair::connected();
    let now = pair.now;
    pair.transport(Alice).restart(now, RestartOptions::default()).unwrap();
    pair.transport(Bob).restart(now, RestartOptions::default()).unwrap();
    let offer = pair.peer(Bob).transport.local_parameters();
    let refused = pair.transport(Alice).set_remote_parameters(now, DescriptionKind::Offer, offer.clone());
    assert_eq!(refused, Err(Error::Glare));
    pair.transport(Alice).rollback_restart(now).unwrap();
    let taken = pair.transport(Alice).set_remote_parameters(now, DescriptionKind::Offer, offer);
    assert!(matches!(taken, Ok(Applied::IceRestart(_))));
    pair.answer(Alice);
    pair.describe_candidates(Bob);
    pair.exchange_media_for(Duration::from_secs(1));
    pair.run_for(Duration::from_millis(50));
    assert!(pair.both(State::Connected));
    assert_eq!(fresh(&pair, Bob), 1);
    assert_nothing_lost(&pair);
}

#[test]
fn changed_ufrag_with_same_password_is_refused() {
    let mut pair = Pair::connected();
    let now = pair.now;
    let mut offer = pair.peer(Alice).transport.local_parameters();
    offer.ice = ice_agent::Parameters::new("changed1".parse().unwrap(), offer.ice.password.clone());
    let refused = pair.transport(Bob).set_remote_parameters(now, DescriptionKind::Offer, offer);
    assert_eq!(refused, Err(Error::Ice(ice_agent::Error::HalfChangedCredentials)));
    pair.exchange_media_for(Duration::from_millis(100));
    assert!(pair.both(State::Connected));
}

#[test]
fn restart_reopens_closed_transport() {
    for versions in VERSIONS {
        for closer in [Alice, Bob] {
            let mut pair = Pair::connected_over(versions);
            let now = pair.now;
            pair.transport(closer).close(now);
            pair.run_until("both are closed", |pair| pair.both(State::Closed));
            pair.restart(Alice, RestartOptions::default());
            pair.run_until("both are connected again", |pair| pair.both(State::Connected));
            pair.exchange_media_for(Duration::from_millis(100));
            pair.run_for(Duration::from_millis(50));
            assert_nothing_lost(&pair);
        }
    }
}

#[test]
fn restart_reopens_failed_transport() {
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
fn second_restart_replaces_first() {
    for versions in VERSIONS {
        let mut pair = Pair::connected_over(versions);
        pair.exchange_media_for(Duration::from_millis(100));
        let now = pair.now;
        let first = pair.transport(Alice).restart(now, RestartOptions::default()).unwrap();
        let second = pair.transport(Alice).restart(now, RestartOptions::default()).unwrap();
        assert_ne!(first, second);
        pair.signal(Alice);
        pair.exchange_media_for(Duration::from_secs(1));
        pair.run_for(Duration::from_millis(50));
        assert_eq!((fresh(&pair, Alice), fresh(&pair, Bob)), (1, 1));
        assert_nothing_lost(&pair);
    }
}

#[test]
fn ten_restarts_lose_no_media() {
    for versions in VERSIONS {
        let mut pair = Pair::connected_over(versions);
        for round in 0..10 {
            pair.restart(if round % 2 == 0 { Alice } else { Bob }, RestartOptions::default());
            pair.exchange_media_for(Duration::from_millis(600));
        }
        pair.run_for(Duration::from_millis(50));
        assert_eq!((fresh(&pair, Alice), fresh(&pair, Bob)), (10, 10));
        assert_nothing_lost(&pair);
    }
}

#[test]
fn on_change_policy_sends_no_client_hello() {
    let config = || Config {
        restart: RestartOptions { dtls: DtlsRestart::OnChange, ..RestartOptions::default() },
        ..Config::default()
    };
    let mut pair = Pair::with(config(), config());
    pair.signal(Alice);
    pair.run_until("both are connected", |pair| pair.both(State::Connected));
    let before = keys(&pair, Alice);
    pair.tap = Box::new(|_, bytes| {
        assert!(bytes[0] != 22, "a plaintext handshake record was sent");
        true
    });
    pair.restart(Alice, RestartOptions { dtls: DtlsRestart::OnChange, ..RestartOptions::default() });
    pair.exchange_media_for(Duration::from_secs(2));
    pair.run_for(Duration::from_millis(50));
    assert!(pair.both(State::Connected));
    assert_eq!((retained(&pair, Alice), retained(&pair, Bob)), (Some(true), Some(true)));
    assert_eq!(keys(&pair, Alice), before);
    assert_nothing_lost(&pair);
}

/// Imitates browsers: no tls-id, and a fresh handshake under an unchanged certificate is ignored. From now on
/// every plaintext DTLS handshake record is lost.
fn restart_like_browsers(pair: &mut Pair, restarting: Who) {
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
fn ignored_handshake_retains_association() {
    let mut pair = Pair::new();
    for (from, kind) in [(Alice, DescriptionKind::Offer), (Bob, DescriptionKind::Answer)] {
        let mut parameters = pair.peer(from).transport.local_parameters();
        parameters.tls_id = None;
        pair.describe(from, kind, parameters);
    }
    pair.run_until("both are connected", |pair| pair.both(State::Connected));
    let before = keys(&pair, Alice);
    restart_like_browsers(&mut pair, Alice);
    let restarted = pair.now;
    while (retained(&pair, Alice).is_none() || retained(&pair, Bob).is_none())
        && pair.now - restarted < Duration::from_secs(6)
    {
        pair.exchange_media_for(Duration::from_millis(20));
    }
    let took = pair.now - restarted;
    assert_eq!((retained(&pair, Alice), retained(&pair, Bob)), (Some(true), Some(true)));
    assert!(took >= Duration::from_secs(4) && took <= Duration::from_secs(5), "{took:?}");
    pair.exchange_media_for(Duration::from_secs(40));
    pair.run_for(Duration::from_millis(50));
    assert!(pair.both(State::Connected));
    assert_eq!(keys(&pair, Alice), before);
    assert_nothing_lost(&pair);
}

/// Sends media in both directions every `pause` between restart and verdict; returns `proven` of both verdicts.
fn verdicts_with_media_interval(pause: Duration) -> (Option<bool>, Option<bool>) {
    let mut pair = Pair::new();
    pair.latency = Duration::from_micros(100);
    for (from, kind) in [(Alice, DescriptionKind::Offer), (Bob, DescriptionKind::Answer)] {
        let mut parameters = pair.peer(from).transport.local_parameters();
        parameters.tls_id = None;
        pair.describe(from, kind, parameters);
    }
    pair.run_until("both are connected", |pair| pair.both(State::Connected));
    restart_like_browsers(&mut pair, Alice);
    for _ in 0..6 * 1000 / pause.as_millis() {
        pair.send_packet(Alice);
        pair.send_packet(Bob);
        pair.run_for(pause);
    }
    (retained(&pair, Alice), retained(&pair, Bob))
}

#[test]
fn media_proves_retention_on_short_path() {
    assert_eq!(verdicts_with_media_interval(Duration::from_millis(20)), (Some(true), Some(true)));
    assert_eq!(verdicts_with_media_interval(Duration::from_millis(900)), (Some(true), Some(true)));
}

#[test]
fn silent_peer_is_retained_without_proof() {
    assert_eq!(verdicts_with_media_interval(Duration::from_secs(6)), (Some(false), Some(false)));
}

#[test]
fn announced_handshake_is_never_retained() {
    let mut pair = Pair::connected();
    let now = pair.now;
    pair.transport(Alice).restart(now, RestartOptions::default()).unwrap();
    pair.signal(Alice);
    pair.tap = Box::new(|_, bytes| bytes.first() != Some(&22));
    pair.exchange_media_for(Duration::from_secs(32));
    assert!(retained(&pair, Alice).is_none() && retained(&pair, Bob).is_none());
    for who in [Alice, Bob] {
        assert!(pair.peer(who).has(|event| matches!(event, Event::RestartFailed { .. })), "{who:?}");
    }
    assert!(pair.both(State::Connected));
    pair.run_for(Duration::from_millis(50));
    assert_nothing_lost(&pair);
}

#[test]
fn restart_derives_roles_again() {
    let mut pair = Pair::connected();
    pair.restart(Alice, RestartOptions { role: Role::Client, ..RestartOptions::default() });
    pair.exchange_media_for(Duration::from_secs(1));
    pair.run_for(Duration::from_millis(50));
    assert_eq!((fresh(&pair, Alice), fresh(&pair, Bob)), (1, 1));
    let hello =
        pair.trace.iter().filter(|line| line.contains("Alice ->") && line.contains("[16, fe")).count();
    assert!(hello > 0, "Alice is the client after the restart");
    assert_nothing_lost(&pair);
}

#[test]
fn restart_survives_loss_of_any_handshake_datagram() {
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
            pair.exchange_media_for(Duration::from_secs(3));
            pair.run_for(Duration::from_millis(50));
            assert_eq!((fresh(&pair, Alice), fresh(&pair, Bob)), (1, 1), "datagram {lost}");
            assert_nothing_lost(&pair);
        }
    }
}

#[test]
fn late_certificate_does_not_fail_restart() {
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

    // Bob answers with another certificate. His previous Certificate message is still in flight after Alice has
    // answered his hello.
    let now = pair.now;
    let certificates = RestartCertificates::Rotate(vec![pair::certificate()]);
    pair.transport(Bob).set_restart_options(RestartOptions { certificates, ..RestartOptions::default() });
    pair.restart(Alice, RestartOptions::default());
    while plaintext(Alice, 2).len() < 2 && pair.now - now < Duration::from_secs(1) {
        pair.exchange_media_for(Duration::from_millis(1));
    }
    let path = Path::udp(pair.peer(Bob).address, pair.peer(Alice).address);
    let latency = std::mem::replace(&mut pair.latency, Duration::from_micros(1));
    pair.send_datagram(Bob, path, certificate);
    pair.latency = latency;
    pair.exchange_media_for(Duration::from_secs(2));
    pair.run_for(Duration::from_millis(50));
    assert!(pair.both(State::Connected), "{}", pair.trace.join("\n"));
    assert_eq!((fresh(&pair, Alice), fresh(&pair, Bob)), (1, 1), "{}", pair.trace.join("\n"));
    assert_nothing_lost(&pair);
}

#[test]
fn late_hello_does_not_disturb_restart() {
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
            pair.exchange_media_for(Duration::from_millis(1));
        }
        assert!(answers() > first, "Alice has answered the new hello\n{}", pair.trace.join("\n"));
        let latency = std::mem::replace(&mut pair.latency, Duration::from_micros(1));
        for (from, hello) in before {
            let path = Path::udp(pair.peer(from).address, pair.peer(from.other()).address);
            pair.send_datagram(from, path, hello);
        }
        pair.latency = latency;
        pair.exchange_media_for(Duration::from_secs(2));
        pair.run_for(Duration::from_millis(50));
        assert!(pair.both(State::Connected), "{}", pair.trace.join("\n"));
        assert_eq!((fresh(&pair, Alice), fresh(&pair, Bob)), (1, 1), "{}", pair.trace.join("\n"));
        assert_eq!(keys(&pair, Alice), keys(&pair, Bob));
        assert_nothing_lost(&pair);
    }
}

/// Alice and Bob after a restart in the manner of browsers: both have retained the association.
fn retained_pair() -> Pair {
    let mut pair = Pair::new();
    for (from, kind) in [(Alice, DescriptionKind::Offer), (Bob, DescriptionKind::Answer)] {
        let mut parameters = pair.peer(from).transport.local_parameters();
        parameters.tls_id = None;
        pair.describe(from, kind, parameters);
    }
    pair.run_until("both are connected", |pair| pair.both(State::Connected));
    restart_like_browsers(&mut pair, Alice);
    pair.run_until("both have decided", |pair| {
        retained(pair, Alice).is_some() && retained(pair, Bob).is_some()
    });
    pair
}

#[test]
fn close_of_retained_association_closes_transport() {
    for closer in [Alice, Bob] {
        let mut pair = retained_pair();
        let now = pair.now;
        pair.transport(closer).close(now);
        pair.run_until("both are closed", |pair| pair.both(State::Closed));
        assert!(!pair.peer(closer.other()).has(|event| matches!(event, Event::Failed(_))));
    }
}

#[test]
fn rollback_leaves_closed_transport_closed() {
    let mut pair = Pair::connected();
    let now = pair.now;
    pair.transport(Alice).close(now);
    pair.run_until("both are closed", |pair| pair.both(State::Closed));
    let now = pair.now;
    pair.transport(Alice).restart(now, RestartOptions::default()).unwrap();
    pair.transport(Alice).restart(now, RestartOptions::default()).unwrap();
    pair.transport(Alice).rollback_restart(now).unwrap();
    assert_eq!(pair.peer(Alice).transport.state(), State::Closed);
    assert_eq!(pair.peer(Alice).transport.poll_timeout(), None);
    pair.restart(Alice, RestartOptions::default());
    pair.run_until("both are connected again", |pair| pair.both(State::Connected));
}

#[test]
fn rollback_leaves_failed_transport_failed() {
    let mut pair = Pair::connected();
    pair.tap = Box::new(|_, _| false);
    pair.run_until("both have failed", |pair| pair.both(State::Failed));
    let now = pair.now;
    pair.transport(Bob).restart(now, RestartOptions::default()).unwrap();
    pair.transport(Bob).rollback_restart(now).unwrap();
    assert_eq!(pair.peer(Bob).transport.state(), State::Failed);
    pair.tap = Box::new(|_, _| true);
    pair.restart(Bob, RestartOptions::default());
    pair.run_until("both are connected again", |pair| pair.both(State::Connected));
}

#[test]
fn rollback_reports_end_of_previous_generation() {
    // The peer closes while the local offer is outstanding.
    let mut pair = Pair::connected();
    let now = pair.now;
    pair.transport(Alice).restart(now, RestartOptions::default()).unwrap();
    pair.transport(Bob).close(now);
    pair.run_for(Duration::from_millis(100));
    let now = pair.now;
    pair.transport(Alice).rollback_restart(now).unwrap();
    assert_eq!(pair.peer(Alice).transport.state(), State::Closed);
    // The peer becomes unreachable while the local offer is outstanding.
    let mut pair = Pair::connected();
    let now = pair.now;
    pair.transport(Alice).restart(now, RestartOptions::default()).unwrap();
    pair.tap = Box::new(|_, _| false);
    pair.run_for(Duration::from_secs(60));
    let now = pair.now;
    pair.transport(Alice).rollback_restart(now).unwrap();
    assert_eq!(pair.peer(Alice).transport.state(), State::Failed);
    pair.run_for(Duration::ZERO);
    assert!(pair.peer(Alice).has(|event| matches!(event, Event::Failed(_))));
}

#[test]
fn refused_client_certificate_keeps_previous_association() {
    for versions in VERSIONS {
        let mut pair = Pair::connected_over(versions);
        let before = keys(&pair, Alice);
        let now = pair.now;
        pair.transport(Alice).restart(now, RestartOptions::default()).unwrap();
        pair.offer(Alice);
        let mut answer = pair.peer(Bob).transport.local_parameters();
        answer.fingerprints = vec![pair::certificate().fingerprint(peer_transport::HashAlgorithm::Sha256)];
        pair.describe(Bob, DescriptionKind::Answer, answer);
        pair.exchange_media_for(Duration::from_secs(40));
        pair.run_for(Duration::from_millis(50));
        assert!(pair.both(State::Connected), "{}", pair.trace.join("\n"));
        assert!(pair.peer(Alice).has(|event| matches!(event, Event::RestartFailed { .. })));
        assert_eq!((keys(&pair, Alice), keys(&pair, Bob)), (before, before));
        assert_nothing_lost(&pair);
    }
}
