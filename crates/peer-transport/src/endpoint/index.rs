//! The index from username fragments, paths and STUN transactions to peers.
//!
//! Knows ids. Does not know peers. Accepts only what peers report: a path is bound by authenticated STUN, never
//! by a mere datagram from it.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use ice_agent::{Path, Ufrag};

use super::keyed::{Keyed, PathKey};
use super::{ForwardTag, PeerId};

/// RFC 8489 section 6.2.1 ends a transaction 39.5 s after its first transmission; a later response matches
/// nothing.
const TRANSACTION_LIFETIME: Duration = Duration::from_secs(40);

/// The checks that one peer can have outstanding: the 100 pairs of a checklist (RFC 8445 section 6.1.2.5), and
/// as many again for triggered checks and consent.
const MAX_TRANSACTIONS_PER_PEER: usize = 256;

pub(super) type TransactionId = [u8; 12];

pub(super) struct Index {
    ufrags: HashMap<Ufrag, PeerId, Keyed>,
    paths: HashMap<PathKey, PathClaims, Keyed>,
    transactions: HashMap<TransactionId, PeerId, Keyed>,
    forwards: HashMap<PathKey, ForwardTag, Keyed>,
}

/// The peers that are bound to one path: the one that receives its datagrams, and the waiting ones.
///
/// A peer that sends on the path takes precedence. To select a pair it needed a response from the address,
/// while a request may have a forged source address. Among equals the first one keeps the path.
struct PathClaims {
    active: Claim,
    waiting: Vec<Claim>,
}

#[derive(Clone, Copy)]
struct Claim {
    peer: PeerId,
    is_selected: bool,
}

/// The index entries of one peer. They are stored with the peer, so that no search is necessary.
#[derive(Default)]
pub(super) struct Entries {
    ufrags: Vec<Ufrag>,
    paths: Vec<Path>,
    selected: Option<Path>,
    /// The oldest first.
    transactions: VecDeque<(Instant, TransactionId)>,
}

impl Index {
    pub(super) fn new(keyed: &Keyed) -> Self {
        Self {
            ufrags: HashMap::with_hasher(keyed.clone()),
            paths: HashMap::with_hasher(keyed.clone()),
            transactions: HashMap::with_hasher(keyed.clone()),
            forwards: HashMap::with_hasher(keyed.clone()),
        }
    }

    /// The peer with this local username fragment.
    pub(super) fn by_ufrag(&self, ufrag: &str) -> Option<PeerId> {
        self.ufrags.get(ufrag).copied()
    }

    /// The peer that sent the request of this transaction.
    pub(super) fn by_transaction(&self, transaction: &TransactionId) -> Option<PeerId> {
        self.transactions.get(transaction).copied()
    }

    /// The peer that sends on this path, otherwise the first that was authenticated there and still is.
    pub(super) fn by_path(&self, path: &Path) -> Option<PeerId> {
        self.paths.get(&PathKey(*path)).map(|holders| holders.active.peer)
    }

    /// The tag of a forwarded path.
    pub(super) fn forward(&self, path: &Path) -> Option<ForwardTag> {
        self.forwards.get(&PathKey(*path)).copied()
    }

    /// The number of forwarded paths.
    pub(super) fn forwards(&self) -> usize {
        self.forwards.len()
    }

    pub(super) fn set_forward(&mut self, path: Path, tag: Option<ForwardTag>) {
        match tag {
            Some(tag) => self.forwards.insert(PathKey(path), tag),
            None => self.forwards.remove(&PathKey(path)),
        };
    }

    /// Replaces the username fragments of a peer. If two peers have the same fragment, the older one keeps it.
    pub(super) fn sync_ufrags<'u, I: Iterator<Item = &'u Ufrag>>(
        &mut self,
        id: PeerId,
        entries: &mut Entries,
        current: impl Fn() -> I,
    ) {
        entries.ufrags.retain(|known| {
            let is_current = current().any(|ufrag| ufrag == known);
            if !is_current && self.ufrags.get(known) == Some(&id) {
                self.ufrags.remove(known);
            }
            is_current
        });
        for ufrag in current() {
            if !entries.ufrags.contains(ufrag) {
                entries.ufrags.push(ufrag.clone());
                self.ufrags.entry(ufrag.clone()).or_insert(id);
            }
        }
    }

    /// Replaces the paths of a peer by the first `max` of `current`. The peer sends on `selected`.
    pub(super) fn sync_paths<I: Iterator<Item = Path>>(
        &mut self,
        id: PeerId,
        entries: &mut Entries,
        current: impl Fn() -> I,
        max: usize,
        selected: Option<Path>,
    ) {
        let Entries { paths, selected: recorded, .. } = entries;
        paths.retain(|known| {
            let is_current = current().take(max).any(|path| path == *known);
            if !is_current {
                self.release(id, known);
                // If it is bound again, it must be marked again.
                *recorded = recorded.filter(|selected| selected != known);
            }
            is_current
        });
        for path in current().take(max) {
            if !paths.contains(&path) {
                paths.push(path);
                self.bind(id, path);
            }
        }
        if *recorded != selected {
            self.mark(id, *recorded, false);
            self.mark(id, selected, true);
            // Only a bound path was marked.
            *recorded = selected.filter(|selected| paths.contains(selected));
        }
    }

    /// Records that a peer sent a request. A retransmission changes nothing.
    pub(super) fn sent(
        &mut self,
        now: Instant,
        id: PeerId,
        entries: &mut Entries,
        transaction: TransactionId,
    ) {
        if self.transactions.contains_key(&transaction) {
            return;
        }
        let known = &mut entries.transactions;
        while let Some((at, oldest)) = known.front().copied() {
            let expired = now.saturating_duration_since(at) > TRANSACTION_LIFETIME;
            if !expired && known.len() < MAX_TRANSACTIONS_PER_PEER {
                break;
            }
            known.pop_front();
            self.transactions.remove(&oldest);
        }
        known.push_back((now, transaction));
        self.transactions.insert(transaction, id);
    }

    /// Removes the entries of a peer.
    pub(super) fn remove(&mut self, id: PeerId, entries: &mut Entries) {
        self.sync_ufrags(id, entries, std::iter::empty);
        self.sync_paths(id, entries, std::iter::empty, 0, None);
        for (_, transaction) in entries.transactions.drain(..) {
            self.transactions.remove(&transaction);
        }
    }

    fn bind(&mut self, id: PeerId, path: Path) {
        let claim = Claim { peer: id, is_selected: false };
        self.paths
            .entry(PathKey(path))
            .and_modify(|holders| holders.waiting.push(claim))
            .or_insert_with(|| PathClaims { active: claim, waiting: Vec::new() });
    }

    fn mark(&mut self, id: PeerId, path: Option<Path>, is_selected: bool) {
        let holders = path.and_then(|path| self.paths.get_mut(&PathKey(path)));
        if let Some(holders) = holders {
            holders.mark(id, is_selected);
        }
    }

    fn release(&mut self, id: PeerId, path: &Path) {
        let Some(holders) = self.paths.get_mut(&PathKey(*path)) else {
            return;
        };
        if holders.active.peer != id {
            holders.waiting.retain(|claim| claim.peer != id);
        } else if holders.waiting.is_empty() {
            self.paths.remove(&PathKey(*path));
        } else {
            holders.active = holders.waiting.remove(holders.next_waiting());
        }
    }
}

impl PathClaims {
    /// Records whether a peer sends on the path.
    fn mark(&mut self, peer: PeerId, is_selected: bool) {
        let claims = std::iter::once(&mut self.active).chain(&mut self.waiting);
        if let Some(claim) = claims.into_iter().find(|claim| claim.peer == peer) {
            claim.is_selected = is_selected;
        }
        let first = self.next_waiting();
        if let Some(next) = self.waiting.get_mut(first)
            && next.is_selected
            && !self.active.is_selected
        {
            std::mem::swap(&mut self.active, next);
            // The demoted peer was the first of those that do not send.
            let demoted = self.waiting.remove(first);
            self.waiting.insert(0, demoted);
        }
    }

    /// The position of the next peer in `waiting`.
    fn next_waiting(&self) -> usize {
        self.waiting.iter().position(|claim| claim.is_selected).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use ice_agent::{Path, Seed, Ufrag};

    use super::{Entries, Index, Keyed, MAX_TRANSACTIONS_PER_PEER, PeerId, TRANSACTION_LIFETIME};

    fn index() -> Index {
        Index::new(&Keyed::from_seed(&Seed::new([1; 32])))
    }

    fn peer(slot: u32) -> (PeerId, Entries) {
        (PeerId::new(slot, 0), Entries::default())
    }

    fn path(port: u16) -> Path {
        Path::udp("192.0.2.1:443".parse().unwrap(), ([192, 0, 2, 2], port).into())
    }

    fn bind(index: &mut Index, id: PeerId, entries: &mut Entries, ports: &[u16]) {
        index.sync_paths(id, entries, || ports.iter().map(|port| path(*port)), 64, None);
    }

    fn select(index: &mut Index, id: PeerId, entries: &mut Entries, port: Option<u16>) {
        index.sync_paths(id, entries, || [path(1)].into_iter(), 64, port.map(path));
    }

    #[test]
    fn released_path_goes_to_next_peer() {
        let mut index = index();
        let [(a, mut of_a), (b, mut of_b), (c, mut of_c)] = [peer(0), peer(1), peer(2)];
        bind(&mut index, a, &mut of_a, &[1]);
        bind(&mut index, b, &mut of_b, &[1]);
        bind(&mut index, c, &mut of_c, &[1]);
        assert_eq!(index.by_path(&path(1)), Some(a));

        bind(&mut index, b, &mut of_b, &[]);
        assert_eq!(index.by_path(&path(1)), Some(a));
        bind(&mut index, a, &mut of_a, &[]);
        assert_eq!(index.by_path(&path(1)), Some(c));
        index.remove(c, &mut of_c);
        assert_eq!(index.by_path(&path(1)), None);
        assert!(index.paths.is_empty());
    }

    #[test]
    fn sending_peer_takes_precedence_on_path() {
        let mut index = index();
        let [(a, mut of_a), (b, mut of_b), (c, mut of_c)] = [peer(0), peer(1), peer(2)];
        for (id, entries) in [(a, &mut of_a), (b, &mut of_b), (c, &mut of_c)] {
            bind(&mut index, id, entries, &[1]);
        }
        select(&mut index, c, &mut of_c, Some(1));
        assert_eq!(index.by_path(&path(1)), Some(c));
        select(&mut index, b, &mut of_b, Some(1));
        assert_eq!(index.by_path(&path(1)), Some(c), "both send: the first one keeps the path");
        select(&mut index, c, &mut of_c, Some(2));
        assert_eq!(index.by_path(&path(1)), Some(b));
        index.remove(b, &mut of_b);
        assert_eq!(index.by_path(&path(1)), Some(c), "no sender left: the last demoted peer");
        index.remove(c, &mut of_c);
        assert_eq!(index.by_path(&path(1)), Some(a));
        index.remove(a, &mut of_a);
        assert!(index.paths.is_empty());
    }

    #[test]
    fn paths_per_peer_are_limited() {
        let mut index = index();
        let (id, mut entries) = peer(0);
        let many = || (1..=1000).map(path);
        index.sync_paths(id, &mut entries, many, 3, None);
        assert_eq!(index.by_path(&path(3)), Some(id));
        assert_eq!(index.by_path(&path(4)), None);
        assert_eq!(index.paths.len(), 3);
    }

    #[test]
    fn ufrags_follow_peer_credentials() {
        let mut index = index();
        let (id, mut entries) = peer(0);
        let ufrags: Vec<Ufrag> = ["old1", "new1"].map(|ufrag| ufrag.parse().unwrap()).into();
        index.sync_ufrags(id, &mut entries, || ufrags.iter().take(1));
        assert_eq!((index.by_ufrag("old1"), index.by_ufrag("new1")), (Some(id), None));
        index.sync_ufrags(id, &mut entries, || ufrags.iter());
        assert_eq!((index.by_ufrag("old1"), index.by_ufrag("new1")), (Some(id), Some(id)));
        index.sync_ufrags(id, &mut entries, || ufrags.iter().skip(1));
        assert_eq!((index.by_ufrag("old1"), index.by_ufrag("new1")), (None, Some(id)));
    }

    #[test]
    fn older_peer_keeps_shared_ufrag() {
        let mut index = index();
        let [(a, mut of_a), (b, mut of_b)] = [peer(0), peer(1)];
        let shared: Ufrag = "same".parse().unwrap();
        index.sync_ufrags(a, &mut of_a, || [&shared].into_iter());
        index.sync_ufrags(b, &mut of_b, || [&shared].into_iter());
        assert_eq!(index.by_ufrag("same"), Some(a));
        index.remove(b, &mut of_b);
        assert_eq!(index.by_ufrag("same"), Some(a));
    }

    #[test]
    fn transactions_expire_by_age_and_count() {
        let mut index = index();
        let (id, mut entries) = peer(0);
        let start = Instant::now();
        let transaction = |n: usize| {
            let mut bytes = [0; 12];
            bytes[..8].copy_from_slice(&n.to_be_bytes());
            bytes
        };
        for n in 0..MAX_TRANSACTIONS_PER_PEER + 10 {
            index.sent(start, id, &mut entries, transaction(n));
        }
        assert_eq!(index.transactions.len(), MAX_TRANSACTIONS_PER_PEER);
        assert_eq!(index.by_transaction(&transaction(9)), None);
        assert_eq!(index.by_transaction(&transaction(10)), Some(id));

        let just_in_time = start + TRANSACTION_LIFETIME;
        index.sent(just_in_time, id, &mut entries, transaction(9_000));
        assert_eq!(index.by_transaction(&transaction(12)), Some(id));
        let late = just_in_time + Duration::from_millis(1);
        index.sent(late, id, &mut entries, transaction(9_001));
        assert_eq!(index.by_transaction(&transaction(12)), None);
        assert_eq!(index.transactions.len(), 2);

        index.remove(id, &mut entries);
        assert!(index.transactions.is_empty());
    }
}
