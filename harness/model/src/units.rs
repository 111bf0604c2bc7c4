//! Quantities as people write them in scenario files: `250ms`, `100/s`, `64MiB`, `50%`.
//!
//! Takes text with a unit; gives a number in one unit. A number without a unit is refused, so that none is misread.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What is wrong with a quantity's text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected}")]
pub struct UnitError {
    text: String,
    expected: &'static str,
}

/// A length of time: a number and one of `us`, `ms`, `s`, `m`, `h`, `d`. No sign, at most ten years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(pub Duration);

/// How often: a number of times per second, written `100/s`, `30/m` or `6/h`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Rate(pub f64);

/// An amount of data in bytes, written `512B`, `64KiB`, `4MiB` or `1GiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(pub u64);

/// A share of a whole between 0 and 1, written `50%` or `0.5%`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Share(pub f64);

const TEN_YEARS: f64 = 10.0 * 365.0 * 86_400.0;

/// Splits `12.5ms` into the number and its unit.
fn split(text: &str) -> Option<(f64, &str)> {
    // The unit must be there: a number that reaches to the end of the text has none.
    let at = text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '_'))?;
    let number: f64 = text[..at].replace('_', "").parse().ok()?;
    (number.is_finite() && number >= 0.0).then_some((number, text[at..].trim()))
}

/// The nearest whole number. Callers check the range.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "not negative and below 2^53"
)]
fn whole(number: f64) -> u64 {
    number.round() as u64
}

impl Span {
    const EXPECTED: &'static str = "a length of time such as 250ms, 2s, 5m, 1h or 365d";

    /// The span of so many milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    /// The span of so many seconds.
    pub const fn from_secs(secs: u64) -> Self {
        Self(Duration::from_secs(secs))
    }
}

impl FromStr for Span {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let seconds = split(text.trim()).and_then(|(number, unit)| {
            let unit = match unit {
                "us" | "µs" => 1e-6,
                "ms" => 1e-3,
                "s" => 1.0,
                "m" | "min" => 60.0,
                "h" => 3600.0,
                "d" => 86_400.0,
                _ => return None,
            };
            Some(number * unit)
        });
        seconds
            .filter(|s| *s <= TEN_YEARS)
            // Rounded to microseconds, the unit of the histories: what is shown reads back as the same value.
            .map(|s| Self(Duration::from_micros(whole(s * 1e6))))
            .ok_or_else(|| UnitError {
                text: text.into(),
                expected: Self::EXPECTED,
            })
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.as_micros();
        let units = [
            (86_400_000_000, "d"),
            (3_600_000_000, "h"),
            (60_000_000, "m"),
            (1_000_000, "s"),
            (1_000, "ms"),
        ];
        for (unit, name) in units {
            if micros >= unit && micros.is_multiple_of(unit) {
                return write!(f, "{}{name}", micros / unit);
            }
        }
        write!(f, "{micros}us")
    }
}

impl Rate {
    const EXPECTED: &'static str =
        "a rate such as 100/s, 30/m or 6/h, at least one a day and at most 20000/s";
    /// A slower one would not be seen in any drill.
    const SLOWEST: f64 = 1.0 / 86_400.0;
    /// What one prober can send on time (`validate::journeys::HIGHEST_RATE`).
    const FASTEST: f64 = 20_000.0;

    /// The time between two of them.
    pub fn interval(self) -> Duration {
        Duration::from_secs_f64(1.0 / self.0)
    }
}

impl FromStr for Rate {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let per_second = text.trim().split_once('/').and_then(|(number, unit)| {
            let number: f64 = number.trim().parse().ok()?;
            let seconds = match unit.trim() {
                "s" => 1.0,
                "m" | "min" => 60.0,
                "h" => 3600.0,
                _ => return None,
            };
            Some(number / seconds)
        });
        per_second
            .filter(|r| (Self::SLOWEST..=Self::FASTEST).contains(r))
            .map(Self)
            .ok_or_else(|| UnitError {
                text: text.into(),
                expected: Self::EXPECTED,
            })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, unit) = [(1.0, "s"), (60.0, "m"), (3600.0, "h")]
            .into_iter()
            .map(|(seconds, unit)| (self.0 * seconds, unit))
            // The first unit in which it is at least one: 0.5/s reads as 30/m.
            .find(|(number, _)| *number >= 1.0)
            .unwrap_or((self.0 * 3600.0, "h"));
        write!(f, "{number}/{unit}")
    }
}

impl FromStr for Size {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let bytes = split(text.trim()).and_then(|(number, unit)| {
            let unit = match unit {
                "B" => 1.0,
                "KiB" => 1024.0,
                "MiB" => 1024.0 * 1024.0,
                "GiB" => 1024.0 * 1024.0 * 1024.0,
                _ => return None,
            };
            Some(number * unit)
        });
        bytes
            // Far below 2^53, so that the number of bytes is exact.
            .filter(|b| *b <= 1e15)
            .map(|b| Self(whole(b)))
            .ok_or_else(|| UnitError {
                text: text.into(),
                expected: "an amount of data such as 512B, 64KiB, 4MiB or 1GiB",
            })
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, name) in [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")] {
            if self.0 >= unit && self.0.is_multiple_of(unit) {
                return write!(f, "{}{name}", self.0 / unit);
            }
        }
        write!(f, "{}B", self.0)
    }
}

impl FromStr for Share {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        text.trim()
            .strip_suffix('%')
            .and_then(|number| number.trim().parse::<f64>().ok())
            .filter(|percent| (0.0..=100.0).contains(percent))
            .map(|percent| Self(percent / 100.0))
            .ok_or_else(|| UnitError {
                text: text.into(),
                expected: "a share between 0% and 100%",
            })
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Rounded to a millionth of a percent: 0.07 × 100 is 7.000000000000001.
        write!(f, "{}%", (self.0 * 1e8).round() / 1e6)
    }
}

/// For serde and the JSON Schema, a quantity is a string with a pattern.
macro_rules! as_text {
    ($type:ident, $name:literal, $pattern:literal, $description:literal) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern, "description": $description })
            }
        }
    };
}

as_text!(
    Span,
    "Span",
    r"^[0-9._]+ ?(us|µs|ms|s|m|min|h|d)$",
    "A length of time: 250ms, 2s, 5m, 1h, 365d."
);
as_text!(
    Rate,
    "Rate",
    r"^[0-9.]+ ?/ ?(s|m|min|h)$",
    "How often: 100/s, 30/m, 6/h."
);
as_text!(
    Size,
    "Size",
    r"^[0-9._]+ ?(B|KiB|MiB|GiB)$",
    "An amount of data: 512B, 64KiB, 4MiB, 1GiB."
);
as_text!(Share, "Share", r"^[0-9.]+ ?%$", "A share of a whole: 50%, 0.5%.");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quantities_read_as_people_write_them() {
        assert_eq!("250ms".parse::<Span>().unwrap(), Span::from_millis(250));
        assert_eq!("1.5s".parse::<Span>().unwrap(), Span::from_millis(1500));
        assert_eq!("23m".parse::<Span>().unwrap(), Span::from_secs(23 * 60));
        assert_eq!(
            "100/s".parse::<Rate>().unwrap().interval(),
            Duration::from_millis(10)
        );
        assert_eq!("64KiB".parse::<Size>().unwrap().0, 65536);
        assert_eq!("50%".parse::<Share>().unwrap().0, 0.5);
    }

    #[test]
    fn a_bare_number_a_sign_or_an_unknown_unit_is_refused() {
        for text in ["250", "-1s", "1 fortnight", "", "s", "1e9d", "NaNs", "9999999d"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
        for text in ["0/s", "1e-300/s", "0.5/d", "1/fortnight", "x/s", "100", "inf/s"] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
        assert!("101%".parse::<Share>().is_err());
    }

    proptest! {
        #[test]
        fn a_span_reads_back_what_it_prints(micros in 0u64..300_000_000_000_000) {
            let span = Span(Duration::from_micros(micros));
            prop_assert_eq!(span.to_string().parse::<Span>().unwrap(), span);
        }

        #[test]
        fn no_text_makes_a_parser_panic(text in ".{0,20}") {
            let _ = text.parse::<Span>();
            let _ = text.parse::<Rate>();
            let _ = text.parse::<Size>();
            let _ = text.parse::<Share>();
        }
    }
}
