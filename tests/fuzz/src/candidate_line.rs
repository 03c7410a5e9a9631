//! `ice_agent::CandidateLine` from any text: what reads writes a line that reads as the same and is written the same.

use ice_agent::CandidateLine;

/// See the head of the file.
pub fn candidate_line(data: &[u8]) {
    let Ok(line) = str::from_utf8(data) else { return };
    let Ok(read) = line.parse::<CandidateLine>() else { return };
    let written = read.to_string();
    assert!(!written.contains(['\r', '\n']), "one line: {written:?}");
    let again: CandidateLine = written.parse().unwrap_or_else(|error| panic!("{written:?}: {error}"));
    assert_eq!(again.to_string(), written);
}
