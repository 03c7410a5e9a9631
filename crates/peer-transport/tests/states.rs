//! The table of states in the crate's documentation.

#![expect(clippy::unwrap_used, reason = "a failed scenario stops")]

mod pair;

use std::fmt::Debug;

use pair::{Alice, Bob, Pair, VERSIONS};
use peer_transport::{DescriptionKind, HashAlgorithm, RestartOptions, State};

/// Returns `yes` or the name of the error.
fn cell<T, E: Debug>(result: Result<T, E>) -> String {
    result.map_or_else(|error| format!("`{error:?}`"), |_| "yes".to_owned())
}

/// Returns the start of a row: the state, and whether Alice may send, restart and roll back.
fn row(condition: &str, mut pair: Pair) -> String {
    let now = pair.now;
    let alice = pair.transport(Alice);
    let state = alice.state();
    let sending = cell(alice.send_rtp(now, &[0x80, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1], b"x", &mut Vec::new()));
    assert_eq!(cell(alice.send_data(now, b"x")), sending, "media and data have the same permission");
    let rollback = cell(alice.rollback_restart(now));
    let restart = cell(alice.restart(now, RestartOptions::default()));
    format!("| `{state:?}`{condition} | {sending} | {restart} | {rollback} |")
}

fn restarting() -> Pair {
    let mut pair = Pair::connected();
    let now = pair.now;
    pair.transport(Alice).restart(now, RestartOptions::default()).unwrap();
    pair
}

fn closed() -> Pair {
    let mut pair = Pair::connected();
    let now = pair.now;
    pair.transport(Alice).close(now);
    pair
}

fn failed_by_ice() -> Pair {
    let mut pair = Pair::connected();
    pair.tap = Box::new(|_, _| false);
    pair.run_until("both have failed", |pair| pair.both(State::Failed));
    pair
}

fn failed_by_dtls() -> Pair {
    let mut pair = Pair::new();
    pair.offer(Alice);
    let mut answer = pair.peer(Bob).transport.local_parameters();
    answer.fingerprints = vec![pair::certificate().fingerprint(HashAlgorithm::Sha256)];
    pair.describe(Bob, DescriptionKind::Answer, answer);
    pair.run_until("Alice refuses", |pair| pair.peer(Alice).transport.state() == State::Failed);
    pair
}

#[test]
fn documented_state_table_matches_transport() {
    let mut connecting = Pair::new();
    connecting.signal(Alice);
    let rows = [
        row("", Pair::new()),
        row(" at first", connecting),
        row(" in a restart", restarting()),
        row("", Pair::connected_over(VERSIONS[0])),
        row("", closed()),
        row(" by ICE", failed_by_ice()),
        row(" by DTLS", failed_by_dtls()),
    ];
    let documented = include_str!("../src/lib.rs").lines().filter_map(|line| line.strip_prefix("//! | `"));
    let documented: Vec<String> = documented.map(|line| format!("| `{line}")).collect();
    assert_eq!(documented.len(), rows.len());
    for (documented, row) in documented.iter().zip(rows) {
        assert!(documented.starts_with(&row), "documented {documented}, found {row}");
    }
}
