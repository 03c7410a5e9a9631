//! Rules of Sans-IO: no clock, socket, thread or entropy below the driver, no loud log, one crypto backend.
//!
//! Knows the names of such functions and types. Looks at source outside tests.

use super::layering::below_the_driver;
use super::{Finding, Tree};

/// Forbidden names, each with the replacement.
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
    ("thread::sleep", "the caller waits, until `poll_timeout`"),
    ("thread::spawn", "threads are the caller's"),
    ("std::env", "configuration is given"),
    ("std::fs", "files are the caller's"),
    ("std::process", "processes are the caller's"),
    ("println!", "report by an event, a statistic or a trace"),
    ("eprintln!", "report by an event, a statistic or a trace"),
];

const TIME: &str = "`now` is a parameter";
const SOCKET: &str = "sockets belong to the driver";
const ENTROPY: &str = "randomness comes from the injected `Seed`";

/// Only dtls-core may name the generator of the crypto backend, because DTLS keys come from it.
const WITH_BACKEND: &str = "crates/dtls-core/src/";
const GENERATOR: &str = "SystemRandom";

/// The only folder that imports the crate of the backend, so that a new backend changes one folder.
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

/// The macros of the levels above debug, which are on in production.
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
    fn clock_below_the_driver_is_found() {
        let found =
            findings("crates/ice-agent/src/agent.rs", "//! x\nfn f() {\n    let now = Instant::now();\n}\n");
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("crates/ice-agent/src/agent.rs:3: `Instant::now`"), "{found:?}");
    }

    #[test]
    fn each_forbidden_name_is_found() {
        for (pattern, _) in FORBIDDEN {
            assert_eq!(
                findings("crates/srtp/src/lib.rs", &format!("fn f() {{ {pattern}; }}")).len(),
                1,
                "{pattern}"
            );
        }
    }

    #[test]
    fn clock_in_comment_or_test_is_allowed() {
        let text = "//! Never `Instant::now`.\n#[cfg(test)]\nmod tests { fn f() { Instant::now(); } }\n";
        assert_eq!(findings("crates/ice-agent/src/agent.rs", text), [""; 0]);
    }

    #[test]
    fn generator_outside_dtls_is_found() {
        let text = "use crate::crypto::backend::SystemRandom;";
        assert_eq!(findings("crates/dtls-core/src/connection.rs", text), [""; 0]);
        assert_eq!(findings("crates/ice-agent/src/agent.rs", text).len(), 1);
    }

    #[test]
    fn backend_outside_its_folder_is_found() {
        let found = |path| backend(&Tree::of(&[(path, "use ring::rand;")])).len();
        assert_eq!(found("crates/dtls-core/src/connection.rs"), 1);
        assert_eq!(found("crates/dtls-core/src/crypto/backend.rs"), 0);
        assert_eq!(found("crates/srtp/src/lib.rs"), 0);
    }

    #[test]
    fn log_above_debug_below_the_driver_is_found() {
        let found = |path: &str, text: &str| quiet(&Tree::of(&[(path, text)])).len();
        for loud in LOUD {
            assert!(found("crates/stun/src/message.rs", &format!("fn f() {{ {loud} }}")) > 0, "{loud}");
        }
        assert_eq!(found("crates/stun/src/message.rs", "fn f() { tracing::debug!(); }"), 0);
        assert_eq!(found("crates/peer-transport-tokio/src/driver.rs", "fn f() { tracing::info!(); }"), 0);
    }

    #[test]
    fn driver_may_use_clocks_and_sockets() {
        assert_eq!(findings("crates/peer-transport-tokio/src/lib.rs", "Instant::now(); UdpSocket;"), [""; 0]);
    }
}
