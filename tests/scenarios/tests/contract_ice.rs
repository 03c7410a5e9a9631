//! The ICE agent keeps the contract of the workspace's state machines.

use ice_agent::Config;
use scenarios::ice_node::IcePair;
use sim::contract;

const SEEDS: u64 = 40;

fn pair() -> IcePair {
    IcePair { config: Config::default() }
}

#[test]
fn two_agents_connect_under_every_seed() {
    contract::hold(&pair(), SEEDS, contract::they_connect);
}

#[test]
fn any_order_and_number_of_polls_gives_the_same_result() {
    contract::hold(&pair(), SEEDS, contract::polls_do_not_matter);
}

#[test]
fn polls_may_wait_for_seconds_and_many_inputs() {
    contract::hold(&pair(), SEEDS, contract::polls_may_wait);
}

#[test]
fn malformed_datagrams_are_counted_and_change_nothing() {
    contract::hold(&pair(), SEEDS, contract::malformed_datagrams_change_nothing);
}

#[test]
fn mutated_datagrams_never_panic() {
    contract::hold(&pair(), SEEDS, contract::mutations_never_panic);
}

#[test]
fn a_failed_command_leaves_no_trace() {
    let failed = contract::hold(&pair(), SEEDS, contract::failed_commands_leave_no_trace);
    assert!(failed.iter().sum::<usize>() > 0, "no command failed, so nothing was tested");
}

#[test]
fn a_clock_that_goes_back_is_treated_as_the_latest_time() {
    contract::hold(&pair(), SEEDS, contract::time_never_goes_back);
}

#[test]
fn an_input_does_first_what_a_timeout_would() {
    contract::hold(&pair(), SEEDS, contract::inputs_serve_deadlines);
}

#[test]
fn the_same_seed_gives_the_same_run() {
    contract::hold(&pair(), SEEDS, contract::same_seed_same_run);
}
