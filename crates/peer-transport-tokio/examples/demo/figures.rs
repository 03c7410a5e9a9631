//! What the demonstration claims, as figures with goals: a table for people, rows for programs.

use std::fmt::Display;
use std::io;
use std::path::Path;

use serde_json::{Value, json};

/// Every claim, in the order in which it was made.
#[derive(Debug, Default)]
pub(crate) struct Figures(Vec<Figure>);

/// One claim and whether it is so.
#[derive(Debug)]
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    value: Value,
    goal: String,
    pub(crate) met: bool,
}

impl Figure {
    /// The value and what it was to be, in words.
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

    /// Something that is told in words and was to be `goal`.
    pub(crate) fn is(&mut self, name: &'static str, value: impl Display, goal: &str) {
        let value = value.to_string();
        let met = value == goal;
        self.push(name, value, goal.to_owned(), met);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Figure> {
        self.0.iter()
    }

    /// The claims that are not so.
    pub(crate) fn short(&self) -> impl Iterator<Item = &Figure> {
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
    fn a_figure_falls_short_on_the_wrong_side_of_its_goal() {
        let mut figures = Figures::default();
        figures.exactly("lost", 0, 0);
        figures.at_most("gap", 100, 100);
        figures.at_least("sent", 100, 100);
        figures.is("outcome", "fresh", "fresh");
        assert_eq!(figures.short().count(), 0);
        figures.exactly("lost", 1, 0);
        figures.at_most("gap", 101, 100);
        figures.at_least("sent", 99, 100);
        figures.is("outcome", "retained", "fresh");
        assert_eq!(figures.short().count(), 4);
    }
}
