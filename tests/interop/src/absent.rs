//! The cells that cannot exist, from `absent.toml`, each with its reason.
//!
//! Reads the file only. It does not know which cells exist.

use toml::de::{DeTable, DeValue};

/// One listed cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Absent {
    pub(crate) peer: String,
    /// `both` is the cell in each of our roles.
    pub(crate) role: String,
    pub(crate) scenario: String,
    pub(crate) reason: String,
}

impl Absent {
    /// Whether this entry lists the cell.
    pub(crate) fn is(&self, peer: &str, role: &str, scenario: &str) -> bool {
        self.peer == peer && (self.role == role || self.role == "both") && self.scenario == scenario
    }
}

/// The list as it was when this program was built.
pub(crate) fn read() -> Result<Vec<Absent>, String> {
    parse(include_str!("../absent.toml")).map_err(|error| format!("absent.toml: {error}"))
}

fn parse(text: &str) -> Result<Vec<Absent>, String> {
    let table = DeTable::parse(text).map_err(|error| error.to_string())?;
    let Some(cells) = table.get_ref().get("absent") else { return Ok(Vec::new()) };
    let DeValue::Array(cells) = cells.get_ref() else { return Err("`absent` is no list of tables".into()) };
    cells.iter().map(|cell| cell_of(cell.get_ref())).collect()
}

fn cell_of(value: &DeValue<'_>) -> Result<Absent, String> {
    let DeValue::Table(table) = value else { return Err("an entry is no table".into()) };
    if let Some(unknown) =
        table.keys().find(|key| !["peer", "role", "scenario", "reason"].contains(&key.get_ref().as_ref()))
    {
        return Err(format!("unknown key `{}`", unknown.get_ref()));
    }
    let text = |key: &str| match table.get(key).map(toml::Spanned::get_ref) {
        Some(DeValue::String(text)) if !text.trim().is_empty() => Ok(text.to_string()),
        _ => Err(format!("an entry without `{key}`")),
    };
    Ok(Absent {
        peer: text("peer")?,
        role: text("role")?,
        scenario: text("scenario")?,
        reason: text("reason")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_in_the_tree_can_be_read() {
        assert!(read().is_ok_and(|cells| !cells.is_empty()));
    }

    #[test]
    fn an_entry_without_a_reason_is_refused() {
        let text = "[[absent]]\npeer = \"a\"\nrole = \"client\"\nscenario = \"b\"\n";
        assert_eq!(parse(text), Err("an entry without `reason`".into()));
        assert_eq!(parse(&format!("{text}reason = \" \"\n")), Err("an entry without `reason`".into()));
        assert!(parse(&format!("{text}reason = \"so\"\n")).is_ok());
    }

    #[test]
    fn a_misspelt_key_is_refused() {
        assert!(parse("[[absent]]\npeers = \"a\"\n").is_err());
    }
}
