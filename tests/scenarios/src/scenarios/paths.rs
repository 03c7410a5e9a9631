//! NATs of every kind, and path changes during a call.

use std::net::SocketAddr;
use std::time::Duration;

use ice_agent::Candidate;
use peer_transport::{Config, State};
use sim::{Class, Link, NatId, NatKind, NodeId, Rng, World};

use super::{Outcome, Scenario, millis};
use crate::call::{Call, Setting, Side, address, restart_options};
use crate::identity::certificate;
use crate::peer_node::PeerNode;

const KINDS: [NatKind; 4] =
    [NatKind::FullCone, NatKind::AddressRestricted, NatKind::PortRestricted, NatKind::Symmetric];

pub(super) fn scenarios() -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for kind in KINDS {
        let subject = format!("{} to a public peer", name(kind));
        scenarios.push(Scenario::new("NAT", subject, move |seed| one_nat(seed, kind)));
    }
    for (index, left) in KINDS.into_iter().enumerate() {
        for right in KINDS.into_iter().skip(index) {
            let expected = if can_connect(left, right) { "meet" } else { "fail in time" };
            let subject = format!("{} and {} {expected}", name(left), name(right));
            scenarios.push(Scenario::new("NAT", subject, move |seed| two_nats(seed, left, right)));
        }
    }
    scenarios.push(Scenario::new("path change", "the NAT reboots, then a restart", rebooted_nat));
    scenarios.push(Scenario::new("path change", "another network, then a restart", another_network));
    scenarios.push(Scenario::new(
        "path change",
        "another network before the old one is gone",
        make_before_break,
    ));
    scenarios
}

const fn name(kind: NatKind) -> &'static str {
    match kind {
        NatKind::FullCone => "full cone",
        NatKind::AddressRestricted => "address-restricted",
        NatKind::PortRestricted => "port-restricted",
        NatKind::Symmetric => "symmetric",
    }
}

/// Hole punching fails where neither side can set_remote the port that the other one uses (RFC 5128 section 3.3): a
/// symmetric NAT uses another port for each destination, and a filter by port drops packets from it.
const fn can_connect(left: NatKind, right: NatKind) -> bool {
    !matches!(
        (left, right),
        (NatKind::Symmetric, NatKind::Symmetric | NatKind::PortRestricted)
            | (NatKind::PortRestricted, NatKind::Symmetric)
    )
}

/// A call in which some sides are behind NATs, with their server-reflexive addresses.
struct NatNetwork {
    call: Call,
    nats: [Option<NatId>; 2],
}

fn neighbourhood(seed: u64, kinds: [Option<NatKind>; 2]) -> NatNetwork {
    let link = Link::new().delay(Duration::from_millis(20)).jitter(Duration::from_millis(10)).loss(0.02);
    let mut world = World::new(seed).with_link(link);
    let mut rng = Rng::labelled(seed, "neighbourhood");
    let mut ids = Vec::new();
    let mut nats = [None; 2];
    for (index, side) in Side::BOTH.into_iter().enumerate() {
        let now = world.now();
        let socket = address(side);
        let peer = PeerNode::new(now, Config::default(), certificate(index), &[socket], &mut rng);
        let id = match kinds[index] {
            None => world.add(side_name(side), socket, peer),
            Some(kind) => {
                let public = [203, 0, 113, u8::try_from(index + 1).unwrap_or(1)];
                let nat = world.add_nat(kind, public.into());
                nats[index] = Some(nat);
                world.add_behind(nat, side_name(side), socket, peer)
            }
        };
        ids.push(id);
        if nats[index].is_some() {
            gather(&mut world, id, socket);
        }
    }
    NatNetwork { call: Call::of(world, [ids[0], ids[1]], true), nats }
}

const fn side_name(side: Side) -> &'static str {
    match side {
        Side::Left => "left",
        Side::Right => "right",
    }
}

/// The address that a STUN server sees becomes a candidate, as in gathering.
fn gather(world: &mut World<PeerNode>, id: NodeId, socket: SocketAddr) {
    let server = SocketAddr::from(([192, 0, 2, 53], 3478));
    let Some(seen) = world.reflexive(id, socket, server) else { return };
    world.act(id, |peer, now| {
        let candidate = Candidate::server_reflexive(seen, socket).expect("a NAT's address is reachable");
        peer.transport.add_local_candidate(now, candidate).expect("one more is not too many");
    });
}

/// One side behind a NAT calls a public one.
///
/// # Errors
///
///
/// A check fails.
pub fn one_nat(seed: u64, kind: NatKind) -> Outcome {
    let mut place = neighbourhood(seed, [Some(kind), None]);
    let took = place.call.connect()?;
    talk(&mut place.call)?;
    Ok(millis(took))
}

/// Both sides behind NATs: they connect, or both fail in time.
///
/// # Errors
///
///
/// A check fails.
pub fn two_nats(seed: u64, left: NatKind, right: NatKind) -> Outcome {
    let mut place = neighbourhood(seed, [Some(left), Some(right)]);
    if can_connect(left, right) {
        let took = place.call.connect()?;
        talk(&mut place.call)?;
        return Ok(millis(took));
    }
    place.call.negotiate(Side::Left)?;
    let took = place.call.wait("both failed", |call| {
        Side::BOTH.iter().all(|side| call.peer(*side).transport.state() == State::Failed)
    })?;
    Ok(millis(took))
}

fn talk(call: &mut Call) -> Result<(), String> {
    call.refused = [Vec::new(), Vec::new()];
    let before = call.ledger();
    call.stream(true);
    call.pass(Duration::from_secs(1))?;
    call.settle()?;
    let after = call.ledger();
    let lost = after.lost_beyond_link - before.lost_beyond_link;
    call.check(lost == 0 && after.refused == 0, format!("{after:?}, {:?}", call.refused))?;
    call.check(after.received > before.received + 40, format!("{after:?}"))
}

/// The NAT drops its mappings during a call. The application restarts, and the call continues on the new mapping.
///
/// # Errors
///
///
/// A check fails.
pub fn rebooted_nat(seed: u64) -> Outcome {
    let mut place = neighbourhood(seed, [Some(NatKind::PortRestricted), None]);
    place.call.connect()?;
    let call = &mut place.call;
    call.stream(true);
    call.pass(Duration::from_millis(500))?;
    if let Some(nat) = place.nats[0] {
        call.world.rebind_nat(nat, None);
    }
    let left = call.id(Side::Left);
    gather(&mut call.world, left, address(Side::Left));
    let start = call.world.elapsed();
    call.restart(Side::Left, restart_options(None))?;
    let took = call.world.elapsed().saturating_sub(start);
    call.pass(Duration::from_secs(1))?;
    call.settle()?;
    talk(call)?;
    Ok(millis(took))
}

/// The left side loses its network and returns on another one.
///
/// # Errors
///
///
/// A check fails.
pub fn another_network(seed: u64) -> Outcome {
    let mut call = Call::new(Setting::new(seed, 0.02));
    call.connect()?;
    call.stream(true);
    call.pass(Duration::from_millis(500))?;
    let (old, new) = (address(Side::Left), SocketAddr::from(([10, 0, 7, 1], 6000)));
    let left = call.id(Side::Left);
    call.world.unbind(old);
    call.world.bind(left, new, None);
    call.world.act(left, |peer, now| {
        let (gone, here) = (Candidate::host(old), Candidate::host(new));
        peer.transport.remove_local_candidate(now, &gone.expect("it was one before"));
        let added = peer.transport.add_local_candidate(now, here.expect("an address of this scenario"));
        added.expect("one candidate is not too many");
    });
    let start = call.world.elapsed();
    call.restart(Side::Left, restart_options(None))?;
    let took = call.world.elapsed().saturating_sub(start);
    call.pass(Duration::from_secs(1))?;
    call.settle()?;
    let selected = call.peer(Side::Left).transport.selected_pair().map(|pair| pair.path.local());
    call.check(selected == Some(new), format!("selected {selected:?}"))?;
    talk(&mut call)?;
    Ok(millis(took))
}

/// The left side has a second network before the first one is gone, prefers it, and restarts on both: no packet is
/// lost, neither at the move nor when the first network ends.
///
/// # Errors
///
///
/// A check fails.
pub fn make_before_break(seed: u64) -> Outcome {
    const HIGHEST: u32 = 0x7fff_ffff;
    let mut call = Call::new(Setting::new(seed, 0.0).by_seed());
    call.connect()?;
    call.stream(true);
    call.pass(Duration::from_millis(500))?;
    let (old, new) = (address(Side::Left), SocketAddr::from(([10, 0, 7, 1], 6000)));
    let left = call.id(Side::Left);
    call.world.bind(left, new, None);
    call.world.act(left, |peer, now| {
        let here = Candidate::host(new).and_then(|candidate| candidate.with_priority(HIGHEST));
        let added = peer.transport.add_local_candidate(now, here.expect("an address of this scenario"));
        added.expect("one more is not too many");
    });
    let start = call.world.elapsed();
    call.restart(Side::Left, restart_options(None))?;
    let took = call.world.elapsed().saturating_sub(start);
    // The old credentials are answered for at most three seconds, and packets are in flight a little longer.
    call.pass(Duration::from_secs(4))?;
    let selected = call.peer(Side::Left).transport.selected_pair().map(|pair| pair.path.local());
    call.check(selected == Some(new), format!("selected {selected:?}"))?;
    call.world.unbind(old);
    call.world.act(left, |peer, now| {
        let gone = Candidate::host(old).expect("it was one before");
        peer.transport.remove_local_candidate(now, &gone);
    });
    call.pass(Duration::from_secs(40))?;
    call.settle()?;
    let ledger = call.ledger();
    call.check(ledger.lost_beyond_link == 0 && ledger.refused == 0, format!("{ledger:?}"))?;
    // Media of both sides; checks of pairs on the old network may get lost.
    let lost = Side::BOTH.map(|side| call.world.tally_of(call.id(side), Class::Rtp).lost);
    call.check(lost == [0, 0], format!("{lost:?} packets went to the old network"))?;
    Ok(millis(took))
}
