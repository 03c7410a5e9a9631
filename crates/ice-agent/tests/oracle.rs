//! Messages of the agents, decoded by another STUN library.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod world;

use std::sync::{Arc, Mutex};

use ice_agent::{Config, IceRole};
use stun_rs::attributes::{ice, stun as base};
use stun_rs::{
    DecoderContextBuilder, HMACKey, MessageClass, MessageDecoderBuilder, StunAttributeType, StunMessage,
    methods,
};
use world::{LEFT, RIGHT, World, lossy, ms};

/// Decodes with validation of MESSAGE-INTEGRITY and FINGERPRINT.
fn decode(bytes: &[u8], password: &str) -> StunMessage {
    let key = HMACKey::new_short_term(password).unwrap();
    let context = DecoderContextBuilder::default().with_key(key).with_validation().build();
    let decoder = MessageDecoderBuilder::default().with_context(context).build();
    let (message, size) = decoder.decode(bytes).unwrap();
    assert_eq!(size, bytes.len());
    message
}

#[test]
fn each_message_has_the_attributes_that_ice_requires() {
    let config = [Config::default(), Config::default()];
    let mut world = World::signalled(1, [IceRole::Controlling, IceRole::Controlling], config);
    let sent = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&sent);
    let mut network = lossy(1, 20);
    world.network = Box::new(move |at, packet| {
        sink.lock().unwrap().push(packet.clone());
        network(at, packet)
    });
    world.run_for(ms(60_000));
    assert!(world.both_selected());
    let parameters = [LEFT, RIGHT].map(|who| world.agents[who].local_parameters().clone());
    let (mut requests, mut successes, mut conflicts, mut nominations) = (0, 0, 0, 0);
    for packet in sent.lock().unwrap().iter() {
        let (ours, theirs) = (&parameters[packet.from], &parameters[1 - packet.from]);
        let class = world::class(&packet.bytes).unwrap();
        // A request is authenticated with the password of its receiver, and so is the response.
        let signer = if class == stun::Class::Request { theirs } else { ours };
        let message = decode(&packet.bytes, signer.password.expose());
        assert_eq!(message.method(), methods::BINDING);
        assert_eq!(message.attributes().last().unwrap().attribute_type(), base::Fingerprint::get_type());
        match message.class() {
            MessageClass::Request => {
                requests += 1;
                let username = message.get::<base::UserName>().unwrap().as_user_name().unwrap();
                assert_eq!(username.as_str(), format!("{}:{}", theirs.ufrag, ours.ufrag));
                let priority = message.get::<ice::Priority>().unwrap().as_priority().unwrap();
                assert_eq!(priority.as_u32() >> 24, 110, "the type preference of peer-reflexive candidates");
                let controlling = message.get::<ice::IceControlling>().is_some();
                let controlled = message.get::<ice::IceControlled>().is_some();
                assert!(controlling != controlled);
                let nominates = message.get::<ice::UseCandidate>().is_some();
                assert!(controlling || !nominates, "only the controlling side nominates");
                nominations += u32::from(nominates);
            }
            MessageClass::SuccessResponse => {
                successes += 1;
                let mapped = message.get::<base::XorMappedAddress>().unwrap();
                let mapped = mapped.as_xor_mapped_address().unwrap();
                assert_eq!(*mapped.socket_address(), packet.path.remote());
            }
            MessageClass::ErrorResponse => {
                let code = message.get::<base::ErrorCode>().unwrap().as_error_code().unwrap();
                assert_eq!(code.error_code().error_code(), 487);
                conflicts += 1;
            }
            MessageClass::Indication => panic!("the agent sends no indications"),
        }
    }
    assert!(requests > 20 && successes > 10 && conflicts >= 1 && nominations >= 1, "{}", world.trace);
}
