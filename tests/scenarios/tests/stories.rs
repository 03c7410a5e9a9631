//! Every story with a few seeds. `cargo xtask scenarios` tells them with many and prints the table.

#![expect(clippy::panic, reason = "a story that fails says why, with its trace")]

use scenarios::stories;
use sim::for_each_seed;

/// Enough to meet loss and reordering in every phase, few enough for every `cargo test`.
const SEEDS: u64 = 5;

fn tell_all(name: &str) {
    let mut told = 0;
    for story in stories::all().iter().filter(|story| story.name == name) {
        told += 1;
        for_each_seed(SEEDS, |seed| {
            if let Err(why) = (story.tell)(seed) {
                panic!("{}, {}: {why}", story.name, story.subject);
            }
        });
    }
    assert!(told > 0, "no story is called {name}");
}

#[test]
fn two_peers_connect_on_bad_links_and_without_the_last_flight() {
    tell_all("connect");
}

#[test]
fn a_strangers_certificate_is_refused_before_there_are_keys() {
    tell_all("wrong fingerprint");
}

#[test]
fn nats_of_every_kind_are_crossed_or_fail_in_time() {
    tell_all("NAT");
}

#[test]
fn a_call_moves_to_another_path() {
    tell_all("path change");
}

#[test]
fn a_restart_brings_a_fresh_association_and_loses_no_packet() {
    tell_all("restart, fresh");
}

#[test]
fn a_peer_that_keeps_its_association_is_noticed_and_media_goes_on() {
    tell_all("restart, retained");
}

#[test]
fn a_restart_works_from_every_state_and_in_each_others_way() {
    tell_all("restart");
}

#[test]
fn consent_ends_when_it_must_and_only_then() {
    tell_all("consent");
}

#[test]
fn junk_changes_nothing_in_any_state() {
    tell_all("junk flood");
}
