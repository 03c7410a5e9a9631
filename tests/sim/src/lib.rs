//! A virtual network and clock for Sans-IO nodes: seeded loss, delay, jitter, reordering and duplication.
