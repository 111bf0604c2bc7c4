//! The structural check: a file's tree against its JSON Schema.
//!
//! Takes a schema and a tree; gives all problems of one walk. It corrects near misses in the tree, so that the rules
//! after it see the rest of the file, and one typing mistake is reported once. The loader runs it on every file.

use std::collections::HashSet;
use std::ops::Range;
use std::str::FromStr;

use serde_json::{Map, Value};

use super::problem::{Code, Problem, Text};
use super::tree::{Entry, Kind, Node};
use super::{FaultKind, suggest};
use crate::check::CheckId;
use crate::units::{Rate, Share, Size, Span, UnitError};

/// Checks a tree against a schema, and corrects near misses in it.
pub(super) fn check(
    schema: &Value,
    faults: &[FaultKind],
    text: &Text,
    tree: &mut Node,
    found: &mut Vec<Problem>,
) {
    let mut check = Check {
        root: schema,
        faults,
        text,
        found,
    };
    check.node(schema, tree);
}

/// The keys of a step that are not a fault.
const STEP_TIMES: &[&str] = &["at", "for"];

/// Keys that had another name in an earlier version, with their present one.
const RENAMED: &[(&str, &str)] = &[("lost_links", "lost_writes"), ("corrupt_links", "corrupt_writes")];

fn renamed(old: &str, new: &str) -> String {
    format!("`{old}` is now called `{new}`")
}

struct Check<'a> {
    root: &'a Value,
    faults: &'a [FaultKind],
    text: &'a Text,
    found: &'a mut Vec<Problem>,
}

impl<'a> Check<'a> {
    fn node(&mut self, schema: &'a Value, node: &mut Node) {
        if let Some(name) = schema["$ref"].as_str().and_then(|at| at.strip_prefix("#/$defs/")) {
            return self.definition(name, node);
        }
        if schema.get("properties").is_some()
            && (schema.get("oneOf").is_some() || schema.get("anyOf").is_some())
        {
            return; // a table with variants beside its own keys: serde checks it
        }
        if let Some(options) = schema["oneOf"].as_array().or(schema["anyOf"].as_array()) {
            return self.options(options, node);
        }
        if let Some(values) = schema["enum"].as_array() {
            return self.choice(values.iter(), node);
        }
        if let Some(value) = schema.get("const") {
            return self.choice(std::iter::once(value), node);
        }
        match (&mut node.kind, schema["type"].as_str()) {
            (_, None) | (Kind::Boolean(_), Some("boolean")) => {}
            (Kind::Text(_), Some("string")) | (Kind::Float(_), Some("number")) => {}
            (Kind::Integer(number), Some("integer" | "number")) => {
                let number = *number;
                self.range(schema, number, &node.span);
            }
            (Kind::Table(entries), Some("object")) => self.table(schema, entries, &node.span),
            (Kind::Array(items), Some("array")) => self.array(schema, items),
            (_, Some(wanted)) => self.wrong_type(wanted, node),
        }
    }

    /// Quantities have parsers with better messages than a pattern that does not match.
    fn definition(&mut self, name: &str, node: &mut Node) {
        match name {
            "Span" => self.quantity::<Span>("a length of time such as \"250ms\"", "1s", node),
            "Rate" => self.quantity::<Rate>("a rate such as \"100/s\"", "1/s", node),
            "Size" => self.quantity::<Size>("an amount of data such as \"64MiB\"", "1MiB", node),
            "Share" => self.quantity::<Share>("a share such as \"50%\"", "50%", node),
            "CheckId" => self.check_id(node),
            "Step" => self.step(node),
            _ => self.node(&self.root["$defs"][name], node),
        }
    }

    /// Reports what is not a quantity, and puts `stand_in` in its place.
    fn quantity<T: FromStr<Err = UnitError>>(&mut self, wanted: &str, stand_in: &str, node: &mut Node) {
        let (code, message, help) = match &node.kind {
            Kind::Text(text) => match text.parse::<T>() {
                Ok(_) => return,
                Err(error) => (Code::BadQuantity, error.to_string(), None),
            },
            Kind::Integer(_) | Kind::Float(_) => {
                let message = format!("a number without a unit; expected {wanted}");
                (Code::BadQuantity, message, Some("write the unit too, in quotes"))
            }
            other => {
                let message = format!("expected {wanted}, found {}", name_of(other));
                (Code::WrongType, message, None)
            }
        };
        let problem = self.problem(code, &node.span, message);
        self.found.push(match help {
            Some(help) => problem.help(help),
            None => problem,
        });
        node.kind = Kind::Text(stand_in.into());
        node.stands_in = true;
    }

    /// The name of a check. One of an earlier version gets its present name, a near miss the one that was meant.
    fn check_id(&mut self, node: &mut Node) {
        let Kind::Text(name) = &mut node.kind else {
            return self.wrong_type("string", node);
        };
        if let Some(check) = CheckId::renamed(name) {
            let problem = Problem::at(
                Code::Renamed,
                self.text,
                &node.span,
                renamed(name, &check.to_string()),
            );
            self.found.push(problem);
            *name = check.to_string();
        } else if let Err(unknown) = name.parse::<CheckId>() {
            let problem = Problem::at(Code::UnknownCheck, self.text, &node.span, unknown.to_string());
            self.found
                .push(problem.help(suggest::advice(name, CheckId::NAMES.iter().copied())));
            node.stands_in = true;
            node.kind = Kind::Text(CheckId::Budget.to_string());
        }
    }

    fn range(&mut self, schema: &Value, number: Option<i64>, span: &Range<usize>) {
        let bound = |key: &str| schema[key].as_f64();
        #[expect(
            clippy::cast_precision_loss,
            reason = "bounds are far below 2^53; what is near it is out of range anyway"
        )]
        // A number that does not fit in 64 bits fits no range.
        let number = number.map(|number| number as f64);
        // Not every width has its maximum in the schema; the format names it.
        let widest = match schema["format"].as_str() {
            Some("uint8") => Some(f64::from(u8::MAX)),
            Some("uint16") => Some(f64::from(u16::MAX)),
            Some("uint32") => Some(f64::from(u32::MAX)),
            _ => None,
        };
        let (least, most) = (bound("minimum"), bound("maximum").or(widest));
        let fits = number.is_some_and(|number| {
            least.is_none_or(|least| number >= least) && most.is_none_or(|most| number <= most)
        });
        if fits {
            return;
        }
        let message = match (least, most) {
            (Some(least), Some(most)) => format!("must be between {least} and {most}"),
            (Some(least), None) => format!("must be at least {least}"),
            (None, Some(most)) => format!("must be at most {most}"),
            (None, None) => "does not fit in 64 bits".into(),
        };
        self.report(Code::OutOfRange, span, message);
    }

    fn array(&mut self, schema: &'a Value, items: &mut [Node]) {
        if let Some(item) = schema.get("items") {
            for node in items {
                self.node(item, node);
            }
        }
    }

    fn table(&mut self, schema: &'a Value, entries: &mut Vec<Entry>, span: &Range<usize>) {
        // A closed table without properties accepts no key at all.
        let none = Map::new();
        let properties = schema["properties"].as_object();
        // Unknown keys first: a misspelt key gets its right name, so it is not reported as missing too.
        let closed = schema["additionalProperties"] == false;
        if closed {
            let names: Vec<&str> = properties.unwrap_or(&none).keys().map(String::as_str).collect();
            self.names(entries, &names);
        }
        for entry in entries.iter_mut() {
            // Tables by name, such as `[service.NAME]`, have one schema for every key.
            let known = properties.and_then(|properties| properties.get(&entry.key));
            if let Some(schema) = known.or_else(|| schema.get("additionalProperties")) {
                self.node(schema, &mut entry.value);
            }
        }
        for name in schema["required"].as_array().into_iter().flatten() {
            let name = name.as_str().unwrap_or_default();
            if !entries.iter().any(|entry| entry.key == name) {
                let problem = self.problem(Code::MissingKey, span, format!("missing key `{name}`"));
                self.found
                    .push(match schema["properties"][name]["description"].as_str() {
                        Some(text) => problem.help(format!("`{name}`: {text}")),
                        None => problem,
                    });
            }
        }
    }

    /// Reports unknown keys. A near miss gets the name that was meant; the others are removed.
    fn names(&mut self, entries: &mut Vec<Entry>, names: &[&str]) {
        // Before the others: an old name may also be near another key.
        self.renamed_keys(entries, names);
        let taken: HashSet<&str> = entries.iter().map(|entry| entry.key.as_str()).collect();
        // Only keys that the table does not have yet: suggesting one that is there would lead to a duplicate.
        let mut free: Vec<&str> = names
            .iter()
            .copied()
            .filter(|name| !taken.contains(name))
            .collect();
        entries.retain_mut(|entry| {
            if names.contains(&entry.key.as_str()) {
                return true;
            }
            let message = format!("unknown key `{}`", entry.key);
            let problem = self.problem(Code::UnknownKey, &entry.span, message);
            let advice = if free.is_empty() {
                "this table accepts no other keys".into()
            } else {
                suggest::advice(&entry.key, free.iter().copied())
            };
            self.found.push(problem.help(advice));
            let meant = suggest::nearest(&entry.key, free.iter().copied());
            if let Some(meant) = meant {
                // The next near miss means another key.
                free.retain(|name| *name != meant);
                entry.key = meant.into();
            }
            meant.is_some()
        });
    }

    /// Gives keys of an earlier version their present names, with a hint; not where the present one is there too.
    fn renamed_keys(&mut self, entries: &mut [Entry], names: &[&str]) {
        for (old, new) in RENAMED.iter().filter(|(_, new)| names.contains(new)) {
            // With both names there, the old one is reported as unknown.
            let taken = entries.iter().any(|entry| entry.key == *new);
            let entry = entries.iter_mut().find(|entry| entry.key == *old);
            if let (false, Some(entry)) = (taken, entry) {
                let problem = Problem::at(Code::Renamed, self.text, &entry.span, renamed(old, new));
                self.found.push(problem);
                entry.key = (*new).into();
            }
        }
    }

    /// One of several forms: values to choose from, tables with one key each, or anything else.
    fn options(&mut self, options: &'a [Value], node: &mut Node) {
        // The two common forms have messages of their own; trying each option would name only its mismatch.
        if options.iter().all(|option| option.get("const").is_some()) {
            return self.choice(options.iter().map(|option| &option["const"]), node);
        }
        // Each form with a key of its own: that key says which form was meant.
        let tags: Vec<&str> = options.iter().filter_map(tag).collect();
        if tags.len() == options.len() {
            return self.tagged(options, &tags, node);
        }
        let is_table = matches!(node.kind, Kind::Table(_));
        // The option with the fewest problems is the one that was most likely meant.
        let best = options
            .iter()
            .map(|option| {
                let (mut found, mut mended) = (Vec::new(), node.clone());
                Check {
                    found: &mut found,
                    ..*self
                }
                .node(option, &mut mended);
                (option, found, mended)
            })
            // Of two forms that fit no better, the one for a table says more of a table.
            .min_by_key(|(option, found, _)| (found.len(), is_table != self.is_table(option)));
        if let Some((_, found, mended)) = best {
            self.found.extend(found);
            *node = mended;
        }
    }

    /// Whether a form is a table.
    fn is_table(&self, form: &Value) -> bool {
        let name = form["$ref"].as_str().and_then(|at| at.strip_prefix("#/$defs/"));
        name.map_or(form, |name| &self.root["$defs"][name])["type"] == "object"
    }

    fn tagged(&mut self, options: &'a [Value], tags: &[&str], node: &mut Node) {
        let Kind::Table(entries) = &mut node.kind else {
            return self.wrong_type("object", node);
        };
        let before = self.found.len();
        self.names(entries, tags);
        match entries.as_mut_slice() {
            [entry] => {
                let option = options.iter().find(|option| tag(option) == Some(&entry.key));
                if let Some(option) = option {
                    self.node(&option["properties"][&entry.key], &mut entry.value);
                }
            }
            // Its only key was unknown and is already reported.
            [] if self.found.len() > before => {}
            _ => {
                let message = format!("exactly one of `{}` must be here", tags.join("`, `"));
                self.report(Code::NotExactlyOne, &node.span, message);
            }
        }
    }

    /// One of the listed values; a near miss becomes the value that was meant.
    fn choice(&mut self, values: impl Iterator<Item = &'a Value>, node: &mut Node) {
        let values: Vec<&str> = values.filter_map(Value::as_str).collect();
        let Kind::Text(text) = &mut node.kind else {
            return self.wrong_type("string", node);
        };
        if values.contains(&text.as_str()) {
            return;
        }
        let message = format!("unknown value `{text}`");
        let problem = self.problem(Code::UnknownValue, &node.span, message);
        self.found
            .push(problem.help(suggest::advice(text, values.iter().copied())));
        if let Some(meant) = suggest::nearest(text, values) {
            *text = meant.into();
        }
    }

    /// A step: its times, and exactly one fault of the catalogue.
    fn step(&mut self, node: &mut Node) {
        let schema = &self.root["$defs"]["Step"];
        let Kind::Table(entries) = &mut node.kind else {
            return self.wrong_type("object", node);
        };
        let is_time = |entry: &Entry| STEP_TIMES.contains(&entry.key.as_str());
        // Names first: the count of faults below needs the ones that were meant.
        for at in 0..entries.len() {
            self.fault_name(entries, at);
        }
        let known = |entry: &Entry| self.faults.iter().any(|kind| kind.name == entry.key);
        let calls: Vec<&Entry> = entries.iter().filter(|entry| known(entry)).collect();
        match calls.as_slice() {
            // With another key, that one was meant as the fault, and is reported as unknown.
            [] if entries.iter().all(is_time) => {
                let problem = self.problem(Code::StepWithoutFault, &node.span, "step has `at` but no fault");
                let known = self.faults.iter().map(|kind| kind.name);
                self.found.push(problem.help(suggest::advice("", known)));
            }
            [] | [_] => {}
            [first, second, ..] => {
                let message = format!("step has two faults: `{}` and `{}`", first.key, second.key);
                let problem = self.problem(Code::TwoFaultsInAStep, &second.span, message);
                self.found.push(problem.help("write one step for each fault"));
            }
        }
        for entry in entries.iter_mut() {
            self.step_entry(schema, entry);
        }
        if !entries.iter().any(|entry| entry.key == "at") {
            let problem = self.problem(Code::MissingKey, &node.span, "missing key `at`");
            self.found
                .push(problem.help("`at`: when, counted from the end of the steady-state check"));
        }
    }

    /// Reports a fault that does not exist; a near miss gets the name that was meant.
    fn fault_name(&mut self, entries: &mut [Entry], at: usize) {
        let taken = |name: &str| entries.iter().any(|entry| entry.key == name);
        // A misspelt `at` looks like an unknown fault: the times that are still missing are candidates too.
        let times = STEP_TIMES.iter().copied().filter(|name| !taken(name));
        let known: Vec<&str> = self.faults.iter().map(|kind| kind.name).collect();
        let entry = &entries[at];
        let name = entry.key.as_str();
        if known.contains(&name) || STEP_TIMES.contains(&name) {
            return;
        }
        let problem = self.problem(Code::UnknownFault, &entry.span, format!("unknown fault `{name}`"));
        let meant = suggest::nearest(name, times.chain(known.iter().copied()));
        self.found.push(problem.help(match meant {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => suggest::advice(name, known),
        }));
        if let Some(meant) = meant {
            entries[at].key = meant.into();
        }
    }

    /// A fault's parameters against their schema. Those that do not fit are not parsed later, to be refused again.
    fn step_entry(&mut self, schema: &'a Value, entry: &mut Entry) {
        // An unknown fault has no parameters to check.
        let Some(parameters) = schema["properties"].get(&entry.key) else {
            return;
        };
        let before = self.found.len();
        self.node(parameters, &mut entry.value);
        entry.value.stands_in |= self.found.len() > before;
    }

    fn wrong_type(&mut self, wanted: &str, node: &Node) {
        let wanted = match wanted {
            "string" => "text in quotes",
            "integer" => "a whole number",
            "number" => "a number",
            "boolean" => "true or false",
            "array" => "a list: […]",
            _ => "a table: {…}",
        };
        let message = format!("expected {wanted}, found {}", name_of(&node.kind));
        self.report(Code::WrongType, &node.span, message);
    }

    fn problem(&self, code: Code, span: &Range<usize>, message: impl Into<String>) -> Problem {
        Problem::at(code, self.text, span, message)
    }

    fn report(&mut self, code: Code, span: &Range<usize>, message: impl Into<String>) {
        let problem = self.problem(code, span, message);
        self.found.push(problem);
    }
}

/// The only key of a form, which distinguishes it from the others.
fn tag(option: &Value) -> Option<&str> {
    let properties = option["properties"].as_object()?;
    let required = option["required"].as_array()?;
    match (required.as_slice(), properties.len()) {
        // Exactly one key, and it is required: serde's form of an enum variant with content.
        ([only], 1) => only.as_str(),
        _ => None,
    }
}

fn name_of(kind: &Kind) -> &'static str {
    match kind {
        Kind::Table(_) => "a table",
        Kind::Array(_) => "a list",
        Kind::Text(_) => "text",
        Kind::Integer(_) => "a whole number",
        Kind::Float(_) => "a number",
        Kind::Boolean(_) => "true or false",
        Kind::Datetime(_) => "a date",
    }
}
