//! Certificates for the scenarios: made once and the same in every world of a process, so that two runs compare.

use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use dtls_core::Certificate;

const POOL: usize = 8;
/// An arbitrary day; no scenario depends on it.
const TODAY: Duration = Duration::from_secs(20_000 * 24 * 3600);
const MONTH: Duration = Duration::from_secs(30 * 24 * 3600);

/// Certificate `number` of a small pool.
#[must_use]
pub fn certificate(number: usize) -> Certificate {
    static CERTIFICATES: OnceLock<Vec<Certificate>> = OnceLock::new();
    let pool = CERTIFICATES.get_or_init(|| {
        let generate = || Certificate::generate(SystemTime::UNIX_EPOCH + TODAY, MONTH);
        std::iter::repeat_with(|| generate().expect("a key can be made")).take(POOL).collect()
    });
    pool[number % POOL].clone()
}
