//! ICE restarts: make before break, started by either side.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod world;

use ice_agent::{Applied, Config, Discard, Error, Event, Failure, IceRole, Parameters, Path, State, Ufrag};
use world::{LEFT, RIGHT, World, address, host, is_request, lossy, ms};

fn generations_selected(world: &World, who: usize) -> Vec<u32> {
    world.selections(who).iter().map(|(pair, _)| pair.generation.number()).collect()
}

fn moved(world: &World) -> bool {
    world.agents.iter().all(|agent| agent.generation().number() == 1)
}

/// The left side offers a restart and the right side answers, with the same candidates.
fn negotiate(world: &mut World) {
    world.agents[LEFT].restart(world.now).unwrap();
    assert!(matches!(world.tell_parameters(LEFT), Applied::IceRestart(_)));
    assert!(matches!(world.tell_parameters(RIGHT), Applied::IceRestart(_)));
    world.exchange_candidates();
}

#[test]
fn restart_moves_to_the_new_generation_without_gap() {
    let mut world = World::connected(1);
    let old = world.agents[LEFT].local_parameters().clone();
    negotiate(&mut world);
    assert_ne!(world.agents[LEFT].local_parameters().ufrag, old.ufrag);
    let end = world.now + ms(1000);
    while world.step(end) {
        assert!(world.permitted(LEFT) && world.permitted(RIGHT), "{}", world.trace);
    }
    assert!(moved(&world));
    for who in [LEFT, RIGHT] {
        assert_eq!(generations_selected(&world, who), [0, 1]);
        assert_eq!(world.agents[who].state(), State::Connected);
        assert_eq!(world.states(who), [State::Checking, State::Connected], "never left Connected");
    }
    // The 5-tuple is the same, so it was never released.
    assert!(!world.trace.contains("PathReleased"), "{}", world.trace);
}

#[test]
fn old_pair_keeps_consent_during_slow_signalling() {
    let mut world = World::connected(2);
    world.agents[LEFT].restart(world.now).unwrap();
    world.run_for(ms(120_000));
    assert!(world.permitted(LEFT) && world.permitted(RIGHT));
    assert_eq!(world.agents[LEFT].generation().number(), 0);
    world.tell_parameters(LEFT);
    world.tell_parameters(RIGHT);
    world.exchange_candidates();
    world.run_until(ms(1000), moved);
}

#[test]
fn both_sides_may_restart_at_once() {
    let mut world = World::connected(3);
    world.agents[LEFT].restart(world.now).unwrap();
    world.agents[RIGHT].restart(world.now).unwrap();
    world.exchange_parameters();
    world.exchange_candidates();
    world.run_until(ms(1000), moved);
    assert_eq!(generations_selected(&world, LEFT), [0, 1]);
}

#[test]
fn restart_with_loss_keeps_permission_on_both_sides() {
    for seed in 0..100 {
        let mut world = World::connected(seed);
        world.network = lossy(seed, 30);
        negotiate(&mut world);
        let end = world.now + ms(20_000);
        while !moved(&world) && world.step(end) {
            assert!(world.permitted(LEFT) && world.permitted(RIGHT), "seed {seed}\n{}", world.trace);
        }
        assert!(moved(&world), "seed {seed}\n{}", world.trace);
    }
}

#[test]
fn equal_parameters_are_ignored_and_half_changes_refused() {
    let mut world = World::connected(4);
    assert_eq!(world.tell_parameters(LEFT), Applied::Unchanged);
    let known = world.agents[LEFT].local_parameters().clone();
    let other = "otherpasswordotherpassword".parse().unwrap();
    let half = Parameters::new(known.ufrag.clone(), other);
    let now = world.now;
    assert_eq!(world.agents[RIGHT].set_remote_parameters(now, half), Err(Error::HalfChangedCredentials));
    let half = Parameters::new("other".parse().unwrap(), known.password);
    assert_eq!(world.agents[RIGHT].set_remote_parameters(now, half), Err(Error::HalfChangedCredentials));
    assert_eq!(world.agents[RIGHT].next_generation(), None);
    assert!(world.permitted(RIGHT));
}

#[test]
fn old_parameters_are_refused_during_a_restart() {
    let mut world = World::connected(5);
    let before = world.agents[LEFT].local_parameters().clone();
    world.agents[LEFT].restart(world.now).unwrap();
    world.tell_parameters(LEFT);
    let now = world.now;
    assert_eq!(world.agents[RIGHT].set_remote_parameters(now, before), Err(Error::CredentialsChanged));
}

#[test]
fn restart_before_start_is_an_error_without_effect() {
    let mut world = World::unconnected(
        6,
        [IceRole::Controlling, IceRole::Controlled],
        [Config::default(), Config::default()],
    );
    let before = world.agents[LEFT].local_parameters().clone();
    assert_eq!(world.agents[LEFT].restart(world.now), Err(Error::NotStarted));
    assert_eq!(world.agents[LEFT].rollback_restart(world.now), Err(Error::NoRestart));
    assert_eq!(*world.agents[LEFT].local_parameters(), before);
    assert_eq!(world.agents[LEFT].state(), State::New);
}

#[test]
fn rolled_back_restart_returns_to_the_current_generation() {
    let mut world = World::connected(7);
    let before = world.agents[LEFT].local_parameters().clone();
    let generation = world.agents[LEFT].restart(world.now).unwrap();
    world.agents[LEFT].rollback_restart(world.now).unwrap();
    world.run_for(ms(100));
    assert_eq!(*world.agents[LEFT].local_parameters(), before);
    assert!(world.events[LEFT].contains(&Event::GenerationEnded(generation)));
    assert!(world.permitted(LEFT));
}

#[test]
fn restart_during_a_restart_replaces_it() {
    let mut world = World::connected(8);
    let first = world.agents[LEFT].restart(world.now).unwrap();
    world.tell_parameters(LEFT);
    let second = world.agents[LEFT].restart(world.now).unwrap();
    assert_ne!(first, second);
    assert!(matches!(world.tell_parameters(LEFT), Applied::IceRestart(_)));
    assert!(matches!(world.tell_parameters(RIGHT), Applied::IceRestart(_)));
    world.exchange_candidates();
    world.run_until(ms(1000), |world| world.agents.iter().all(|agent| agent.generation().number() == 2));
}

#[test]
fn failed_restart_does_not_change_the_call() {
    let mut world = World::connected(9);
    negotiate(&mut world);
    let new: Vec<Ufrag> = world.agents.iter().map(|agent| agent.local_parameters().ufrag.clone()).collect();
    world.network = Box::new(move |_, packet| {
        let text = String::from_utf8_lossy(&packet.bytes).into_owned();
        let of_new = is_request(&packet.bytes) && new.iter().any(|ufrag| text.contains(ufrag.as_str()));
        if of_new { Vec::new() } else { vec![(ms(10), packet)] }
    });
    world.run_for(ms(45_000));
    for who in [LEFT, RIGHT] {
        assert_eq!(world.failures(who), [Failure::NoPairSucceeded], "{}", world.trace);
        assert_eq!(world.agents[who].state(), State::Connected);
        assert!(world.permitted(who));
    }
}

#[test]
fn restart_works_after_failure_and_close() {
    for close in [false, true] {
        let mut world = World::connected(10);
        if close {
            world.agents[LEFT].close(world.now);
            assert_eq!(world.agents[LEFT].state(), State::Closed);
            assert_eq!(world.agents[LEFT].poll_timeout(), None);
        }
        world.network = Box::new(|_, _| Vec::new());
        world.run_for(ms(31_000));
        assert!(!world.permitted(LEFT) && !world.permitted(RIGHT));
        world.network = world::perfect();
        negotiate(&mut world);
        world.run_until(ms(1000), moved);
        assert!(world.permitted(LEFT) && world.permitted(RIGHT), "{}", world.trace);
    }
}

#[test]
fn old_credentials_are_answered_for_3_s_at_most() {
    for (after, answered) in [(ms(2_999), true), (ms(3_000), false)] {
        let mut world = World::connected(11);
        // The peer's last consent check under the old credentials, captured on the way.
        let caught = std::sync::Arc::new(std::sync::Mutex::new(None));
        let sink = std::sync::Arc::clone(&caught);
        world.network = Box::new(move |_, packet| {
            if packet.from == RIGHT && is_request(&packet.bytes) {
                *sink.lock().unwrap() = Some(packet.clone());
            }
            vec![(ms(10), packet)]
        });
        world.run_for(ms(6_000));
        let old = caught.lock().unwrap().clone().unwrap();
        world.network = world::perfect();
        negotiate(&mut world);
        world.run_until(ms(1000), |world| world.agents[LEFT].generation().number() == 1);
        // From now on the peer proves nothing.
        world.network = Box::new(|_, _| Vec::new());
        let selected = world.now;
        world.run_for(after);
        assert_eq!(world.now, selected + after);
        let before = world.agents[LEFT].stats().responses_sent;
        world.deliver(&old);
        let stats = world.agents[LEFT].stats();
        assert_eq!(stats.responses_sent > before, answered, "{}", world.trace);
        assert_eq!(stats.discarded(Discard::EndedGeneration) == 0, answered);
    }
}

#[test]
fn abandoned_base_is_no_longer_answered() {
    let mut world = World::connected(12);
    let caught = std::sync::Arc::new(std::sync::Mutex::new(None));
    let sink = std::sync::Arc::clone(&caught);
    world.network = Box::new(move |_, packet| {
        if packet.from == RIGHT && is_request(&packet.bytes) {
            *sink.lock().unwrap() = Some(packet.clone());
        }
        vec![(ms(10), packet)]
    });
    world.run_for(ms(6_000));
    let old = caught.lock().unwrap().clone().unwrap();
    // The left side gets a candidate of higher priority, and the restart selects it.
    world.add(LEFT, host("[2001:db8::1]:1000"));
    world.add(RIGHT, host("[2001:db8::2]:2000"));
    negotiate(&mut world);
    world.run_until(ms(1000), moved);
    assert!(world.agents[LEFT].selected_pair().unwrap().path.local().is_ipv6());
    world.deliver(&old);
    assert_eq!(world.agents[LEFT].stats().discarded(Discard::EndedGeneration), 1);
    world.run_for(ms(4_000));
    let left_behind = Path::udp(address("192.0.2.1:1000"), address("192.0.2.2:2000"));
    assert!(world.events[LEFT].iter().any(|event| matches!(event, Event::GenerationEnded(_))));
    // If the new generation checked the old 5-tuple too, it stays bound.
    let bound = world.agents[LEFT].bound_paths().any(|path| path == left_behind);
    assert_eq!(world.agents[LEFT].may_receive(left_behind), bound);
}

#[test]
fn late_candidate_stays_in_its_old_generation() {
    let mut world = World::connected(13);
    let old = world.agents[RIGHT].local_parameters().ufrag.clone();
    negotiate(&mut world);
    let now = world.now;
    let late = host("198.51.100.7:7");
    world.agents[LEFT].add_remote_candidate(now, late, Some(&old)).unwrap();
    let generations: Vec<_> = world.agents[LEFT]
        .pairs()
        .filter(|pair| pair.remote.address() == late.address())
        .map(|pair| pair.generation.number())
        .collect();
    assert_eq!(generations, [0]);
    let unknown = "unknown".parse().unwrap();
    assert_eq!(world.agents[LEFT].add_remote_candidate(now, late, Some(&unknown)), Err(Error::UnknownUfrag));
}

#[test]
fn response_403_for_old_credentials_spares_the_restart() {
    let mut world = World::connected(14);
    let generation = world.agents[LEFT].restart(world.now).unwrap();
    world.agents[RIGHT].revoke_consent(world.now);
    world.run_for(ms(6_100));
    assert!(matches!(world.failures(LEFT)[..], [Failure::ConsentRevoked { .. }]), "{}", world.trace);
    assert_eq!(world.agents[LEFT].state(), State::Checking);
    assert_eq!(world.agents[LEFT].next_generation(), Some(generation));
    assert!(matches!(world.tell_parameters(LEFT), Applied::IceRestart(_)));
    assert!(matches!(world.tell_parameters(RIGHT), Applied::IceRestart(_)));
    world.exchange_candidates();
    world.run_until(ms(1000), moved);
    assert!(world.permitted(LEFT) && world.permitted(RIGHT));
}

#[test]
fn revocation_during_a_restart_ends_both_generations() {
    for answered in [false, true] {
        let mut world = World::connected(15);
        world.agents[LEFT].restart(world.now).unwrap();
        if answered {
            world.tell_parameters(LEFT);
            world.tell_parameters(RIGHT);
        }
        world.agents[LEFT].revoke_consent(world.now);
        assert_eq!(world.agents[LEFT].state(), State::Failed);
        assert_eq!(world.agents[LEFT].poll_timeout(), None);
        assert!(!world.permitted(LEFT));
    }
}

#[test]
fn role_can_be_set_before_the_remote_parameters() {
    let mut world = World::connected(16);
    world.agents[LEFT].set_role(world.now, IceRole::Controlled);
    assert_eq!(world.agents[LEFT].role(), IceRole::Controlling);
    let config = [Config::default(), Config::default()];
    let mut world = World::unconnected(17, [IceRole::Controlled, IceRole::Controlled], config);
    world.agents[LEFT].set_role(world.now, IceRole::Controlling);
    assert_eq!(world.agents[LEFT].role(), IceRole::Controlling);
    world.add(LEFT, host("192.0.2.1:1000"));
    world.add(RIGHT, host("192.0.2.2:2000"));
    world.exchange_parameters();
    world.exchange_candidates();
    world.run_until(ms(1000), World::both_selected);
    assert!(!world.trace.contains("RoleChanged"), "{}", world.trace);
}

#[test]
fn only_a_restart_of_the_peer_opens_a_closed_agent() {
    let mut world = World::connected(18);
    world.agents[LEFT].close(world.now);
    let (now, known) = (world.now, world.agents[RIGHT].local_parameters().clone());
    assert_eq!(world.agents[LEFT].set_remote_parameters(now, known), Err(Error::Closed));
    assert_eq!(world.agents[LEFT].add_remote_candidate(now, host("192.0.2.2:9"), None), Err(Error::Closed));
    world.agents[RIGHT].restart(world.now).unwrap();
    assert!(matches!(world.tell_parameters(RIGHT), Applied::IceRestart(_)));
    assert!(matches!(world.tell_parameters(LEFT), Applied::IceRestart(_)));
    world.exchange_candidates();
    world.run_until(ms(1000), moved);
    assert_eq!(world.agents[LEFT].state(), State::Connected);
}

#[test]
fn data_on_a_new_path_retires_the_old_generation() {
    let mut world = World::connected(19);
    let base = host("192.0.2.1:1000");
    world.agents[LEFT].restart(world.now).unwrap();
    // A new socket for the new generation. The old one is used until the new one is selected.
    world.add(LEFT, host("[2001:db8::1]:1000"));
    world.add(RIGHT, host("[2001:db8::2]:2000"));
    let blocked = base.address();
    world.network = Box::new(move |_, packet| {
        let old = packet.path.local() == blocked || packet.path.remote() == blocked;
        if old { Vec::new() } else { vec![(ms(10), packet)] }
    });
    world.tell_parameters(LEFT);
    world.tell_parameters(RIGHT);
    world.exchange_candidates();
    world.run_until(ms(3000), moved);
    let retired =
        |world: &World| world.events[LEFT].iter().any(|event| matches!(event, Event::GenerationEnded(_)));
    let path = world.agents[LEFT].selected_pair().unwrap().path;
    assert!(path.local().is_ipv6() && !retired(&world), "{}", world.trace);
    world.agents[LEFT].note_authenticated(world.now, path);
    world.drain();
    assert!(retired(&world), "{}", world.trace);
}
