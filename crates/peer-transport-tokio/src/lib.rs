//! The tokio driver of peer-transport: socket, clock, entropy, one task.
