//! The binding policy: authenticated requests that are refused.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod world;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use ice_agent::{
    AttributeType, BindingDecision, BindingPolicy, BindingRequest, Config, ErrorCode, ExtraAttribute,
    Failure, IceRole, Refusal,
};
use world::{LEFT, RIGHT, World, ms};

const APART: [IceRole; 2] = [IceRole::Controlling, IceRole::Controlled];

#[derive(Default)]
struct Gate {
    closed: AtomicBool,
    refusal: Mutex<Option<Refusal>>,
    seen: Mutex<Vec<String>>,
}

impl BindingPolicy for Gate {
    fn decide(&self, request: &BindingRequest<'_>) -> BindingDecision {
        assert!(request.attribute(AttributeType::MESSAGE_INTEGRITY).is_some());
        self.seen.lock().unwrap().push(format!("{} {:?}", request.remote_ufrag(), request.priority()));
        match &*self.refusal.lock().unwrap() {
            Some(refusal) if self.closed.load(Ordering::Relaxed) => BindingDecision::Refuse(refusal.clone()),
            _ => BindingDecision::Allow,
        }
    }
}

#[test]
fn refusal_is_authenticated_with_reason_and_attributes() {
    let gate = Arc::new(Gate::default());
    gate.closed.store(true, Ordering::Relaxed);
    let code = ErrorCode::new(499).unwrap();
    let shard = ExtraAttribute::opaque(AttributeType(0xc0de), b"eu-west").unwrap();
    let refusal = Refusal::new(code).reason("come back later").attribute(shard);
    *gate.refusal.lock().unwrap() = Some(refusal);
    let config = Config { binding_policy: Some(gate.clone()), ..Config::default() };
    let mut world = World::signalled(1, APART, [config, Config::default()]);
    let key = stun::IntegrityKey::short_term(world.agents[LEFT].local_parameters().password.expose());
    let answers = Arc::new(Mutex::new(0));
    let count = Arc::clone(&answers);
    world.network = Box::new(move |_, packet| {
        let message = stun::Message::decode(&packet.bytes).unwrap();
        if packet.from == LEFT && message.message_type().class == stun::Class::Error {
            message.check_fingerprint().unwrap();
            let message = message.verify(&key).unwrap();
            assert_eq!(message.error_code().unwrap(), Some((code, "come back later")));
            assert_eq!(message.attribute(AttributeType(0xc0de)), Some(&b"eu-west"[..]));
            *count.lock().unwrap() += 1;
        }
        vec![(ms(10), packet)]
    });
    world.run_for(ms(40_000));
    assert!(*answers.lock().unwrap() > 0, "{}", world.trace);
    assert!(!world.permitted(RIGHT) && world.failures(RIGHT) == [Failure::NoPairSucceeded]);
    assert!(gate.seen.lock().unwrap().iter().all(|seen| seen.contains("Some(")));
}

#[test]
fn policy_403_ends_a_call_within_one_consent_interval() {
    let gate = Arc::new(Gate::default());
    *gate.refusal.lock().unwrap() = Some(Refusal::new(ErrorCode::FORBIDDEN));
    let config = Config { binding_policy: Some(gate.clone()), ..Config::default() };
    let mut world = World::signalled(2, APART, [config, Config::default()]);
    world.run_for(ms(60_000));
    assert!(world.permitted(LEFT) && world.permitted(RIGHT));
    gate.closed.store(true, Ordering::Relaxed);
    world.run_for(ms(6_100));
    assert!(matches!(world.failures(RIGHT)[..], [Failure::ConsentRevoked { .. }]), "{}", world.trace);
    assert!(world.permitted(LEFT), "the peer still consents to what we send, until it is silent for 30 s");
}

#[test]
fn refused_check_has_no_effect() {
    let gate = Arc::new(Gate::default());
    gate.closed.store(true, Ordering::Relaxed);
    *gate.refusal.lock().unwrap() = Some(Refusal::new(ErrorCode::SERVER_ERROR));
    let config = Config { binding_policy: Some(gate), ..Config::default() };
    let mut world = World::unconnected(3, APART, [config, Config::default()]);
    world.add(LEFT, world::host("192.0.2.1:1000"));
    world.add(RIGHT, world::host("192.0.2.2:2000"));
    world.exchange_parameters();
    world.tell_candidates(LEFT);
    world.run_for(ms(2_000));
    assert_eq!(world.agents[LEFT].pairs().count(), 0);
    assert_eq!(world.agents[LEFT].bound_paths().count(), 0);
    assert!(world.agents[LEFT].stats().requests_received > 0);
}
