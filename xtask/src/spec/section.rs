//! Section numbers, in the order of an RFC: `4`, `4.2`, `4.10`, and the appendices `A`, `A.1` after them.
//!
//! Knows numbers. Does not know titles.

use std::fmt;

/// One section.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Section(Vec<Part>);

/// Numbers come before letters: appendices end an RFC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Number(u16),
    Letter(char),
}

impl Section {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = Vec::new();
        for (index, part) in text.split('.').enumerate() {
            let mut characters = part.chars();
            parts.push(match (characters.next()?, characters.next()) {
                (letter @ 'A'..='Z', None) if index == 0 => Part::Letter(letter),
                // A section number has no leading zero.
                ('1'..='9', _) => Part::Number(part.parse().ok()?),
                _ => return None,
            });
        }
        Some(Self(parts))
    }

    /// Returns the section after this one at a depth, which is 1 for `4` and `A`: `4.3` after `4.2.1` at depth 2.
    pub(crate) fn next(&self, depth: usize) -> Self {
        let mut parts: Vec<_> = self.0.iter().copied().take(depth).collect();
        if parts.len() < depth {
            parts.resize(depth, Part::Number(1));
            return Self(parts);
        }
        if let Some(last) = parts.last_mut() {
            *last = match *last {
                Part::Number(number) => Part::Number(number + 1),
                Part::Letter(letter) => Part::Letter(char::from_u32(u32::from(letter) + 1).unwrap_or(letter)),
            };
        }
        Self(parts)
    }
}

impl fmt::Display for Section {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.0.iter().enumerate() {
            if index > 0 {
                out.write_str(".")?;
            }
            match part {
                Part::Number(number) => write!(out, "{number}")?,
                Part::Letter(letter) => write!(out, "{letter}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(text: &str) -> Section {
        Section::parse(text).unwrap_or_else(|| panic!("`{text}` is a section"))
    }

    #[test]
    fn sections_sort_as_in_the_text() {
        let mut sections: Vec<_> = ["A.1", "10", "4.10", "4", "4.2.1", "A", "4.2"].map(section).into();
        sections.sort();
        let order: Vec<_> = sections.iter().map(ToString::to_string).collect();
        assert_eq!(order, ["4", "4.2", "4.2.1", "4.10", "10", "A", "A.1"]);
    }

    #[test]
    fn invalid_section_is_rejected() {
        for text in ["", "4.", ".4", "4.A", "0", "AB", "4 1", "a"] {
            assert_eq!(Section::parse(text), None, "{text}");
        }
    }

    #[test]
    fn next_section_has_the_given_depth() {
        let next = |text: &str, depth| section(text).next(depth).to_string();
        assert_eq!(next("4.2.1", 2), "4.3");
        assert_eq!(next("4", 2), "4.1");
        assert_eq!(next("4.2", 1), "5");
        assert_eq!(next("A.3", 1), "B");
    }
}
