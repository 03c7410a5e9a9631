//! Incomplete ClientHellos: bounded in bytes and age, one for each address.
//!
//! Without room the oldest entry is evicted. The fragments of a legitimate ClientHello arrive within a moment, so a
//! flood has to fill the whole pool within that moment to evict one; a pool that refused new entries could be kept full
//! with little traffic. ClientHellos with a valid cookie have their own pool, which needs a cookie that was received at
//! the client's address.

use crate::cookie_gate::assembly::Assembly;
use crate::discard::Discard;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The cost of an entry in addition to its fragments and twice its address token.
const ENTRY_COST: usize = 192;

/// The arrival time; the number distinguishes equal times.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    pub(super) number: u64,
    pub(super) at: Instant,
}

/// The fragments of a ClientHello, and the arrival of the first.
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

    /// Adds an entry, and replaces the entry of this address.
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

    /// Removes and returns the entry of this address, if it belongs to the same message as these fragments.
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

    /// Drops entries older than this.
    pub(super) fn forget_older(&mut self, now: Instant, max_age: Duration) {
        while let Some((_, token)) = self.by_age.first_key_value()
            && let Some(entry) = self.entries.get(token)
            && now.saturating_duration_since(entry.arrival.at) >= max_age
        {
            self.forget_oldest();
        }
    }

    /// Returns how many entries were evicted.
    pub(super) const fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Returns the approximate number of bytes in use.
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
    fn oldest_entry_is_evicted_at_the_limit() {
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
    fn address_has_one_entry() {
        let now = Instant::now();
        let mut pool = Pool::new(10_000);
        pool.put(b"a", entry(1, now, 1000)).unwrap();
        pool.put(b"a", entry(2, now, 500)).unwrap();
        assert_eq!((pool.entries.len(), pool.by_age.len(), pool.evicted()), (1, 1, 0));
        assert!(pool.held() < 1000);
    }

    #[test]
    fn entry_above_the_limit_evicts_no_other() {
        let now = Instant::now();
        let mut pool = Pool::new(2000);
        pool.put(b"small", entry(1, now, 100)).unwrap();
        assert_eq!(pool.put(b"large", entry(2, now, 1990)), Err(Discard::ReassemblyFull));
        assert!(pool.take_like(b"small", &assembly(5)).is_some());
    }

    #[test]
    fn entry_expires_exactly_at_its_age() {
        let now = Instant::now();
        let (age, mut pool) = (Duration::from_secs(5), Pool::new(10_000));
        pool.put(b"a", entry(1, now, 100)).unwrap();
        pool.forget_older(now + Duration::from_millis(4999), age);
        assert_eq!(pool.entries.len(), 1);
        pool.forget_older(now + age, age);
        assert_eq!((pool.entries.len(), pool.held(), pool.evicted()), (0, 0, 0));
    }
}
