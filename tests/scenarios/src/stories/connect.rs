//! Two peers meet: on bad links, without the last flight, and where the certificate is a stranger's.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use dtls_core::{HashAlgorithm, Versions};
use peer_transport::{DescriptionKind, Event, Failure, State};
use sim::{Class, Link, Verdict, describe};

use super::{LOSSES, Outcome, Story, VERSIONS, millis, percent};
use crate::call::{Call, Setting, Side};
use crate::identity::certificate;

pub(super) fn stories() -> Vec<Story> {
    let mut stories = Vec::new();
    for (version, versions) in VERSIONS {
        for loss in LOSSES {
            let subject = format!("DTLS {version}, {}", percent(loss));
            stories.push(Story::new("connect", subject, move |seed| on_a_bad_link(seed, loss, versions)));
        }
    }
    stories.push(Story::new("connect", "reordering, duplication, jitter", on_a_wild_link));
    for lost in 1..=3 {
        let subject = format!("last flight lost {lost}x");
        stories.push(Story::new("connect", subject, move |seed| without_the_last_flight(seed, lost)));
    }
    for (version, versions) in VERSIONS {
        let subject = format!("DTLS {version}, refused before any key");
        stories.push(Story::new("wrong fingerprint", subject, move |seed| {
            with_a_strangers_certificate(seed, versions)
        }));
    }
    stories
}

/// Both connect, and the first second of media arrives but for what the link loses.
///
/// # Errors
/// What went wrong.
pub fn on_a_bad_link(seed: u64, loss: f64, versions: Versions) -> Outcome {
    connect_and_talk(Setting::new(seed, loss).by_seed().with_versions(versions))
}

/// The same where datagrams overtake each other and come twice.
///
/// # Errors
/// What went wrong.
pub fn on_a_wild_link(seed: u64) -> Outcome {
    let mut setting = Setting::new(seed, 0.05).by_seed();
    setting.link = Link::new()
        .delay(Duration::from_millis(30))
        .jitter(Duration::from_millis(30))
        .loss(0.05)
        .reorder(0.2, Duration::from_millis(40))
        .duplicate(0.2);
    connect_and_talk(setting)
}

fn connect_and_talk(setting: Setting) -> Outcome {
    let mut call = Call::new(setting);
    let took = call.connect()?;
    call.stream(true);
    call.pass(Duration::from_secs(1))?;
    call.settle()?;
    let ledger = call.ledger();
    call.insist(ledger.lost_beyond_link == 0 && ledger.refused == 0, format!("{ledger:?}"))?;
    call.insist(ledger.received > 40, format!("{ledger:?}"))?;
    call.insist(call.keys(Side::Left).is_some(), "no keys")?;
    call.insist(call.keys(Side::Left) == call.keys(Side::Right), "different keys")?;
    Ok(millis(took))
}

/// The server's ChangeCipherSpec and Finished of DTLS 1.2 get lost some times: the client asks again, both connect.
///
/// # Errors
/// What went wrong.
pub fn without_the_last_flight(seed: u64, lost: u32) -> Outcome {
    let mut call = Call::new(Setting::new(seed, 0.0).by_seed().with_versions(Versions::Dtls12));
    let dropped = lose_last_flights(&mut call, lost);
    let took = call.connect()?;
    call.insist(dropped.get() == lost, format!("only {} flights were lost", dropped.get()))?;
    Ok(millis(took))
}

/// Drops the next `lost` datagrams with a server's ChangeCipherSpec: those that follow one from the other side.
pub fn lose_last_flights(call: &mut Call, lost: u32) -> Rc<Cell<u32>> {
    let dropped = Rc::new(Cell::new(0));
    let count = Rc::clone(&dropped);
    let mut client = None;
    call.world.tap(move |flight| {
        if Class::of(flight.bytes) != Class::Dtls {
            return Verdict::Pass;
        }
        let what = describe(flight.bytes);
        if what.contains("ClientHello") {
            client = Some(flight.from);
        }
        let is_last = what.contains("ChangeCipherSpec") && client.is_some_and(|client| client != flight.from);
        if is_last && count.get() < lost {
            count.set(count.get() + 1);
            return Verdict::Drop;
        }
        Verdict::Pass
    });
    dropped
}

/// Signalling names another certificate than the peer shows: the side that was misled fails with the reason and an
/// alert before it has any keys, and the other one is not left alone with its own. A client of DTLS 1.3 is connected
/// before its server has seen its certificate, so it may have had keys for a moment.
///
/// # Errors
/// What went wrong.
pub fn with_a_strangers_certificate(seed: u64, versions: Versions) -> Outcome {
    let mut call = Call::new(Setting::new(seed, 0.0).by_seed().with_versions(versions));
    call.tell(Side::Left, DescriptionKind::Offer)?;
    let mut description = call.peer(Side::Right).description();
    description.0.fingerprints = vec![certificate(7).fingerprint(HashAlgorithm::Sha256)];
    let misled = call.id(Side::Left);
    let learnt = call.world.act(misled, |peer, now| peer.learn(now, DescriptionKind::Answer, description));
    learnt.map_err(|error| call.fail(error))?;
    let took = call.wait("both failed", |call| {
        Side::BOTH.iter().all(|side| call.peer(*side).transport.state() == State::Failed)
    })?;
    let reason = |side| {
        call.events(side).find_map(|(_, event)| match event {
            Event::Failed(Failure::Dtls { failure, .. }) => Some(*failure),
            _ => None,
        })
    };
    let refused = dtls_core::Failure::Refused(dtls_core::Refusal::FingerprintMismatch);
    call.insist(reason(Side::Left) == Some(refused), format!("{:?}", reason(Side::Left)))?;
    let told = matches!(reason(Side::Right), Some(dtls_core::Failure::AlertReceived(_)));
    call.insist(told, format!("{:?} where an alert was due", reason(Side::Right)))?;
    for side in Side::BOTH {
        let had = call.events(side).any(|(_, event)| matches!(event, Event::KeysChanged { .. }));
        if side == Side::Left || versions == Versions::Dtls12 {
            call.insist(!had && call.keys(side).is_none(), format!("{side:?} had keys"))?;
        }
    }
    Ok(millis(took))
}
