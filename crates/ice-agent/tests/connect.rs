//! Connection of two agents: roles, addresses, trickle, loss.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod world;

use ice_agent::{
    CandidateKind, Config, Discard, Event, Failure, IceRole, Path, SelectionReason, Side, State,
};
use world::{LEFT, RIGHT, World, address, host, is_request, lossy, ms, perfect};

const APART: [IceRole; 2] = [IceRole::Controlling, IceRole::Controlled];

fn defaults() -> [Config; 2] {
    [Config::default(), Config::default()]
}

#[test]
fn pair_is_usable_after_one_round_trip_and_selected() {
    let mut world = World::signalled(1, APART, defaults());
    world.run_until(ms(25), |world| world.permitted(LEFT));
    world.run_until(ms(1000), World::both_selected);
    for who in [LEFT, RIGHT] {
        assert_eq!(world.states(who), [State::Checking, State::Connected], "{}", world.trace);
        assert_eq!(world.selections(who).len(), 1);
        assert_eq!(world.selections(who)[0].1, SelectionReason::Nominated);
        assert_eq!(world.agents[who].stats().discarded_total(), 0);
    }
    let pair = world.agents[LEFT].selected_pair().unwrap();
    assert_eq!(pair.path, Path::udp(address("192.0.2.1:1000"), address("192.0.2.2:2000")));
    assert_eq!(pair.rtt, Some(ms(20)));
    assert_eq!(pair.remote.kind(), CandidateKind::Host);
}

#[test]
fn agents_connect_with_either_side_controlling() {
    for roles in [APART, [IceRole::Controlled, IceRole::Controlling]] {
        let mut world = World::signalled(2, roles, defaults());
        world.run_until(ms(1000), World::both_selected);
        assert_eq!([world.agents[0].role(), world.agents[1].role()], roles);
    }
}

#[test]
fn role_conflict_ends_with_one_controlling_side() {
    for seed in 0..20 {
        for role in [IceRole::Controlling, IceRole::Controlled] {
            let mut world = World::signalled(seed, [role, role], defaults());
            world.run_until(ms(5000), World::both_selected);
            assert_eq!(world.agents[LEFT].role(), world.agents[RIGHT].role().opposite(), "seed {seed}");
            let changes = world.events.iter().flatten();
            let changes = changes.filter(|event| matches!(event, Event::RoleChanged(_))).count();
            assert_eq!(changes, 1, "seed {seed}\n{}", world.trace);
        }
    }
}

#[test]
fn ipv6_works_and_is_preferred_over_ipv4() {
    let mut world = World::unconnected(3, APART, defaults());
    for (who, v4, v6) in
        [(LEFT, "192.0.2.1:1000", "[2001:db8::1]:1000"), (RIGHT, "192.0.2.2:1", "[2001:db8::2]:1")]
    {
        world.add(who, host(v4));
        world.add(who, host(v6));
    }
    world.exchange_parameters();
    world.exchange_candidates();
    world.run_until(ms(3000), World::both_selected);
    for who in [LEFT, RIGHT] {
        assert!(world.agents[who].selected_pair().unwrap().path.remote().is_ipv6(), "{}", world.trace);
        assert_eq!(world.agents[who].pairs().count(), 2, "families do not mix");
    }
}

#[test]
fn thirty_percent_loss_only_delays_connection() {
    for seed in 0..200 {
        let mut world = World::signalled(seed, APART, defaults());
        world.network = lossy(seed, 30);
        world.run_until(ms(30_000), World::both_selected);
        let pairs = world.agents.iter().map(|agent| agent.selected_pair().unwrap());
        let [left, right] = pairs.collect::<Vec<_>>().try_into().unwrap();
        assert_eq!(left.path.local(), right.path.remote(), "seed {seed}");
    }
}

#[test]
fn checks_are_paced_by_ta_and_retransmitted_after_rto() {
    let mut world = World::unconnected(4, APART, defaults());
    world.add(LEFT, host("192.0.2.1:1000"));
    world.tell_parameters(RIGHT);
    world.network = Box::new(|_, _| Vec::new());
    for port in 1..=4 {
        let candidate = host(&format!("198.51.100.{port}:{port}"));
        world.agents[LEFT].add_remote_candidate(world.now, candidate, None).unwrap();
    }
    world.run_for(ms(600));
    let sent: Vec<_> = world.trace.lines().filter(|line| line.contains("Request")).collect();
    let at: Vec<_> = sent.iter().map(|line| line.trim_start().split(' ').next().unwrap()).collect();
    assert_eq!(
        at,
        ["0.000ns", "50.000ms", "100.000ms", "150.000ms", "500.000ms", "550.000ms", "600.000ms"],
        "{}",
        world.trace
    );
}

#[test]
fn trickled_candidates_work_early_and_late() {
    // Before the parameters.
    let mut world = World::unconnected(5, APART, defaults());
    world.add(LEFT, host("192.0.2.1:1000"));
    world.add(RIGHT, host("192.0.2.2:2000"));
    world.exchange_candidates();
    world.exchange_parameters();
    world.run_until(ms(1000), World::both_selected);
    // Ten seconds after them, from one side only.
    let mut world = World::unconnected(6, APART, defaults());
    world.add(LEFT, host("192.0.2.1:1000"));
    world.add(RIGHT, host("192.0.2.2:2000"));
    world.exchange_parameters();
    world.run_for(ms(10_000));
    world.tell_candidates(RIGHT);
    world.run_until(ms(1000), World::both_selected);
}

#[test]
fn end_of_candidates_allows_immediate_nomination() {
    let time = |complete: bool| {
        let mut world = World::signalled(7, APART, defaults());
        if complete {
            world.agents[LEFT].end_of_local_candidates(world.now);
            world.agents[LEFT].end_of_remote_candidates(world.now, None);
        }
        world.run_until(ms(1000), World::both_selected);
        world.elapsed()
    };
    assert!(time(true) < time(false));
}

#[test]
fn peer_behind_nat_becomes_peer_reflexive_on_both_sides() {
    let (inside, outside) = (address("10.0.0.1:1000"), address("203.0.113.9:40000"));
    let mut world = World::unconnected(8, APART, defaults());
    world.add(LEFT, host("10.0.0.1:1000"));
    world.add(RIGHT, host("192.0.2.2:2000"));
    world.network = Box::new(move |_, mut packet| {
        let (local, remote) = (packet.path.local(), packet.path.remote());
        match packet.from {
            LEFT if local == inside => packet.path = Path::udp(outside, remote),
            RIGHT if remote == outside => packet.path = Path::udp(local, inside),
            _ => return Vec::new(),
        }
        vec![(ms(10), packet)]
    });
    world.exchange_parameters();
    world.exchange_candidates();
    world.run_until(ms(5000), World::both_selected);
    assert_eq!(world.agents[RIGHT].selected_pair().unwrap().remote.kind(), CandidateKind::PeerReflexive);
    assert_eq!(world.agents[RIGHT].selected_pair().unwrap().path.remote(), outside);
    let local = world.agents[LEFT].selected_pair().unwrap().local;
    assert_eq!(
        (local.kind(), local.address(), local.base()),
        (CandidateKind::PeerReflexive, outside, inside)
    );
    for (who, whose) in [(LEFT, Side::Local), (RIGHT, Side::Remote)] {
        let learnt = world.events[who]
            .iter()
            .filter(|event| matches!(event, Event::PeerReflexive { side, .. } if *side == whose));
        assert_eq!(learnt.count(), 1, "{}", world.trace);
    }
}

#[test]
fn announced_address_may_differ_from_the_base() {
    let (public, private) = (address("203.0.113.1:3478"), address("10.1.1.1:3478"));
    let mut world = World::unconnected(9, APART, defaults());
    let candidate = host("203.0.113.1:3478").with_base(private).unwrap();
    world.add(LEFT, candidate);
    world.add(RIGHT, host("192.0.2.2:2000"));
    world.network = Box::new(move |_, mut packet| {
        let (local, remote) = (packet.path.local(), packet.path.remote());
        packet.path = match packet.from {
            LEFT => Path::udp(public, remote),
            _ => Path::udp(local, private),
        };
        vec![(ms(10), packet)]
    });
    world.exchange_parameters();
    world.exchange_candidates();
    world.run_until(ms(1000), World::both_selected);
    let pair = world.agents[LEFT].selected_pair().unwrap();
    assert_eq!((pair.local, pair.path.local()), (candidate, private));
    assert!(!world.trace.contains("PeerReflexive"), "{}", world.trace);
}

#[test]
fn early_checks_are_answered_and_triggered_later() {
    let mut world = World::unconnected(10, APART, defaults());
    world.add(LEFT, host("192.0.2.1:1000"));
    world.add(RIGHT, host("192.0.2.2:2000"));
    // The answerer sends checks while its answer is still on the way to the offerer.
    world.tell_parameters(LEFT);
    world.tell_candidates(LEFT);
    world.run_for(ms(300));
    assert!(world.permitted(RIGHT), "the offerer answered\n{}", world.trace);
    assert!(!world.permitted(LEFT));
    let path = Path::udp(address("192.0.2.1:1000"), address("192.0.2.2:2000"));
    assert!(world.agents[LEFT].may_receive(path));
    world.tell_parameters(RIGHT);
    world.run_until(ms(1000), World::both_selected);
}

#[test]
fn use_candidate_on_the_first_check_is_accepted() {
    // Every request of the controlling side is changed to nominate, as Chromium does.
    let mut world = World::signalled(11, APART, defaults());
    let password = world.agents[RIGHT].local_parameters().password.clone();
    world.network = Box::new(move |_, mut packet| {
        if packet.from == LEFT && is_request(&packet.bytes) {
            packet.bytes = with_use_candidate(&packet.bytes, password.expose());
        }
        vec![(ms(10), packet)]
    });
    world.run_until(ms(60), |world| world.agents[RIGHT].selected_pair().is_some());
}

fn with_use_candidate(request: &[u8], password: &str) -> Vec<u8> {
    let message = stun::Message::decode(request).unwrap();
    let mut bytes = Vec::new();
    let mut writer = stun::MessageWriter::new(&mut bytes, message.message_type(), message.transaction_id());
    for attribute in message.attributes() {
        let _ = writer.attribute(attribute.attribute_type, attribute.value);
    }
    if !message.use_candidate() {
        writer.use_candidate().unwrap();
    }
    writer.finish(Some(&stun::IntegrityKey::short_term(password)));
    bytes
}

#[test]
fn highest_nominated_pair_is_selected() {
    // The controlling side nominates every pair; the better one is only reachable after two seconds.
    let mut world = World::unconnected(12, APART, defaults());
    world.add(LEFT, host("192.0.2.1:1000"));
    world.add(LEFT, host("[2001:db8::1]:1000"));
    world.add(RIGHT, host("192.0.2.2:2000"));
    world.add(RIGHT, host("[2001:db8::2]:2000"));
    let password = world.agents[RIGHT].local_parameters().password.clone();
    world.network = Box::new(move |at, mut packet| {
        if packet.path.local().is_ipv6() && at < ms(2000) {
            return Vec::new();
        }
        if packet.from == LEFT && is_request(&packet.bytes) {
            packet.bytes = with_use_candidate(&packet.bytes, password.expose());
        }
        vec![(ms(10), packet)]
    });
    world.exchange_parameters();
    world.exchange_candidates();
    world.run_for(ms(20_000));
    let selections = world.selections(RIGHT);
    let reasons: Vec<_> = selections.iter().map(|(_, reason)| *reason).collect();
    assert_eq!(reasons, [SelectionReason::Nominated, SelectionReason::HigherPriority], "{}", world.trace);
    assert!(selections[1].0.path.remote().is_ipv6());
}

#[test]
fn unreachable_peer_fails_exactly_when_patience_ends() {
    let mut world = World::signalled(13, APART, defaults());
    world.network = Box::new(|_, _| Vec::new());
    world.run_for(ms(39_499));
    assert!(world.failures(LEFT).is_empty());
    world.run_for(ms(1));
    for who in [LEFT, RIGHT] {
        assert_eq!(world.failures(who), [Failure::NoPairSucceeded]);
        assert_eq!(world.agents[who].state(), State::Failed);
        assert_eq!(world.agents[who].poll_timeout(), None);
    }
}

#[test]
fn wrong_password_is_the_reason_of_the_failure() {
    let mut world = World::unconnected(14, APART, defaults());
    world.add(LEFT, host("192.0.2.1:1000"));
    world.add(RIGHT, host("192.0.2.2:2000"));
    world.exchange_parameters();
    world.exchange_candidates();
    // Responses arrive, but their integrity is changed on the way.
    world.network = Box::new(|_, mut packet| {
        if !is_request(&packet.bytes) {
            packet.bytes = resigned(&packet.bytes, "passwordofanotherpeer1");
        }
        vec![(ms(10), packet)]
    });
    world.run_for(ms(40_000));
    assert!(matches!(world.failures(LEFT)[..], [Failure::IntegrityViolated { .. }]), "{}", world.trace);
    assert!(world.agents[LEFT].stats().discarded(Discard::IntegrityMismatch) > 0);
}

fn resigned(bytes: &[u8], password: &str) -> Vec<u8> {
    let message = stun::Message::decode(bytes).unwrap();
    let mut out = Vec::new();
    let mut writer = stun::MessageWriter::new(&mut out, message.message_type(), message.transaction_id());
    for attribute in message.attributes() {
        let _ = writer.attribute(attribute.attribute_type, attribute.value);
    }
    writer.finish(Some(&stun::IntegrityKey::short_term(password)));
    out
}

#[test]
fn lite_agent_answers_and_detects_silence() {
    let lite = Config { lite: true, ..Config::default() };
    let roles = [IceRole::Controlled, IceRole::Controlling];
    let mut world = World::signalled(15, roles, [Config::default(), lite]);
    world.run_until(ms(3000), World::both_selected);
    assert_eq!(world.agents[LEFT].role(), IceRole::Controlling, "the full side controls");
    assert_eq!(world.agents[RIGHT].stats().checks_sent, 0);
    world.run_for(ms(60_000));
    assert!(world.permitted(LEFT) && world.permitted(RIGHT), "{}", world.trace);
    world.network = Box::new(|_, _| Vec::new());
    world.run_for(ms(31_000));
    assert!(matches!(world.failures(RIGHT)[..], [Failure::PeerSilent { .. }]), "{}", world.trace);
    assert!(matches!(world.failures(LEFT)[..], [Failure::ConsentExpired { .. }]));
}

#[test]
fn equal_seeds_give_equal_traces() {
    let trace_of = |seed| {
        let mut world = World::signalled(seed, [IceRole::Controlling; 2], defaults());
        world.network = lossy(3, 20);
        world.run_for(ms(20_000));
        world.trace
    };
    assert_eq!(trace_of(16), trace_of(16));
    assert_ne!(trace_of(16), trace_of(17));
}

#[test]
fn removed_base_falls_back_or_needs_restart() {
    let mut world = World::unconnected(18, APART, defaults());
    world.add(LEFT, host("192.0.2.1:1000"));
    world.add(LEFT, host("198.51.100.1:1000"));
    world.add(RIGHT, host("192.0.2.2:2000"));
    world.network = perfect();
    world.exchange_parameters();
    world.exchange_candidates();
    world.run_for(ms(3000));
    let first = world.agents[LEFT].selected_pair().unwrap();
    world.agents[LEFT].remove_local_candidate(world.now, &first.local);
    world.run_for(ms(3000));
    let second = world.agents[LEFT].selected_pair().unwrap();
    assert_ne!(first.path, second.path);
    assert_eq!(world.selections(LEFT).last().unwrap().1, SelectionReason::Fallback, "{}", world.trace);
    assert!(!world.agents[LEFT].may_receive(first.path));
    world.agents[LEFT].remove_local_candidate(world.now, &second.local);
    world.run_for(ms(100));
    assert!(world.events[LEFT].iter().any(|event| matches!(event, Event::RestartNeeded { .. })));
    assert!(!world.permitted(LEFT));
}

#[test]
fn all_candidates_of_a_foundation_are_checked() {
    let mut world = World::unconnected(19, APART, defaults());
    world.add(LEFT, host("192.0.2.1:1000"));
    world.add(RIGHT, host("192.0.2.2:2000"));
    // Three ports of one address. Only the last one responds, and the right side cannot reach the left side before that
    // side sends.
    world.tell_parameters(RIGHT);
    world.tell_parameters(LEFT);
    for line in ["udp 2122187007 192.0.2.2 2", "udp 2122186751 192.0.2.2 3", "udp 2122186495 192.0.2.2 2000"]
    {
        let line = format!("candidate:1 1 {line} typ host");
        let ice_agent::CandidateLine::Candidate { candidate, .. } = line.parse().unwrap() else { panic!() };
        world.agents[LEFT].add_remote_candidate(world.now, candidate, None).unwrap();
    }
    world.network = Box::new(|_, packet| match (packet.from, packet.path.remote().port()) {
        (LEFT, 2 | 3) => Vec::new(),
        _ => vec![(ms(10), packet)],
    });
    world.run_until(ms(3_000), World::both_selected);
}

#[test]
fn peer_moving_to_a_lower_pair_is_followed_in_time() {
    // The peer nominates on every check, as Chromium does, and loses its preferred network.
    let mut world = World::unconnected(20, APART, defaults());
    world.add(LEFT, host("192.0.2.1:1000"));
    world.add(LEFT, host("[2001:db8::1]:1000"));
    world.add(RIGHT, host("192.0.2.2:2000"));
    world.add(RIGHT, host("[2001:db8::2]:2000"));
    let password = world.agents[RIGHT].local_parameters().password.clone();
    world.network = Box::new(move |at, mut packet| {
        if packet.path.local().is_ipv6() && at > ms(10_000) {
            return Vec::new();
        }
        if packet.from == LEFT && is_request(&packet.bytes) {
            packet.bytes = with_use_candidate(&packet.bytes, password.expose());
        }
        vec![(ms(10), packet)]
    });
    world.exchange_parameters();
    world.exchange_candidates();
    world.run_for(ms(10_000));
    assert!(world.agents[RIGHT].selected_pair().unwrap().path.remote().is_ipv6());
    world.run_for(ms(17_000));
    assert!(world.agents[RIGHT].selected_pair().unwrap().path.remote().is_ipv4(), "{}", world.trace);
    assert!(world.events[RIGHT].iter().all(|event| !matches!(event, Event::ConsentLost { .. })));
}
