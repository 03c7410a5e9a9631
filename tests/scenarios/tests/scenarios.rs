//! Every scenario with a few seeds. `cargo xtask scenarios` runs them with many and prints the table.

#![expect(clippy::panic, reason = "a failed scenario prints the reason and its trace")]

use scenarios::scenarios;
use sim::for_each_seed;

/// Enough for loss and reordering in every phase, and few enough for every `cargo test`.
const SEEDS: u64 = 5;

fn run_all(name: &str) {
    let mut seen = 0;
    for scenario in scenarios::all().iter().filter(|scenario| scenario.name == name) {
        seen += 1;
        for_each_seed(SEEDS, |seed| {
            if let Err(why) = (scenario.run)(seed) {
                panic!("{}, {}: {why}", scenario.name, scenario.subject);
            }
        });
    }
    assert!(seen > 0, "no scenario matches {name}");
}

#[test]
fn two_peers_connect_on_bad_links_and_without_the_last_flight() {
    run_all("connect");
}

#[test]
fn another_certificate_is_refused_before_keys_exist() {
    run_all("wrong fingerprint");
}

#[test]
fn nats_of_every_kind_connect_or_fail_in_time() {
    run_all("NAT");
}

#[test]
fn a_call_moves_to_another_path() {
    run_all("path change");
}

#[test]
fn a_restart_brings_a_fresh_association_and_loses_no_packet() {
    run_all("restart, fresh");
}

#[test]
fn a_retained_association_is_recognised_and_keeps_its_media() {
    run_all("restart, retained");
}

#[test]
fn a_restart_works_from_every_state_and_at_the_same_time() {
    run_all("restart");
}

#[test]
fn consent_expires_on_time_and_not_earlier() {
    run_all("consent");
}

#[test]
fn random_datagrams_change_nothing_in_any_state() {
    run_all("random datagrams");
}
