//! The sockets, the NATs in front of them, and the link between any two addresses.
//!
//! Decides where a datagram goes; [`world`](crate::world) moves it there.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use crate::link::{Link, LinkState};
use crate::nat::{Nat, NatKind};
use crate::trace::Loss;
use crate::world::NodeId;

/// A NAT of a [`World`](crate::World).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NatId(usize);

#[derive(Clone, Copy, Debug)]
struct Socket {
    owner: NodeId,
    behind: Option<NatId>,
}

#[derive(Debug)]
pub(crate) struct Network {
    seed: u64,
    default_link: Link,
    chosen_links: BTreeMap<(IpAddr, IpAddr), Link>,
    links: BTreeMap<(SocketAddr, SocketAddr), LinkState>,
    sockets: BTreeMap<SocketAddr, Socket>,
    nats: Vec<Nat>,
}

impl Network {
    pub(crate) const fn new(seed: u64) -> Self {
        Self {
            seed,
            default_link: Link::new(),
            chosen_links: BTreeMap::new(),
            links: BTreeMap::new(),
            sockets: BTreeMap::new(),
            nats: Vec::new(),
        }
    }

    pub(crate) fn set_default_link(&mut self, link: Link) {
        self.default_link = link;
        for ((from, to), state) in &mut self.links {
            if !self.chosen_links.contains_key(&(from.ip(), to.ip())) {
                state.change(link);
            }
        }
    }

    pub(crate) fn set_link(&mut self, from: IpAddr, to: IpAddr, link: Link) {
        self.chosen_links.insert((from, to), link);
        for ((source, destination), state) in &mut self.links {
            if (source.ip(), destination.ip()) == (from, to) {
                state.change(link);
            }
        }
    }

    /// The link of one direction between two sockets. Its random numbers come from the seed and the two addresses, so
    /// they do not depend on other traffic or on which side sent first.
    pub(crate) fn link(&mut self, from: SocketAddr, to: SocketAddr) -> &mut LinkState {
        let link = self.chosen_links.get(&(from.ip(), to.ip())).copied().unwrap_or(self.default_link);
        let seed = self.seed;
        self.links.entry((from, to)).or_insert_with(|| LinkState::new(link, seed, format!("{from}>{to}")))
    }

    pub(crate) fn bind(&mut self, address: SocketAddr, owner: NodeId, behind: Option<NatId>) {
        let taken = self.sockets.insert(address, Socket { owner, behind });
        assert!(taken.is_none(), "{address} is bound twice");
    }

    pub(crate) fn unbind(&mut self, address: SocketAddr) {
        self.sockets.remove(&address);
    }

    pub(crate) fn add_nat(&mut self, kind: NatKind, public: IpAddr) -> NatId {
        self.nats.push(Nat::new(kind, public));
        NatId(self.nats.len() - 1)
    }

    pub(crate) fn forget_mappings(&mut self, nat: NatId, public: Option<IpAddr>) {
        if let Some(nat) = self.nats.get_mut(nat.0) {
            nat.forget(public.unwrap_or(nat.public()));
        }
    }

    /// The source address that the destination will see, after the sender's NAT.
    pub(crate) fn leave(
        &mut self,
        owner: NodeId,
        source: SocketAddr,
        destination: SocketAddr,
    ) -> Result<SocketAddr, Loss> {
        let socket = *self.sockets.get(&source).ok_or(Loss::NoSuchSource)?;
        if socket.owner != owner {
            return Err(Loss::NoSuchSource);
        }
        let Some(nat_id) = socket.behind else { return Ok(source) };
        if self.sockets.get(&destination).is_some_and(|peer| peer.behind == Some(nat_id)) {
            return Ok(source);
        }
        let nat = self.nats.get_mut(nat_id.0).ok_or(Loss::NoRoute)?;
        Ok(nat.translate_out(source, destination))
    }

    /// The socket that a datagram reaches, after the receiver's NAT.
    pub(crate) fn arrive(
        &self,
        source: SocketAddr,
        destination: SocketAddr,
    ) -> Result<(NodeId, SocketAddr), Loss> {
        if let Some(nat) = self.nats.iter().find(|nat| nat.public() == destination.ip()) {
            let inner = nat.translate_in(source, destination.port()).ok_or(Loss::Filtered)?;
            let socket = self.sockets.get(&inner).ok_or(Loss::NoRoute)?;
            return Ok((socket.owner, inner));
        }
        let socket = self.sockets.get(&destination).ok_or(Loss::NoRoute)?;
        // Only the NAT's own sockets reach a private address; other sockets have no route to it.
        let same_side = match socket.behind {
            None => true,
            Some(nat) => self.sockets.get(&source).is_some_and(|sender| sender.behind == Some(nat)),
        };
        if same_side { Ok((socket.owner, destination)) } else { Err(Loss::NoRoute) }
    }
}
