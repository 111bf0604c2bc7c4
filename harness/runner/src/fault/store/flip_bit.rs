//! `flip-bit`: one bit of a stored file is flipped, as by failing memory: the file may still parse, and be wrong.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::Deserialize;

use super::stored::{Damage, Damages, Stored};
use crate::fault::{Describe, Family};
use firedrill_model::table::Merged;

/// Flips one bit of a file, chosen by the seed. Reverting restores the original.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(from = "Merged<Stored, Which>")]
pub(in crate::fault) struct FlipBit {
    stored: Stored,
    text: Option<String>,
    bit: Option<Bit>,
}

/// Which bit is flipped.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Which {
    /// Only in the first byte of this text, at its first place in the file [default: anywhere].
    #[serde(default)]
    text: Option<String>,
    /// Which bit of the byte, from 0 (lowest) to 7 (highest) [default: any].
    #[serde(default)]
    bit: Option<Bit>,
}

impl From<Merged<Stored, Which>> for FlipBit {
    fn from(Merged(stored, which): Merged<Stored, Which>) -> Self {
        let Which { text, bit } = which;
        Self { stored, text, bit }
    }
}

/// A bit's place in its byte.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(try_from = "u8")]
#[schemars(extend("maximum" = 7))]
struct Bit(u8);

impl TryFrom<u8> for Bit {
    type Error = &'static str;

    fn try_from(bit: u8) -> Result<Self, Self::Error> {
        if bit < 8 {
            Ok(Self(bit))
        } else {
            Err("a byte has bits 0 to 7")
        }
    }
}

impl Describe for FlipBit {
    const NAME: &'static str = "flip-bit";
    const SUMMARY: &'static str = "flip one bit of a stored file";
    const CONFIRMED: &'static str = super::stored::CONFIRMED;
    const FAMILY: Family = Family::Store;
    const EXAMPLE: &'static str =
        r#"at = "1s", flip-bit = { service = "app", volume = "store", file = "urls.json" }"#;
    const LASTS: bool = true;
}

impl Damages for FlipBit {
    fn stored(&self) -> &Stored {
        &self.stored
    }

    fn what(&self) -> String {
        "one bit flipped".into()
    }

    fn damage(&self, before: &[u8], seed: u64) -> Damage {
        let mut bytes = before.to_vec();
        let mut choice = ChaCha8Rng::seed_from_u64(seed);
        let place = match &self.text {
            // Not there: nothing is changed, and so the fault is not in effect.
            Some(text) => before
                .windows(text.len().max(1))
                .position(|part| part == text.as_bytes()),
            None => (!bytes.is_empty()).then(|| choice.random_range(0..before.len())),
        };
        if let Some(byte) = place {
            // The place is drawn before the bit, so that a given seed always flips the same one.
            bytes[byte] ^= 1 << self.bit.map_or_else(|| choice.random_range(0..8), |bit| bit.0);
        }
        Damage::Content(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_one_bit_differs_and_the_seed_says_which() {
        let stored = Stored {
            service: "a".into(),
            volume: "b".into(),
            file: "c".into(),
        };
        let fault = FlipBit {
            stored,
            text: None,
            bit: None,
        };
        let Damage::Content(bytes) = fault.damage(b"some content", 7) else {
            panic!("deleted")
        };
        let bits: u32 = bytes
            .iter()
            .zip(b"some content")
            .map(|(a, b)| (a ^ b).count_ones())
            .sum();
        assert_eq!(bits, 1);
        assert_eq!(fault.damage(b"some content", 7), Damage::Content(bytes));
    }
    #[test]
    fn a_text_and_a_bit_say_where() {
        let params =
            serde_json::json!({ "service": "a", "volume": "b", "file": "c", "text": "con", "bit": 0 });
        let fault: FlipBit = serde_json::from_value(params).unwrap();
        assert_eq!(
            fault.damage(b"some con", 1),
            Damage::Content(b"some bon".to_vec())
        );
        assert_eq!(
            fault.damage(b"none", 1),
            Damage::Content(b"none".to_vec()),
            "a text that is not there changes nothing"
        );
    }
}
