//! `ice_agent::CandidateLine` from any text: a line that parses is written as a line that parses to the same value and
//! is written the same.

use ice_agent::CandidateLine;

/// The module documentation describes the input and the checks.
pub fn candidate_line(data: &[u8]) {
    let Ok(line) = str::from_utf8(data) else { return };
    let Ok(read) = line.parse::<CandidateLine>() else { return };
    let written = read.to_string();
    assert!(!written.contains(['\r', '\n']), "one line: {written:?}");
    let again: CandidateLine = written.parse().unwrap_or_else(|error| panic!("{written:?}: {error}"));
    assert_eq!(again.to_string(), written);
}
