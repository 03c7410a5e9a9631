//! The project's tasks. `cargo xtask --help` lists them.
fn main() {}
