//! The DTLS connection keeps the contract of the workspace's state machines.

use dtls_core::Versions;
use scenarios::dtls_node::DtlsPair;
use sim::contract;

const SEEDS: u64 = 40;
const PAIRS: [DtlsPair; 2] =
    [DtlsPair { versions: Versions::Dtls12 }, DtlsPair { versions: Versions::Dtls13 }];

#[test]
fn client_and_server_connect_under_every_seed() {
    for pair in PAIRS {
        contract::hold(&pair, SEEDS, contract::they_connect);
    }
}

#[test]
fn any_order_and_number_of_polls_gives_the_same_result() {
    for pair in PAIRS {
        contract::hold(&pair, SEEDS, contract::polls_do_not_matter);
    }
}

#[test]
fn malformed_datagrams_are_counted_and_change_nothing() {
    for pair in PAIRS {
        contract::hold(&pair, SEEDS, contract::malformed_datagrams_change_nothing);
    }
}

#[test]
fn mutated_datagrams_never_panic() {
    for pair in PAIRS {
        contract::hold(&pair, SEEDS, contract::mutations_never_panic);
    }
}

#[test]
fn a_failed_command_leaves_no_trace() {
    for pair in PAIRS {
        let failed = contract::hold(&pair, SEEDS, contract::failed_commands_leave_no_trace);
        assert!(failed.iter().sum::<usize>() > 0, "no command failed, so nothing was tested");
    }
}

#[test]
fn a_clock_that_goes_back_is_treated_as_the_latest_time() {
    for pair in PAIRS {
        contract::hold(&pair, SEEDS, contract::time_never_goes_back);
    }
}

#[test]
fn an_input_does_first_what_a_timeout_would() {
    for pair in PAIRS {
        contract::hold(&pair, SEEDS, contract::inputs_serve_deadlines);
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for pair in PAIRS {
        contract::hold(&pair, SEEDS, contract::same_seed_same_run);
    }
}
