//! What is run next and when it is killed: each fault gets its turn on each backend, most kills while it is in effect.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use firedrill::Plan;
use firedrill::scenario;
use firedrill::{backend::Kind, fault};
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};

use crate::Failure;

/// A fault on a backend.
pub(crate) type Pair = (&'static str, Kind);

/// A kill that is planned.
pub(crate) struct Choice {
    pub(crate) pair: Pair,
    pub(crate) scenario: String,
    pub(crate) moment: Moment,
}

impl std::fmt::Display for Choice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (fault, kind) = self.pair;
        write!(f, "{fault} on {kind}: {}, killed {}", self.scenario, self.moment)
    }
}

/// When the harness is killed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Moment {
    /// So long after it was started: builds and preparations too.
    Started(Duration),
    /// So long after its history began, at most about as long as the drill lasts.
    Begun(Duration),
    /// So long after a step's fault began to be injected, at most about as long as it lasts.
    Injecting(usize, Duration),
}

impl std::fmt::Display for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Started(after) => write!(f, "{} ms after its start", after.as_millis()),
            Self::Begun(after) => write!(f, "{} ms after its first event", after.as_millis()),
            Self::Injecting(step, after) => {
                write!(f, "{} ms into step {}", after.as_millis(), step + 1)
            }
        }
    }
}

/// Whose turn it is.
pub(crate) struct Choices {
    plans: Vec<Plan>,
    pairs: Vec<Pair>,
    turn: usize,
    /// Those whose turn came to nothing, and who have it first.
    again: Vec<Pair>,
    /// Scenarios that a backend cannot run.
    unsupported: BTreeSet<(String, Kind)>,
    random: StdRng,
}

impl Choices {
    /// Of all faults on these backends, in an order that the seed decides.
    pub(crate) fn new(scenarios: &[String], kinds: &[Kind], mut random: StdRng) -> Result<Self, Failure> {
        let faults = fault::catalogue();
        let paths = scenario::find(scenarios, Path::new(".")).map_err(|problems| format!("{problems:?}"))?;
        let plans = scenario::load_all(&paths, &faults).map_err(|problems| format!("{problems:?}"))?;
        let mut names: Vec<&'static str> = faults.kinds().iter().map(|fault| fault.name).collect();
        // In an order of the seed: a run of few kills reaches other faults each time.
        names.shuffle(&mut random);
        let pairs = names
            .iter()
            .flat_map(|name| kinds.iter().map(move |kind| (*name, *kind)))
            .collect();
        Ok(Self {
            plans,
            pairs,
            turn: 0,
            again: Vec::new(),
            unsupported: BTreeSet::new(),
            random,
        })
    }

    /// The next fault's turn, of those that a scenario has.
    pub(crate) fn next(&mut self) -> Result<Choice, Failure> {
        // Turns that ended without a kill come first, so that each fault has as many.
        while let Some(pair) = self.again.pop() {
            if let Some(choice) = self.of(pair) {
                return Ok(choice);
            }
        }
        for _ in 0..self.pairs.len() {
            let pair = self.pairs[self.turn % self.pairs.len()];
            self.turn += 1;
            if let Some(choice) = self.of(pair) {
                return Ok(choice);
            }
        }
        Err("no scenario can be run here".into())
    }

    fn of(&mut self, pair: Pair) -> Option<Choice> {
        let mut runnable: Vec<Plan> = self.runnable(pair).into_iter().cloned().collect();
        runnable.shuffle(&mut self.random);
        let plan = runnable.pop()?;
        let steps = plan.scenario.steps.iter().enumerate();
        let steps: Vec<usize> = steps
            .filter(|(_, step)| step.fault.name == pair.0)
            .map(|(number, _)| number)
            .collect();
        let step = *steps.choose(&mut self.random)?;
        Some(Choice {
            pair,
            moment: self.moment(&plan, step),
            scenario: plan.name,
        })
    }

    /// The scenarios with this fault that this backend has not refused.
    fn runnable(&self, (fault, kind): Pair) -> Vec<&Plan> {
        let has = |plan: &&Plan| plan.scenario.steps.iter().any(|step| step.fault.name == fault);
        let refused = |plan: &&Plan| self.unsupported.contains(&(plan.name.clone(), kind));
        self.plans
            .iter()
            .filter(|plan| has(plan) && !refused(plan))
            .collect()
    }

    fn moment(&mut self, plan: &Plan, step: usize) -> Moment {
        let timing = &plan.scenario.timing;
        let steps = &plan.scenario.steps;
        let lasts = |step: &scenario::Step| step.lasting.map_or(timing.quiet.0, |lasting| lasting.0);
        // The step that is over last need not be the last one in the file.
        let last = steps.iter().map(|step| step.at.0 + lasts(step)).max();
        let whole = timing.steady.0 + last.unwrap_or_default() + timing.quiet.0;
        let random = &mut self.random;
        match random.random_range(0..10) {
            // One in ten before the drill begins, two at any time of it, the others while the fault is in effect.
            0 => Moment::Started(part(random, Duration::from_secs(2))),
            1 | 2 => Moment::Begun(part(random, whole)),
            _ => Moment::Injecting(step, part(random, lasts(&steps[step]))),
        }
    }

    /// A backend has passed a scenario over: it is not chosen again there.
    pub(crate) fn refuse(&mut self, choice: &Choice) {
        self.unsupported.insert((choice.scenario.clone(), choice.pair.1));
    }

    /// A turn came to nothing: it is the same one's again.
    pub(crate) fn again(&mut self, pair: Pair) {
        self.again.push(pair);
    }

    /// The pairs, each with whether it can be hit at all.
    pub(crate) fn pairs(&self) -> Vec<(Pair, bool)> {
        let possible = |pair: &Pair| (*pair, !self.runnable(*pair).is_empty());
        self.pairs.iter().map(possible).collect()
    }
}

fn part(random: &mut StdRng, whole: Duration) -> Duration {
    whole.mul_f64(random.random::<f64>())
}
