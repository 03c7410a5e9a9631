//! The claims of the demo, as figures with goals: a table for people, rows for programs.

use std::fmt::Display;
use std::io;
use std::path::Path;

use serde_json::{Value, json};

/// All claims in order.
#[derive(Debug, Default)]
pub(crate) struct Figures(Vec<Figure>);

/// One claim, and whether it holds.
#[derive(Debug)]
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    value: Value,
    goal: String,
    pub(crate) met: bool,
}

impl Figure {
    /// Returns the value and the goal as text.
    pub(crate) fn in_words(&self) -> (String, &str) {
        let value = match &self.value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        (value, &self.goal)
    }
}

impl Figures {
    pub(crate) fn exactly(&mut self, name: &'static str, value: u64, goal: u64) {
        self.push(name, value, format!("= {goal}"), value == goal);
    }

    pub(crate) fn at_least(&mut self, name: &'static str, value: u64, goal: u64) {
        self.push(name, value, format!(">= {goal}"), value >= goal);
    }

    pub(crate) fn at_most(&mut self, name: &'static str, value: u64, goal: u64) {
        self.push(name, value, format!("<= {goal}"), value <= goal);
    }

    /// Adds a claim whose text must equal `goal`.
    pub(crate) fn is(&mut self, name: &'static str, value: impl Display, goal: &str) {
        let value = value.to_string();
        let met = value == goal;
        self.push(name, value, goal.to_owned(), met);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Figure> {
        self.0.iter()
    }

    /// Returns the claims that do not hold.
    pub(crate) fn failed(&self) -> impl Iterator<Item = &Figure> {
        self.0.iter().filter(|figure| !figure.met)
    }

    /// Writes the rows as JSON.
    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        let row = |figure: &Figure| json!({ "figure": figure.name, "value": figure.value, "goal": figure.goal, "met": figure.met });
        let rows = Value::Array(self.0.iter().map(row).collect());
        std::fs::write(path, format!("{rows:#}\n"))
    }

    fn push(&mut self, name: &'static str, value: impl Into<Value>, goal: String, met: bool) {
        self.0.push(Figure { name, value: value.into(), goal, met });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figure_fails_on_the_wrong_side_of_its_goal() {
        let mut figures = Figures::default();
        figures.exactly("lost", 0, 0);
        figures.at_most("gap", 100, 100);
        figures.at_least("sent", 100, 100);
        figures.is("outcome", "fresh", "fresh");
        assert_eq!(figures.failed().count(), 0);
        figures.exactly("lost", 1, 0);
        figures.at_most("gap", 101, 100);
        figures.at_least("sent", 99, 100);
        figures.is("outcome", "retained", "fresh");
        assert_eq!(figures.failed().count(), 4);
    }
}
