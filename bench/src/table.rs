//! What a benchmark says: rows with a target and whether it was reached.

use std::fmt;

/// Rows of one table.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<[String; 4]>,
    missed: usize,
}

impl Table {
    /// A measured value that has no target.
    pub fn say(&mut self, what: impl Into<String>, value: impl Into<String>) {
        self.rows
            .push([what.into(), value.into(), String::new(), String::new()]);
    }

    /// A measured value beside its target.
    pub fn hold(
        &mut self,
        what: impl Into<String>,
        value: impl Into<String>,
        target: impl Into<String>,
        reached: bool,
    ) {
        self.missed += usize::from(!reached);
        let word = if reached { "ok" } else { "NOT" };
        self.rows
            .push([what.into(), value.into(), target.into(), word.into()]);
    }

    /// Whether every target was reached.
    pub fn all_reached(&self) -> bool {
        self.missed == 0
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |column: usize| {
            let lengths = self.rows.iter().map(|row| row[column].chars().count());
            lengths.max().unwrap_or(0)
        };
        let (what, value, target) = (width(0), width(1), width(2));
        for row in &self.rows {
            let line = format!(
                "{:what$}  {:>value$}  {:target$}  {}",
                row[0], row[1], row[2], row[3]
            );
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}
