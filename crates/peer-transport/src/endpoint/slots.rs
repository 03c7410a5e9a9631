//! Where peers live: a table of slots, each with the generation of its present or next tenant.
//!
//! Knows ids. Knows nothing about what a tenant is.

use super::PeerId;

pub(super) struct Slots<T> {
    places: Vec<Slot<T>>,
    /// Slots without a tenant, the last one freed on top.
    vacant: Vec<u32>,
    occupied: usize,
}

struct Slot<T> {
    generation: u32,
    tenant: Option<Box<T>>,
}

impl<T> Slots<T> {
    pub(super) const fn new() -> Self {
        Self { places: Vec::new(), vacant: Vec::new(), occupied: 0 }
    }

    /// The number of tenants.
    pub(super) const fn len(&self) -> usize {
        self.occupied
    }

    /// Moves a tenant in and names it. `None` once all 2^32 slots have been used up.
    pub(super) fn insert(&mut self, tenant: T) -> Option<PeerId> {
        let slot = match self.vacant.pop() {
            Some(slot) => slot,
            None => u32::try_from(self.places.len()).ok().inspect(|_| {
                self.places.push(Slot { generation: 0, tenant: None });
            })?,
        };
        let place = self.places.get_mut(index(slot))?;
        place.tenant = Some(Box::new(tenant));
        self.occupied = self.occupied.saturating_add(1);
        Some(PeerId::new(slot, place.generation))
    }

    /// Moves a tenant out. Its id is void from now on.
    pub(super) fn remove(&mut self, id: PeerId) -> Option<Box<T>> {
        let slot = self.places.get_mut(index(id.slot()))?;
        if slot.generation != id.generation() {
            return None;
        }
        let tenant = slot.tenant.take()?;
        self.occupied = self.occupied.saturating_sub(1);
        // A slot whose generations have run out stays empty, so that no id ever comes back.
        if let Some(next) = slot.generation.checked_add(1) {
            slot.generation = next;
            self.vacant.push(id.slot());
        }
        Some(tenant)
    }

    pub(super) fn get(&self, id: PeerId) -> Option<&T> {
        let slot = self.places.get(index(id.slot()))?;
        (slot.generation == id.generation()).then_some(slot.tenant.as_deref()).flatten()
    }

    pub(super) fn get_mut(&mut self, id: PeerId) -> Option<&mut T> {
        let slot = self.places.get_mut(index(id.slot()))?;
        (slot.generation == id.generation()).then_some(slot.tenant.as_deref_mut()).flatten()
    }

    /// The ids of all tenants in the order of their slots.
    pub(super) fn ids(&self) -> impl Iterator<Item = PeerId> + '_ {
        (0u32..)
            .zip(&self.places)
            .filter_map(|(number, slot)| slot.tenant.as_ref().map(|_| PeerId::new(number, slot.generation)))
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
    fn the_id_of_a_former_tenant_does_not_open_the_slot_of_the_next() {
        let mut slots = Slots::new();
        let first = slots.insert("first").unwrap();
        assert_eq!(slots.remove(first).as_deref(), Some(&"first"));
        let second = slots.insert("second").unwrap();

        assert_eq!(first.slot(), second.slot(), "the slot is used again");
        assert_eq!(slots.get(first), None);
        assert_eq!(slots.get_mut(first), None);
        assert_eq!(slots.remove(first), None);
        assert_eq!(slots.get(second), Some(&"second"));
        assert_eq!(slots.len(), 1);
    }

    #[test]
    fn a_slot_whose_generations_ran_out_stays_empty() {
        let mut slots = Slots::new();
        let id = slots.insert(1).unwrap();
        slots.places[0].generation = u32::MAX;
        let last = super::PeerId::new(id.slot(), u32::MAX);
        assert!(slots.remove(last).is_some());
        assert_ne!(slots.insert(2).unwrap().slot(), id.slot());
    }

    #[test]
    fn ids_come_in_the_order_of_slots() {
        let mut slots = Slots::new();
        let ids: Vec<_> = (0..5).map(|n| slots.insert(n).unwrap()).collect();
        slots.remove(ids[2]);
        let rest: Vec<_> = slots.ids().collect();
        assert_eq!(rest, [ids[0], ids[1], ids[3], ids[4]]);
    }
}
