//! `flip-bit`: one bit of a stored file is another, as after a failing memory: the file may still parse, and be wrong.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Describe;
use super::file::{Damage, Damages, Stored};

/// Flips one bit of a file, chosen by the seed. Reverting puts the original back.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct FlipBit {
    #[serde(flatten)]
    stored: Stored,
}

impl Describe for FlipBit {
    const NAME: &'static str = "flip-bit";
    const SUMMARY: &'static str = "flip one bit of a stored file";
    const FAMILY: &'static str = "store";
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
        if let Some(byte) = (!bytes.is_empty()).then(|| choice.random_range(0..before.len())) {
            bytes[byte] ^= 1 << choice.random_range(0..8);
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
        let fault = FlipBit { stored };
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
}
