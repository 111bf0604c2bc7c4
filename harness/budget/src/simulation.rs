//! Simulated years: every event of every year is drawn.
//!
//! The years are split into chunks with random numbers of their own, so that the result does not depend on the number of
//! cores that share the work.

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::poisson::Poisson;
use super::statistics::unseen_share;
use firedrill_judge::statistics::as_f64;

/// Tolerable rates are computed from so many years: good for two digits.
const RATE_YEARS: usize = 2000;

/// Years that are simulated in one go. At least [`RATE_YEARS`].
const CHUNK: usize = 5000;

/// A scenario as a risk: how often it is expected, and what it cost when it was rehearsed.
#[derive(Debug, Clone, PartialEq)]
pub struct Risk {
    /// The scenario.
    pub name: String,
    /// Times in the budget's window.
    pub rate: f64,
    /// Where that number comes from.
    pub because: String,
    /// The bounds of what each drill cost, in seconds.
    pub drills: Vec<(f64, f64)>,
    /// What an event of an unseen slow mode would cost, in seconds; `None`: the scenario does not say.
    pub price: Option<f64>,
}

/// What to simulate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Simulation {
    /// The budget, in seconds.
    pub budget: f64,
    /// How many years.
    pub years: usize,
    /// The random seed.
    pub seed: u64,
}

impl Risk {
    /// Random numbers of this risk alone: they do not change when another scenario is added. `purpose` is below 4.
    pub(super) fn rng(&self, seed: u64, purpose: u64, chunk: usize) -> ChaCha8Rng {
        // By name, not by place in the list: FNV-1a, which is the same on every machine and in every version.
        let name = self.name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        // Chunks and purposes are small numbers: they flip the low bits of the hash, and no two streams of a risk meet.
        rng.set_stream(name ^ (purpose + 4 * chunk as u64));
        rng
    }
}

/// The downtime of each simulated year, in seconds.
#[derive(Default)]
pub(super) struct Totals {
    /// By the drills' lower bounds.
    pub(super) low: Vec<f64>,
    /// By their upper bounds.
    pub(super) high: Vec<f64>,
    /// By their upper bounds, with an unseen slow mode.
    pub(super) slow: Vec<f64>,
}

/// A risk with its distributions.
struct Sampler<'a> {
    risk: &'a Risk,
    events: Events,
    slow: Poisson,
    price: f64,
}

impl<'a> Sampler<'a> {
    fn new(risk: &'a Risk) -> Self {
        let n = risk.drills.len();
        let costly: Vec<(f64, f64)> = risk
            .drills
            .iter()
            .copied()
            .filter(|drill| drill.1 > 0.0)
            .collect();
        Self {
            risk,
            events: Events::new(costly, risk.rate / as_f64(n).max(1.0)),
            // On top of the measured events, not instead of them: the year with it is never better.
            slow: Poisson::new(risk.rate * unseen_share(n)),
            price: risk.price.unwrap_or(0.0),
        }
    }

    /// Adds its events to every year of a chunk. Returns what it added to the first [`RATE_YEARS`], by upper bounds.
    fn add(&self, totals: &mut Totals, seed: u64, chunk: usize) -> Vec<f64> {
        let (mut rng, mut slow_rng) = (self.risk.rng(seed, 0, chunk), self.risk.rng(seed, 1, chunk));
        let mut added = Vec::new();
        for year in 0..totals.low.len() {
            let (low, high) = self.events.year(&mut rng);
            totals.low[year] += low;
            totals.high[year] += high;
            #[expect(clippy::cast_precision_loss, reason = "events of a year")]
            let slow = self.slow.draw(&mut slow_rng) as f64 * self.price;
            totals.slow[year] += high + slow;
            if chunk == 0 && year < RATE_YEARS {
                added.push(high);
            }
        }
        added
    }
}

/// Simulates every year, chunk by chunk, on all cores. Also returns what each risk added to the first years.
pub(super) fn simulate(risks: &[Risk], terms: &Simulation) -> (Totals, Vec<Vec<f64>>) {
    let samplers: Vec<Sampler<'_>> = risks.iter().map(Sampler::new).collect();
    let chunks = terms.years.div_ceil(CHUNK);
    let chunk = |chunk: usize| {
        let years = CHUNK.min(terms.years - chunk * CHUNK);
        let mut totals = Totals {
            low: vec![0.0; years],
            high: vec![0.0; years],
            slow: vec![0.0; years],
        };
        let added: Vec<Vec<f64>> = samplers
            .iter()
            .map(|sampler| sampler.add(&mut totals, terms.seed, chunk))
            .collect();
        (chunk, totals, added)
    };
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut done = std::thread::scope(|scope| {
        let work = |first: usize| (first..chunks).step_by(cores).map(chunk).collect::<Vec<_>>();
        let workers: Vec<_> = (0..cores).map(|first| scope.spawn(move || work(first))).collect();
        let parts = workers.into_iter().map(|worker| {
            worker
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        parts.flatten().collect::<Vec<_>>()
    });
    // In the order of the chunks, whichever core was faster: sums of floating point depend on it.
    done.sort_by_key(|(chunk, ..)| *chunk);
    let mut all = Totals::default();
    let mut first = Vec::new();
    for (chunk, totals, added) in done {
        all.low.extend(totals.low);
        all.high.extend(totals.high);
        all.slow.extend(totals.slow);
        if chunk == 0 {
            first = added;
        }
    }
    (all, first)
}

/// How a year's events are drawn: by the way that takes fewer draws. Drills without cost need none.
enum Events {
    /// How many events; then, for each, which drill it is like.
    Each(Poisson, Vec<(f64, f64)>),
    /// How many events like each drill: a Poisson number for each.
    Grouped(Poisson, Vec<(f64, f64)>),
}

impl Events {
    fn new(costly: Vec<(f64, f64)>, rate_of_one: f64) -> Self {
        // With more than one event a drill, one draw a drill is fewer than one draw an event.
        if rate_of_one > 1.0 {
            Self::Grouped(Poisson::new(rate_of_one), costly)
        } else {
            Self::Each(Poisson::new(rate_of_one * as_f64(costly.len())), costly)
        }
    }

    /// The bounds of one year's downtime.
    fn year(&self, rng: &mut ChaCha8Rng) -> (f64, f64) {
        let (mut low, mut high) = (0.0, 0.0);
        match self {
            Self::Each(events, drills) => {
                let mut bits = 0;
                for event in 0..events.draw(rng) {
                    // 16 bits choose among a few hundred drills evenly enough: to one in 65 536.
                    bits = if event % 4 == 0 {
                        rng.next_u64()
                    } else {
                        bits >> 16
                    };
                    let drill = drills[(drills.len() * (bits & 0xffff) as usize) >> 16];
                    low += drill.0;
                    high += drill.1;
                }
            }
            Self::Grouped(events, drills) => {
                for drill in drills {
                    #[expect(clippy::cast_precision_loss, reason = "events of a year")]
                    let times = events.draw(rng) as f64;
                    low += times * drill.0;
                    high += times * drill.1;
                }
            }
        }
        (low, high)
    }
}
