//! The supported ICE extensions of a side: `a=ice-options` (RFC 8839 section 5.6).

use std::fmt;
use std::str::FromStr;

use super::Problem;

/// A set of ICE option tags. Unknown tags are skipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct IceOptions {
    /// `trickle`: candidates may follow later (RFC 8838 section 4.1.1).
    pub trickle: bool,
    /// `ice2`: the agent conforms to RFC 8445 (section 10), so it does not use aggressive nomination.
    pub ice2: bool,
    /// `renomination`: a later nomination replaces an earlier one (draft-thatcher-ice-renomination).
    pub renomination: bool,
}

impl IceOptions {
    /// Returns whether the set has no tag. An empty set is not written as an attribute.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }
}

/// Union.
impl std::ops::BitOr for IceOptions {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self {
            trickle: self.trickle || other.trickle,
            ice2: self.ice2 || other.ice2,
            renomination: self.renomination || other.renomination,
        }
    }
}

impl fmt::Display for IceOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tags = [(self.trickle, "trickle"), (self.ice2, "ice2"), (self.renomination, "renomination")];
        let mut separator = "";
        for (_, tag) in tags.iter().filter(|(supported, _)| *supported) {
            write!(f, "{separator}{tag}")?;
            separator = " ";
        }
        Ok(())
    }
}

impl FromStr for IceOptions {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let mut options = Self::default();
        for tag in text.split_ascii_whitespace() {
            match tag {
                "trickle" => options.trickle = true,
                "ice2" => options.ice2 = true,
                "renomination" => options.renomination = true,
                _ => {}
            }
        }
        Ok(options)
    }
}
