//! The peer transport keeps the contract of the workspace's state machines.

use scenarios::peer_node::PeerPair;
use sim::contract;

const SEEDS: u64 = 40;

#[test]
fn two_peers_connect_under_every_seed() {
    contract::hold(&PeerPair, SEEDS, contract::they_connect);
}

#[test]
fn any_order_and_number_of_polls_gives_the_same_result() {
    contract::hold(&PeerPair, SEEDS, contract::polls_do_not_matter);
}

#[test]
fn malformed_datagrams_are_counted_and_change_nothing() {
    contract::hold(&PeerPair, SEEDS, contract::malformed_datagrams_change_nothing);
}

#[test]
fn mutated_datagrams_never_panic() {
    contract::hold(&PeerPair, SEEDS, contract::mutations_never_panic);
}

#[test]
fn a_failed_command_leaves_no_trace() {
    let failed = contract::hold(&PeerPair, SEEDS, contract::failed_commands_leave_no_trace);
    assert!(failed.iter().sum::<usize>() > 0, "no command failed, so nothing was tested");
}

#[test]
fn a_clock_that_goes_back_is_treated_as_the_latest_time() {
    contract::hold(&PeerPair, SEEDS, contract::time_never_goes_back);
}

#[test]
fn an_input_does_first_what_a_timeout_would() {
    contract::hold(&PeerPair, SEEDS, contract::inputs_serve_deadlines);
}

#[test]
fn the_same_seed_gives_the_same_run() {
    contract::hold(&PeerPair, SEEDS, contract::same_seed_same_run);
}
