//! Whose is it? Username fragments, paths and STUN transactions, each with its peer.
//!
//! Knows names and ids. Knows nothing about what a peer is, and believes only what peers report:
//! a path is in here because authenticated STUN bound it, never because a datagram came from it.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use ice_agent::{Path, Ufrag};

use super::keyed::{Keyed, PathKey};
use super::{ForwardTag, PeerId};

/// RFC 8489 section 6.2.1 gives a transaction up 39.5 s after its first transmission; what comes
/// later is an answer to nothing.
const TRANSACTION_LIFETIME: Duration = Duration::from_secs(40);

/// The checks that one peer can have on their way: the 100 pairs of a checklist (RFC 8445
/// section 6.1.2.5) and as many again for triggered checks and consent.
const MAX_TRANSACTIONS_PER_PEER: usize = 256;

pub(super) type TransactionId = [u8; 12];

pub(super) struct Index {
    ufrags: HashMap<Ufrag, PeerId, Keyed>,
    paths: HashMap<PathKey, Holders, Keyed>,
    transactions: HashMap<TransactionId, PeerId, Keyed>,
    forwards: HashMap<PathKey, ForwardTag, Keyed>,
}

/// The peers that are bound to one path, the one that it leads to and the others in line.
///
/// Who sends on it comes before who does not: to select a pair takes an answer from its address,
/// while a request may come from a peer that forged the address. Among equals the first keeps it.
struct Holders {
    holder: Claim,
    waiting: Vec<Claim>,
}

#[derive(Clone, Copy)]
struct Claim {
    peer: PeerId,
    is_selected: bool,
}

/// What the index holds for one peer. It lies with the peer, so that nothing is searched.
#[derive(Default)]
pub(super) struct Entries {
    ufrags: Vec<Ufrag>,
    paths: Vec<Path>,
    selected: Option<Path>,
    /// Oldest first.
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

    /// The peer that answers requests for this username fragment.
    pub(super) fn by_ufrag(&self, ufrag: &str) -> Option<PeerId> {
        self.ufrags.get(ufrag).copied()
    }

    /// The peer that sent this transaction's request.
    pub(super) fn by_transaction(&self, transaction: &TransactionId) -> Option<PeerId> {
        self.transactions.get(transaction).copied()
    }

    /// The peer that sends on this path, or else was authenticated there, before all others that
    /// are there still.
    pub(super) fn by_path(&self, path: &Path) -> Option<PeerId> {
        self.paths.get(&PathKey(*path)).map(|holders| holders.holder.peer)
    }

    /// Where the application sends this path.
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

    /// Makes the fragments of a peer these. Where two peers have the same one, the elder keeps it.
    pub(super) fn sync_ufrags<'u, I: Iterator<Item = &'u Ufrag>>(
        &mut self,
        id: PeerId,
        entries: &mut Entries,
        current: impl Fn() -> I,
    ) {
        entries.ufrags.retain(|known| {
            let stays = current().any(|ufrag| ufrag == known);
            if !stays && self.ufrags.get(known) == Some(&id) {
                self.ufrags.remove(known);
            }
            stays
        });
        for ufrag in current() {
            if !entries.ufrags.contains(ufrag) {
                entries.ufrags.push(ufrag.clone());
                self.ufrags.entry(ufrag.clone()).or_insert(id);
            }
        }
    }

    /// Makes the paths of a peer these, the first `max` of them. It sends on `selected`.
    pub(super) fn sync_paths<I: Iterator<Item = Path>>(
        &mut self,
        id: PeerId,
        entries: &mut Entries,
        current: impl Fn() -> I,
        max: usize,
        selected: Option<Path>,
    ) {
        let Entries { paths, selected: noted, .. } = entries;
        paths.retain(|known| {
            let stays = current().take(max).any(|path| path == *known);
            if !stays {
                self.release(id, known);
                // Bound again, it is to be marked again.
                *noted = noted.filter(|selected| selected != known);
            }
            stays
        });
        for path in current().take(max) {
            if !paths.contains(&path) {
                paths.push(path);
                self.bind(id, path);
            }
        }
        if *noted != selected {
            self.mark(id, *noted, false);
            self.mark(id, selected, true);
            // Only what is bound was marked.
            *noted = selected.filter(|selected| paths.contains(selected));
        }
    }

    /// Remembers that a peer sent a request. A repetition changes nothing.
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

    /// Forgets a peer.
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
            .or_insert_with(|| Holders { holder: claim, waiting: Vec::new() });
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
        if holders.holder.peer != id {
            holders.waiting.retain(|claim| claim.peer != id);
        } else if holders.waiting.is_empty() {
            self.paths.remove(&PathKey(*path));
        } else {
            holders.holder = holders.waiting.remove(holders.first_in_line());
        }
    }
}

impl Holders {
    /// A peer begins to send on the path, or no longer does.
    fn mark(&mut self, peer: PeerId, is_selected: bool) {
        let claims = std::iter::once(&mut self.holder).chain(&mut self.waiting);
        if let Some(claim) = claims.into_iter().find(|claim| claim.peer == peer) {
            claim.is_selected = is_selected;
        }
        let first = self.first_in_line();
        if let Some(next) = self.waiting.get_mut(first)
            && next.is_selected
            && !self.holder.is_selected
        {
            std::mem::swap(&mut self.holder, next);
            // The one that gives way was the first of those who do not send.
            let gave_way = self.waiting.remove(first);
            self.waiting.insert(0, gave_way);
        }
    }

    /// Where in `waiting` the next holder stands.
    fn first_in_line(&self) -> usize {
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
    fn a_path_goes_to_the_next_in_line_when_its_holder_lets_go() {
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
    fn who_sends_on_a_path_comes_before_who_was_first() {
        let mut index = index();
        let [(a, mut of_a), (b, mut of_b), (c, mut of_c)] = [peer(0), peer(1), peer(2)];
        for (id, entries) in [(a, &mut of_a), (b, &mut of_b), (c, &mut of_c)] {
            bind(&mut index, id, entries, &[1]);
        }
        select(&mut index, c, &mut of_c, Some(1));
        assert_eq!(index.by_path(&path(1)), Some(c));
        select(&mut index, b, &mut of_b, Some(1));
        assert_eq!(index.by_path(&path(1)), Some(c), "both send there: the first of them");
        select(&mut index, c, &mut of_c, Some(2));
        assert_eq!(index.by_path(&path(1)), Some(b));
        index.remove(b, &mut of_b);
        assert_eq!(index.by_path(&path(1)), Some(c), "nobody sends there: whoever gave way last");
        index.remove(c, &mut of_c);
        assert_eq!(index.by_path(&path(1)), Some(a));
        index.remove(a, &mut of_a);
        assert!(index.paths.is_empty());
    }

    #[test]
    fn a_peer_takes_no_more_paths_than_the_bound() {
        let mut index = index();
        let (id, mut entries) = peer(0);
        let many = || (1..=1000).map(path);
        index.sync_paths(id, &mut entries, many, 3, None);
        assert_eq!(index.by_path(&path(3)), Some(id));
        assert_eq!(index.by_path(&path(4)), None);
        assert_eq!(index.paths.len(), 3);
    }

    #[test]
    fn names_follow_what_the_peer_answers_to() {
        let mut index = index();
        let (id, mut entries) = peer(0);
        let names: Vec<Ufrag> = ["old1", "new1"].map(|name| name.parse().unwrap()).into();
        index.sync_ufrags(id, &mut entries, || names.iter().take(1));
        assert_eq!((index.by_ufrag("old1"), index.by_ufrag("new1")), (Some(id), None));
        index.sync_ufrags(id, &mut entries, || names.iter());
        assert_eq!((index.by_ufrag("old1"), index.by_ufrag("new1")), (Some(id), Some(id)));
        index.sync_ufrags(id, &mut entries, || names.iter().skip(1));
        assert_eq!((index.by_ufrag("old1"), index.by_ufrag("new1")), (None, Some(id)));
    }

    #[test]
    fn the_elder_of_two_peers_keeps_a_name_and_the_younger_takes_nothing_along_when_it_goes() {
        let mut index = index();
        let [(a, mut of_a), (b, mut of_b)] = [peer(0), peer(1)];
        let name: Ufrag = "same".parse().unwrap();
        index.sync_ufrags(a, &mut of_a, || [&name].into_iter());
        index.sync_ufrags(b, &mut of_b, || [&name].into_iter());
        assert_eq!(index.by_ufrag("same"), Some(a));
        index.remove(b, &mut of_b);
        assert_eq!(index.by_ufrag("same"), Some(a));
    }

    #[test]
    fn transactions_are_forgotten_by_age_and_by_number() {
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
