//! A table of slots with generations, in which the peers are stored.
//!
//! Knows ids. Does not know the type of the values.

use super::PeerId;

pub(super) struct Slots<T> {
    entries: Vec<Entry<T>>,
    /// Slots without a value, the last one freed on top.
    free: Vec<u32>,
    count: usize,
}

struct Entry<T> {
    generation: u32,
    value: Option<Box<T>>,
}

impl<T> Slots<T> {
    pub(super) const fn new() -> Self {
        Self { entries: Vec::new(), free: Vec::new(), count: 0 }
    }

    /// The number of values.
    pub(super) const fn len(&self) -> usize {
        self.count
    }

    /// Stores a value and returns its id, or `None` after all 2^32 slots are used up.
    pub(super) fn insert(&mut self, value: T) -> Option<PeerId> {
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => u32::try_from(self.entries.len()).ok().inspect(|_| {
                self.entries.push(Entry { generation: 0, value: None });
            })?,
        };
        let entry = self.entries.get_mut(index(slot))?;
        entry.value = Some(Box::new(value));
        self.count = self.count.saturating_add(1);
        Some(PeerId::new(slot, entry.generation))
    }

    /// Removes a value. Its id is invalid from then on.
    pub(super) fn remove(&mut self, id: PeerId) -> Option<Box<T>> {
        let slot = self.entries.get_mut(index(id.slot()))?;
        if slot.generation != id.generation() {
            return None;
        }
        let value = slot.value.take()?;
        self.count = self.count.saturating_sub(1);
        // A slot whose generations are used up stays empty, so that no id is reused.
        if let Some(next) = slot.generation.checked_add(1) {
            slot.generation = next;
            self.free.push(id.slot());
        }
        Some(value)
    }

    pub(super) fn get(&self, id: PeerId) -> Option<&T> {
        let slot = self.entries.get(index(id.slot()))?;
        (slot.generation == id.generation()).then_some(slot.value.as_deref()).flatten()
    }

    pub(super) fn get_mut(&mut self, id: PeerId) -> Option<&mut T> {
        let slot = self.entries.get_mut(index(id.slot()))?;
        (slot.generation == id.generation()).then_some(slot.value.as_deref_mut()).flatten()
    }

    /// The ids of all values in the order of their slots.
    pub(super) fn ids(&self) -> impl Iterator<Item = PeerId> + '_ {
        (0u32..)
            .zip(&self.entries)
            .filter_map(|(number, slot)| slot.value.as_ref().map(|_| PeerId::new(number, slot.generation)))
    }
}

/// Saturates where `usize` is narrower than 32 bits; no such slot exists there.
fn index(slot: u32) -> usize {
    usize::try_from(slot).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::Slots;

    #[test]
    fn removed_id_does_not_access_reused_slot() {
        let mut slots = Slots::new();
        let first = slots.insert("first").unwrap();
        assert_eq!(slots.remove(first).as_deref(), Some(&"first"));
        let second = slots.insert("second").unwrap();

        assert_eq!(first.slot(), second.slot(), "the slot is reused");
        assert_eq!(slots.get(first), None);
        assert_eq!(slots.get_mut(first), None);
        assert_eq!(slots.remove(first), None);
        assert_eq!(slots.get(second), Some(&"second"));
        assert_eq!(slots.len(), 1);
    }

    #[test]
    fn slot_without_generations_is_not_reused() {
        let mut slots = Slots::new();
        let id = slots.insert(1).unwrap();
        slots.entries[0].generation = u32::MAX;
        let last = super::PeerId::new(id.slot(), u32::MAX);
        assert!(slots.remove(last).is_some());
        assert_ne!(slots.insert(2).unwrap().slot(), id.slot());
    }

    #[test]
    fn ids_are_in_slot_order() {
        let mut slots = Slots::new();
        let ids: Vec<_> = (0..5).map(|n| slots.insert(n).unwrap()).collect();
        slots.remove(ids[2]);
        let rest: Vec<_> = slots.ids().collect();
        assert_eq!(rest, [ids[0], ids[1], ids[3], ids[4]]);
    }
}
