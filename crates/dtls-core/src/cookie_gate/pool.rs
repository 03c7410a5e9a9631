//! ClientHellos that wait for the rest of them: bounded in bytes and in age, one for each address.
//!
//! Where there is no room the oldest makes some. The pieces of an honest ClientHello come within a moment of each
//! other, so a flood has to fill the whole pool within that moment to push one out; a pool that refused what is new
//! could be kept full by a trickle. What showed a genuine cookie waits in a pool of its own, which nobody enters
//! without having received a cookie at an address of his own.

use crate::cookie_gate::assembly::Assembly;
use crate::discard::Discard;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What an entry costs beside its pieces and twice its address token.
const ENTRY_COST: usize = 192;

/// When something came: the number tells apart what came at the same time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    pub(super) number: u64,
    pub(super) at: Instant,
}

/// What there is of a ClientHello, and when the first of it came.
pub(super) struct Entry {
    arrival: Arrival,
    pub(super) assembly: Assembly,
}

impl Entry {
    pub(super) const fn new(arrival: Arrival, assembly: Assembly) -> Self {
        Self { arrival, assembly }
    }
}

/// Entries by address token, and by age.
pub(super) struct Pool {
    limit: usize,
    cost: usize,
    entries: BTreeMap<Arc<[u8]>, Entry>,
    by_age: BTreeMap<u64, Arc<[u8]>>,
    evicted: u64,
}

impl Pool {
    pub(super) const fn new(limit: usize) -> Self {
        Self { limit, cost: 0, entries: BTreeMap::new(), by_age: BTreeMap::new(), evicted: 0 }
    }

    /// Keeps an entry, in the place of another one of this address.
    pub(super) fn put(&mut self, address_token: &[u8], entry: Entry) -> Result<(), Discard> {
        self.take(address_token);
        let cost = cost(address_token, &entry);
        if cost > self.limit {
            return Err(Discard::ReassemblyFull);
        }
        while self.cost + cost > self.limit && self.forget_oldest() {
            self.evicted = self.evicted.saturating_add(1);
        }
        let token: Arc<[u8]> = address_token.into();
        self.cost += cost;
        self.by_age.insert(entry.arrival.number, Arc::clone(&token));
        self.entries.insert(token, entry);
        Ok(())
    }

    /// Takes out the entry of this address, where it is of the same message as these pieces.
    pub(super) fn take_like(&mut self, address_token: &[u8], pieces: &Assembly) -> Option<Entry> {
        self.entries.get(address_token).filter(|entry| entry.assembly.is_like(pieces))?;
        self.take(address_token)
    }

    pub(super) fn forget(&mut self, address_token: &[u8]) {
        self.take(address_token);
    }

    fn take(&mut self, address_token: &[u8]) -> Option<Entry> {
        let entry = self.entries.remove(address_token)?;
        self.by_age.remove(&entry.arrival.number);
        self.cost = self.cost.saturating_sub(cost(address_token, &entry));
        Some(entry)
    }

    /// Forgets what has waited for longer than this.
    pub(super) fn forget_older(&mut self, now: Instant, max_age: Duration) {
        while let Some((_, token)) = self.by_age.first_key_value()
            && let Some(entry) = self.entries.get(token)
            && now.saturating_duration_since(entry.arrival.at) >= max_age
        {
            self.forget_oldest();
        }
    }

    /// How many made room for others.
    pub(super) const fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Bytes taken up, roughly.
    pub(super) const fn held(&self) -> usize {
        self.cost
    }

    fn forget_oldest(&mut self) -> bool {
        let Some((_, token)) = self.by_age.pop_first() else { return false };
        self.take(&token).is_some()
    }
}

fn cost(address_token: &[u8], entry: &Entry) -> usize {
    entry.assembly.cost() + address_token.len() + ENTRY_COST
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handshake::{Fragment, HandshakeType};

    fn assembly(bytes: usize) -> Assembly {
        let kind = HandshakeType::CLIENT_HELLO;
        Assembly::new(&Fragment { kind, length: 2000, sequence: 0, offset: 0, body: &vec![7; bytes] })
    }

    fn entry(number: u64, at: Instant, bytes: usize) -> Entry {
        Entry::new(Arrival { number, at }, assembly(bytes))
    }

    #[test]
    fn the_oldest_makes_room_and_the_bound_holds() {
        let now = Instant::now();
        let mut pool = Pool::new(10_000);
        for index in 0..100_u8 {
            pool.put(&[index], entry(index.into(), now, 1000)).unwrap();
            assert!(pool.held() <= 10_000);
            assert_eq!(pool.entries.len(), pool.by_age.len());
        }
        let kept: Vec<_> = pool.entries.keys().map(|token| token[0]).collect();
        assert_eq!(kept, (92..100).collect::<Vec<_>>());
        assert_eq!(pool.evicted(), 92);
        for index in 92..100_u8 {
            assert!(pool.take_like(&[index], &assembly(5)).is_some());
        }
        assert_eq!(pool.held(), 0);
    }

    #[test]
    fn an_address_has_one_place() {
        let now = Instant::now();
        let mut pool = Pool::new(10_000);
        pool.put(b"a", entry(1, now, 1000)).unwrap();
        pool.put(b"a", entry(2, now, 500)).unwrap();
        assert_eq!((pool.entries.len(), pool.by_age.len(), pool.evicted()), (1, 1, 0));
        assert!(pool.held() < 1000);
    }

    #[test]
    fn what_could_never_fit_pushes_nobody_out() {
        let now = Instant::now();
        let mut pool = Pool::new(2000);
        pool.put(b"small", entry(1, now, 100)).unwrap();
        assert_eq!(pool.put(b"large", entry(2, now, 1990)), Err(Discard::ReassemblyFull));
        assert!(pool.take_like(b"small", &assembly(5)).is_some());
    }

    #[test]
    fn an_entry_grows_old_in_time_and_not_before() {
        let now = Instant::now();
        let (age, mut pool) = (Duration::from_secs(5), Pool::new(10_000));
        pool.put(b"a", entry(1, now, 100)).unwrap();
        pool.forget_older(now + Duration::from_millis(4999), age);
        assert_eq!(pool.entries.len(), 1);
        pool.forget_older(now + age, age);
        assert_eq!((pool.entries.len(), pool.held(), pool.evicted()), (0, 0, 0));
    }
}
