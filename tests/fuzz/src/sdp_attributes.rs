//! The attribute lines of `peer_transport` from any text.
//!
//! Each line alone, and all of them as a description and as a fragment. A value that parses is written in a form that
//! parses to the same value; the limits hold.

use peer_transport::{Attribute, Description, Fragment, Parameters};

/// The module documentation describes the input and the checks.
pub fn sdp_attributes(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    for line in text.lines() {
        if let Ok(attribute) = line.parse::<Attribute>() {
            let written = attribute.to_string();
            assert!(!written.contains(['\r', '\n']), "one line: {written:?}");
            let again: Attribute = written.parse().unwrap_or_else(|error| panic!("{written:?}: {error}"));
            assert_eq!(again.to_string(), written);
        }
    }
    if let Ok(fragment) = Fragment::from_lines(text.lines()) {
        assert!(fragment.candidates.len() <= Description::MAX_CANDIDATES);
    }
    if let Ok(description) = Description::from_lines(text.lines()) {
        assert!(description.candidates.len() <= Description::MAX_CANDIDATES);
        assert!(description.parameters.fingerprints.len() <= Parameters::MAX_FINGERPRINTS);
        let lines: Vec<_> = description.attributes().map(|attribute| attribute.to_string()).collect();
        let again = Description::from_lines(lines.iter().map(String::as_str))
            .unwrap_or_else(|error| panic!("{lines:?}: {error}"));
        assert_eq!(again.parameters, description.parameters);
        assert_eq!(again.attributes().map(|a| a.to_string()).collect::<Vec<_>>(), lines);
    }
}
