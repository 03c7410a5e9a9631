//! Key log lines in the NSS format (draft-ietf-tls-keylogfile), for Wireshark.

use std::fmt;
use zeroize::Zeroizing;

/// A line of the key log: `Display` shows it in full, `Debug` without its secret.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyLogLine(Box<Line>);

/// Boxed, because it would enlarge every event, and few applications use it.
#[derive(Clone, PartialEq, Eq)]
struct Line {
    label: &'static str,
    client_random: [u8; 32],
    secret: Zeroizing<Vec<u8>>,
}

impl KeyLogLine {
    pub(crate) fn new(label: &'static str, client_random: [u8; 32], secret: &[u8]) -> Self {
        Self(Box::new(Line { label, client_random, secret: Zeroizing::new(secret.to_vec()) }))
    }
}

impl fmt::Display for KeyLogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Line { label, client_random, secret } = &*self.0;
        write!(f, "{label} ")?;
        client_random.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(" ")?;
        secret.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyLogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyLogLine({} ..)", self.0.label)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_is_shown_by_display_only() {
        let line = KeyLogLine::new("CLIENT_RANDOM", [0x11; 32], &[0xab; 48]);
        assert_eq!(line.to_string(), format!("CLIENT_RANDOM {} {}", "11".repeat(32), "ab".repeat(48)));
        assert!(!format!("{line:?}").contains("ab"));
    }
}
