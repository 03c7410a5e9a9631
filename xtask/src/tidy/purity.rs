//! The rule that keeps the Sans-IO crates without input and output: time, sockets, threads and entropy are given.
//!
//! Knows the names by which they would come in. Looks at source outside tests.

use super::layering::below_the_driver;
use super::{Finding, Tree};

/// What is forbidden, and what to do instead.
const FORBIDDEN: &[(&str, &str)] = &[
    ("Instant::now", TIME),
    (".elapsed()", TIME),
    ("SystemTime::now", "calendar time comes in through `Config::wall_clock` or a parameter"),
    ("UNIX_EPOCH.elapsed", "calendar time comes in through `Config::wall_clock` or a parameter"),
    ("UdpSocket", SOCKET),
    ("TcpStream", SOCKET),
    ("TcpListener", SOCKET),
    ("ToSocketAddrs", SOCKET),
    ("thread_rng", ENTROPY),
    ("OsRng", ENTROPY),
    ("getrandom", ENTROPY),
    ("SystemRandom", ENTROPY),
    ("rand::random", ENTROPY),
    ("thread::sleep", "waiting is the caller's, told by `poll_timeout`"),
    ("thread::spawn", "threads are the caller's"),
    ("std::env", "configuration is given"),
    ("std::fs", "files are the caller's"),
    ("std::process", "processes are the caller's"),
    ("println!", "what is to be known leaves as an event, a statistic or a trace"),
    ("eprintln!", "what is to be known leaves as an event, a statistic or a trace"),
];

const TIME: &str = "`now` is a parameter";
const SOCKET: &str = "sockets belong to the driver";
const ENTROPY: &str = "randomness comes from the injected `Seed`";

/// DTLS keys come from the generator of the crypto backend, so this crate may name it, and none beside it.
const WITH_BACKEND: &str = "crates/dtls-core/src/";
const GENERATOR: &str = "SystemRandom";

/// The one folder there that names the backend's crate: what replaces it replaces this folder's imports.
const BACKEND: &str = "crates/dtls-core/src/crypto/";
const BACKEND_CRATE: &str = "ring::";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, rust) in tree.rust().filter(|(file, _)| below_the_driver(&file.path)) {
        for (pattern, instead) in FORBIDDEN {
            if *pattern == GENERATOR && file.path.starts_with(WITH_BACKEND) {
                continue;
            }
            for offset in rust.find(pattern) {
                findings.push(file.fails_at(offset, format!("`{pattern}` below the driver: {instead}")));
            }
        }
    }
    findings
}

/// Levels that are on in production, in every way to write them.
const LOUD: [&str; 6] = ["tracing::info", "tracing::warn", "tracing::error", "info!(", "warn!(", "error!("];

pub(super) fn quiet(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, rust) in tree.rust().filter(|(file, _)| below_the_driver(&file.path)) {
        for pattern in LOUD {
            for offset in rust.find(pattern) {
                findings.push(file.fails_at(offset, format!("`{pattern}` is louder than debug")));
            }
        }
    }
    findings
}

pub(super) fn backend(tree: &Tree) -> Vec<Finding> {
    let outside = |path: &str| path.starts_with(WITH_BACKEND) && !path.starts_with(BACKEND);
    let mut findings = Vec::new();
    for (file, rust) in tree.rust().filter(|(file, _)| outside(&file.path)) {
        for offset in rust.find(BACKEND_CRATE) {
            findings.push(file.fails_at(offset, format!("`{BACKEND_CRATE}` outside {BACKEND}")));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> Vec<String> {
        check(&Tree::of(&[(path, text)])).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_clock_below_the_driver_is_found_with_its_line() {
        let found =
            findings("crates/ice-agent/src/agent.rs", "//! x\nfn f() {\n    let now = Instant::now();\n}\n");
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("crates/ice-agent/src/agent.rs:3: `Instant::now`"), "{found:?}");
    }

    #[test]
    fn every_forbidden_name_is_found() {
        for (pattern, _) in FORBIDDEN {
            assert_eq!(
                findings("crates/srtp/src/lib.rs", &format!("fn f() {{ {pattern}; }}")).len(),
                1,
                "{pattern}"
            );
        }
    }

    #[test]
    fn a_clock_in_a_comment_or_a_test_is_not_one() {
        let text = "//! Never `Instant::now`.\n#[cfg(test)]\nmod tests { fn f() { Instant::now(); } }\n";
        assert_eq!(findings("crates/ice-agent/src/agent.rs", text), [""; 0]);
    }

    #[test]
    fn only_dtls_may_name_the_generator() {
        let text = "use crate::crypto::backend::SystemRandom;";
        assert_eq!(findings("crates/dtls-core/src/connection.rs", text), [""; 0]);
        assert_eq!(findings("crates/ice-agent/src/agent.rs", text).len(), 1);
    }

    #[test]
    fn only_the_crypto_folder_may_name_the_backend() {
        let found = |path| backend(&Tree::of(&[(path, "use ring::rand;")])).len();
        assert_eq!(found("crates/dtls-core/src/connection.rs"), 1);
        assert_eq!(found("crates/dtls-core/src/crypto/backend.rs"), 0);
        assert_eq!(found("crates/srtp/src/lib.rs"), 0);
    }

    #[test]
    fn what_is_louder_than_debug_below_the_driver_is_found() {
        let found = |path: &str, text: &str| quiet(&Tree::of(&[(path, text)])).len();
        for loud in LOUD {
            assert!(found("crates/stun/src/message.rs", &format!("fn f() {{ {loud} }}")) > 0, "{loud}");
        }
        assert_eq!(found("crates/stun/src/message.rs", "fn f() { tracing::debug!(); }"), 0);
        assert_eq!(found("crates/peer-transport-tokio/src/driver.rs", "fn f() { tracing::info!(); }"), 0);
    }

    #[test]
    fn the_driver_may_do_all_of_it() {
        assert_eq!(findings("crates/peer-transport-tokio/src/lib.rs", "Instant::now(); UdpSocket;"), [""; 0]);
    }
}
