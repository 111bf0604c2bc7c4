//! Plurals, units, rounding, ranges and "none": the one place where a number becomes text for people.
//!
//! Takes quantities and gives short texts with a unit. Checks, reports, progress lines and errors use it; what machines
//! read (scenario files, histories, JSON) does not: see [`units`](crate::units) for the forms that can be read back.
//!
//! ```
//! use std::time::Duration;
//! use firedrill_model::format::{count, percent, span};
//!
//! assert_eq!(count(1, "drill"), "1 drill");
//! assert_eq!(count(3, "drill"), "3 drills");
//! assert_eq!(span(Duration::from_secs(900)), "15 min");
//! assert_eq!(percent(153.3), "153 %");
//! ```

use std::error::Error;
use std::fmt::Display;
use std::time::Duration;

use crate::units::Size;

/// How absence is written, in lists and in quantities.
pub const NONE: &str = "none";

/// A cell of a table in which nothing applies.
pub const NOT_APPLICABLE: &str = "–";

/// The variable that says how a user calls this program, where that is not `firedrill`.
const CALLED: &str = "FIREDRILL_CALLED";

/// A command as one can paste it into a shell: words with spaces or quotes are quoted.
///
/// ```
/// let command = firedrill_model::format::command(["firedrill", "report", "my runs"]);
/// assert_eq!(command, "firedrill report 'my runs'");
/// ```
pub fn command<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    let words = words.into_iter().enumerate().map(|(at, word)| {
        // The way in which this program was called, if that is known: as an alias of cargo, for one.
        if let (0, "firedrill", Ok(called)) = (at, word, std::env::var(CALLED)) {
            return called;
        }
        // No argument of a command can contain a NUL, so there is no way to quote it.
        let word = word.replace('\0', "");
        shlex::try_quote(&word).map_or_else(|_| String::new(), std::borrow::Cow::into_owned)
    });
    words.collect::<Vec<_>>().join(" ")
}

/// An error and its causes: `cannot write report.html: permission denied`.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    for cause in causes.map(ToString::to_string) {
        // Some errors name their cause in their own message already.
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

/// A number with its noun: `1 drill`, `3 drills`, `2 entries`.
pub fn count<N: Display + PartialEq + From<u8>>(number: N, noun: &str) -> String {
    if number == N::from(1) {
        format!("1 {noun}")
    } else {
        format!("{number} {}", plural(noun))
    }
}

/// The regular plural of an English noun; only the last word of several changes.
fn plural(noun: &str) -> String {
    // `day` has a vowel before its y and becomes `days`; `entry` becomes `entries`.
    let before_y = noun
        .strip_suffix('y')
        .filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u']));
    match before_y {
        Some(stem) => format!("{stem}ies"),
        None if noun.ends_with(['s', 'x']) || noun.ends_with("ch") || noun.ends_with("sh") => {
            format!("{noun}es")
        }
        None => format!("{noun}s"),
    }
}

/// Items with commas between them, or `none`.
pub fn list<S: AsRef<str>>(items: impl IntoIterator<Item = S>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.as_ref().to_owned()).collect();
    if items.is_empty() {
        NONE.to_owned()
    } else {
        items.join(", ")
    }
}

/// Items with commas between them; of a long list the first ones, and how many more there are.
pub fn first_of(items: &[String], most: usize) -> String {
    let shown = list(items.iter().take(most));
    match items.len().saturating_sub(most) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// How many of how many: `all 8 answers`, `0 of 8 answers`, `1 of 1 answer`.
pub fn of_all(part: usize, whole: usize, noun: &str) -> String {
    match (part, whole) {
        (_, 0) => format!("no {}", plural(noun)),
        // Not of one: the figures say more than "all 1 answer".
        (part, whole) if part == whole && whole > 1 => format!("all {}", count(whole, noun)),
        (part, whole) => format!("{part} of {}", count(whole, noun)),
    }
}

/// Counted kinds, each with a multiplication sign so that no plural is needed: `25 × wrong status, 1 × refused`.
pub fn tally<K: ToString>(kinds: impl IntoIterator<Item = (K, usize)>) -> String {
    list(
        kinds
            .into_iter()
            .map(|(kind, count)| format!("{count} × {}", kind.to_string())),
    )
}

/// A duration that somebody set (a limit, a budget, a delay), exactly: `15 min`, `250 ms`, `1.5 s`, `365 days`.
pub fn span(time: Duration) -> String {
    const UNITS: [(u128, &str); 5] = [
        (86_400_000_000, "day"),
        (3_600_000_000, "h"),
        (60_000_000, "min"),
        (1_000_000, "s"),
        (1_000, "ms"),
    ];
    let micros = time.as_micros();
    // The largest unit that it is a whole number of, so that nothing is rounded.
    let whole = UNITS
        .into_iter()
        .find(|(unit, _)| micros >= *unit && micros.is_multiple_of(*unit));
    match whole {
        Some((unit, "day")) => count(usize::try_from(micros / unit).unwrap_or(usize::MAX), "day"),
        // Milliseconds from a second on are easier to read as a decimal fraction of seconds, which is as exact.
        Some((unit, "ms")) if micros > 1_000_000 => {
            let millis = format!("{:03}", micros / unit % 1000);
            format!("{}.{} s", time.as_secs(), millis.trim_end_matches('0'))
        }
        Some((unit, name)) => format!("{} {name}", micros / unit),
        None if micros == 0 => "0 s".to_owned(),
        None => format!("{micros} µs"),
    }
}

/// A size that somebody set, exactly: `400 MiB`, `16 B`.
pub fn size(size: Size) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let Size(bytes) = size;
    let whole = UNITS
        .into_iter()
        .find(|(unit, _)| bytes >= *unit && bytes.is_multiple_of(*unit));
    let (unit, name) = whole.unwrap_or((1, "B"));
    format!("{} {name}", bytes / unit)
}

/// A limit, where zero means that nothing is allowed: `none`, `≤ 15 min`.
pub fn at_most(limit: Duration) -> String {
    if limit.is_zero() {
        NONE.to_owned()
    } else {
        format!("≤ {}", span(limit))
    }
}

/// A measured latency in two or three digits: `0.42 ms`, `6.9 ms`, `128 ms`, `1.25 s`; a dash for none.
pub fn latency(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1e3;
    match millis {
        m if m <= 0.0 => NOT_APPLICABLE.into(),
        // Each limit is where the rounded text would gain a digit: 9.95 would print as `10.0 ms`.
        m if m < 0.995 => format!("{m:.2} ms"),
        m if m < 9.95 => format!("{m:.1} ms"),
        m if m < 999.5 => format!("{m:.0} ms"),
        m => format!("{:.2} s", m / 1e3),
    }
}

/// A downtime of minutes to hours, in its two largest units: `350 ms`, `2.5 s`, `41 s`, `23 min`, `2 h 5 min`.
pub fn long(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 if time < Duration::from_millis(1) => "0 s".to_owned(),
        0 => format!("{} ms", time.as_millis()),
        1..=9 => format!("{:.1} s", time.as_secs_f64()),
        10..=59 => format!("{seconds} s"),
        60..=3599 => two_units(seconds / 60, "min", seconds % 60, "s"),
        _ => two_units(seconds / 3600, "h", seconds % 3600 / 60, "min"),
    }
}

fn two_units(large: u64, unit: &str, small: u64, smaller: &str) -> String {
    match small {
        0 => format!("{large} {unit}"),
        small => format!("{large} {unit} {small} {smaller}"),
    }
}

/// [`long`], of a number of seconds; what no duration can hold is the longest one.
pub fn long_seconds(seconds: f64) -> String {
    long(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}

/// A percentage with three significant digits at most, without its sign.
fn percent_number(percent: f64) -> String {
    match percent {
        p if p <= 0.0 => "0".into(),
        // It would print as 0.00, and it is not nothing. The other limits are where the text would gain a digit.
        p if p < 0.005 => "< 0.01".into(),
        p if p < 9.995 => format!("{p:.2}"),
        p if p < 99.95 => format!("{p:.1}"),
        p => format!("{p:.0}"),
    }
}

/// A percentage: `0 %`, `< 0.01 %`, `0.06 %`, `15.3 %`, `153 %`.
pub fn percent(percent: f64) -> String {
    format!("{} %", percent_number(percent))
}

/// A percentage between two bounds: `0.07 to 0.10 %`, or one figure where both round to it.
pub fn percent_range(low: f64, high: f64) -> String {
    format!("{} %", range(percent_number(low), percent_number(high)))
}

/// Between two figures, or the one that both are.
pub fn range(low: String, high: String) -> String {
    if low == high {
        high
    } else {
        format!("{low} to {high}")
    }
}

/// A rate with two significant digits: `0.25`, `2.4`, `24`.
pub fn rate(rate: f64) -> String {
    match rate {
        r if r >= 9.95 => format!("{r:.0}"),
        r if r >= 0.995 => format!("{r:.1}"),
        r => format!("{r:.2}"),
    }
}

/// How often a year, as somebody stated it: `1 event a year`, `0.5 events a year`.
pub fn events_a_year(times: f64) -> String {
    let noun = if (times - 1.0).abs() < f64::EPSILON {
        "event"
    } else {
        "events"
    };
    format!("{times} {noun} a year")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn nouns_follow_their_number() {
        assert_eq!(
            [
                count(0, "drill"),
                count(1, "drill"),
                count(2, "journey"),
                count(3, "entry"),
                count(2, "negative control")
            ],
            [
                "0 drills",
                "1 drill",
                "2 journeys",
                "3 entries",
                "2 negative controls"
            ]
        );
    }

    #[test]
    fn how_many_of_how_many_is_one_phrase() {
        let of = |part, whole| of_all(part, whole, "answer");
        assert_eq!(
            [of(0, 0), of(1, 1), of(0, 5), of(5, 5), of(3, 5)],
            [
                "no answers",
                "1 of 1 answer",
                "0 of 5 answers",
                "all 5 answers",
                "3 of 5 answers"
            ]
        );
    }

    #[test]
    fn a_long_list_ends_with_how_many_more_there_are() {
        let items = ["a", "b", "c"].map(str::to_owned);
        assert_eq!(first_of(&items, 2), "a, b and 1 more");
        assert_eq!(first_of(&items, 3), "a, b, c");
        assert_eq!(first_of(&[], 3), "none");
    }

    #[test]
    fn a_span_that_was_set_is_not_rounded() {
        let spans = [
            0,
            1,
            250,
            1500,
            2050,
            60_000,
            90_000,
            900_000,
            7_200_000,
            86_400_000,
            31_536_000_000,
        ];
        assert_eq!(
            spans.map(|ms| span(millis(ms))),
            [
                "0 s", "1 ms", "250 ms", "1.5 s", "2.05 s", "1 min", "90 s", "15 min", "2 h", "1 day",
                "365 days"
            ]
        );
        assert_eq!(at_most(Duration::ZERO), "none");
        assert_eq!(
            [16, 1 << 16, 400 << 20].map(|bytes| size(Size(bytes))),
            ["16 B", "64 KiB", "400 MiB"]
        );
        assert_eq!(at_most(millis(1000)), "≤ 1 s");
    }

    #[test]
    fn a_long_time_has_two_units_at_most() {
        let times = [0, 350, 2468, 41_900, 1_380_000, 1_385_000, 7_500_000];
        assert_eq!(
            times.map(|ms| long(millis(ms))),
            [
                "0 s",
                "350 ms",
                "2.5 s",
                "41 s",
                "23 min",
                "23 min 5 s",
                "2 h 5 min"
            ]
        );
    }

    #[test]
    fn a_percentage_has_three_digits_at_most() {
        let texts = [0.0, 0.001, 0.06, 9.994, 9.996, 15.33, 99.96, 153.33].map(percent);
        assert_eq!(
            texts,
            [
                "0 %", "< 0.01 %", "0.06 %", "9.99 %", "10.0 %", "15.3 %", "100 %", "153 %"
            ]
        );
    }

    #[test]
    fn a_range_is_one_figure_where_both_round_to_it() {
        assert_eq!(percent_range(0.07, 0.1), "0.07 to 0.10 %");
        assert_eq!(percent_range(153.3, 153.4), "153 %");
        assert_eq!(percent_range(0.0, 0.0), "0 %");
    }

    #[test]
    fn rates_have_two_digits() {
        assert_eq!(
            [0.25, 0.999, 2.44, 9.96, 24.0, 365.0].map(rate),
            ["0.25", "1.0", "2.4", "10", "24", "365"]
        );
        assert_eq!(events_a_year(1.0), "1 event a year");
        assert_eq!(events_a_year(0.5), "0.5 events a year");
    }

    proptest! {
        #[test]
        fn only_one_is_singular(number in 0usize..10_000) {
            let text = count(number, "drill");
            prop_assert_eq!(text.ends_with('s'), number != 1);
            prop_assert!(text.starts_with(&number.to_string()));
        }

        #[test]
        fn no_percentage_has_more_than_three_digits_or_looks_negative(value in 0.0f64..999.0) {
            let text = percent(value);
            prop_assert!(text.chars().filter(char::is_ascii_digit).count() <= 3, "{}", text);
            prop_assert!(text.ends_with(" %") && !text.contains('-'), "{}", text);
        }

        #[test]
        fn rounding_keeps_the_order_of_latencies(a in 1u64..100_000_000, b in 1u64..100_000_000) {
            let milliseconds = |micros| {
                let text = latency(Duration::from_micros(micros));
                let (number, unit) = text.split_once(' ').unwrap();
                number.parse::<f64>().unwrap() * if unit == "s" { 1e3 } else { 1.0 }
            };
            prop_assert!(a > b || milliseconds(a) <= milliseconds(b));
        }

        #[test]
        fn every_duration_has_a_number_and_a_unit(micros in 0u64..4_000_000_000_000) {
            let time = Duration::from_micros(micros);
            for text in [span(time), long(time)] {
                prop_assert!(text.starts_with(|c: char| c.is_ascii_digit()) && text.contains(' '), "{}", text);
            }
        }

        #[test]
        fn a_span_is_exact(micros in 1u64..4_000_000_000_000) {
            let text = span(Duration::from_micros(micros));
            let (number, unit) = text.split_once(' ').unwrap();
            let unit = match unit {
                "µs" => 1,
                "ms" => 1_000,
                "s" => 1_000_000,
                "min" => 60_000_000,
                "h" => 3_600_000_000,
                _ => 86_400_000_000u64,
            };
            let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
            let scale = 10u64.pow(u32::try_from(fraction.len()).unwrap());
            let fraction = fraction.parse::<u64>().unwrap() * unit / scale;
            prop_assert_eq!(whole.parse::<u64>().unwrap() * unit + fraction, micros);
        }
    }
}
