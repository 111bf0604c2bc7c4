//! What one probe does: its requests in order, as one user with their cookies, until an answer is not right.
//!
//! Takes the steps of a journey and a way to the entry; gives what came of it to the stream. Reading back walks through its
//! steps in the same way.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use http::HeaderName;

use super::answer::{Answer, AnswerLabels, acknowledgement, first};
use super::connection::{Exchange, Way};
use super::cookies::{self, Cookies};
use super::error::Error;
use super::prepared::{Concrete, Prepared};
use super::records::{Book, Values};
use firedrill_model::sample::{Ack, Bad, Label, Labels, Outcome, Void};
use firedrill_model::scenario::{CAPTURE, Identity, Journey, JourneyStep, Template, Texts};

/// Prepared requests are cached up to so many.
const CACHED: u64 = 4096;

/// Requests that one user sends in order.
#[derive(Debug)]
pub(super) struct Steps(Vec<Step>);

#[derive(Debug)]
struct Step {
    prepared: Prepared,
    cache: Vec<OnceLock<Arc<Concrete>>>,
}

impl Steps {
    /// Parses every template; `reads_body` says that bodies have to be read for something else too.
    pub(super) fn new(steps: &[JourneyStep], reads_body: bool) -> Result<Self, Error> {
        let step = |step: &JourneyStep| {
            let prepared = Prepared::new(&step.request, &step.answer)?.capturing(&step.capture)?;
            Ok(Step {
                prepared: prepared.reading_body(reads_body),
                cache: Vec::new(),
            })
        };
        steps.iter().map(step).collect::<Result<_, _>>().map(Self)
    }

    /// The same with a cache for the requests of which the same ones come again.
    fn cached(mut self, book: &Book<'_>) -> Self {
        for step in &mut self.0 {
            let cycle = book.cycle(step.prepared.templates().into_iter());
            let cached = cycle.filter(|cycle| *cycle <= CACHED).unwrap_or(0);
            step.cache = (0..cached).map(|_| OnceLock::new()).collect();
        }
        self
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether every placeholder has a value, or gets one on the way.
    pub(super) fn can_be_filled(&self, values: &Values<'_>) -> bool {
        let templates = self.0.iter().flat_map(|step| step.prepared.templates());
        let mut placeholders = templates.flat_map(Template::placeholders);
        placeholders.all(|placeholder| values.get(placeholder).is_some() || self.captures(placeholder))
    }

    fn captures(&self, placeholder: &str) -> bool {
        let captured = self.0.iter().flat_map(|step| &step.prepared.captures);
        let name = placeholder.split_once('.').filter(|(kind, _)| *kind == CAPTURE);
        name.is_some_and(|(_, name)| captured.into_iter().any(|(known, _)| known == name))
    }

    /// Begins: nothing is sent before [`Walk::next`]. All steps together take `timeout` at most.
    pub(super) fn walk<'w>(&'w self, way: &'w Way, values: Values<'w>, timeout: Duration) -> Walk<'w> {
        Walk {
            steps: &self.0,
            way,
            values,
            cookies: (self.0.len() > 1).then(Cookies::default),
            timeout,
            began: None,
            next: 0,
        }
    }
}

impl Step {
    /// Whether its request has values of earlier answers.
    fn uses_captures(&self) -> bool {
        let templates = self.prepared.templates().into_iter();
        let mut names = templates.flat_map(Template::placeholders);
        names.any(|name| name.split_once('.').is_some_and(|(kind, _)| kind == CAPTURE))
    }

    /// The request of record number `n`, from the cache where the same ones come again.
    fn concrete(&self, values: &Values<'_>) -> Result<Arc<Concrete>, Error> {
        let make = || self.prepared.concrete(values).map(Arc::new);
        let slot = self
            .cache
            .get(usize::try_from(values.n % (self.cache.len().max(1) as u64)).unwrap_or(usize::MAX));
        match slot {
            Some(slot) => match slot.get() {
                Some(cached) => Ok(Arc::clone(cached)),
                None => make().map(|made| Arc::clone(slot.get_or_init(|| made))),
            },
            None => make(),
        }
    }
}

/// One user on the way through the steps.
pub(super) struct Walk<'w> {
    steps: &'w [Step],
    way: &'w Way,
    values: Values<'w>,
    /// Only where a later request could have them.
    cookies: Option<Cookies>,
    timeout: Duration,
    began: Option<Instant>,
    next: usize,
}

/// One step that was carried out.
#[derive(Debug)]
pub(super) struct Walked {
    /// Which, counted from 0.
    pub(super) step: usize,
    pub(super) exchange: Exchange,
    /// What is wrong with the answer, if there is one.
    pub(super) wrong: Option<Bad>,
}

impl Walked {
    /// The answer, or why it is none or not right.
    pub(super) fn right(&self) -> Result<&Answer, Outcome> {
        match (&self.exchange.result, self.wrong) {
            (Err(outcome), _) => Err(*outcome),
            (Ok(_), Some(bad)) => Err(Outcome::Bad(bad)),
            (Ok(answer), None) => Ok(answer),
        }
    }

    /// A request that cannot be made of its templates.
    fn not_sent(step: usize, outcome: Outcome) -> Self {
        let now = Instant::now();
        Self {
            step,
            exchange: Exchange {
                sent: now,
                first: None,
                ended: now,
                reconnected: false,
                result: Err(outcome),
            },
            wrong: None,
        }
    }
}

impl Walk<'_> {
    /// Carries the next step out; `None` after the last one, or after one that was not right.
    pub(super) async fn next(&mut self) -> Option<Walked> {
        let at = self.next;
        let step = self.steps.get(at)?;
        // After anything but a right answer there is no next one.
        self.next = self.steps.len();
        let Ok(mut concrete) = step.concrete(&self.values) else {
            // A value of the service's own that makes no request is the service's fault, not the prober's.
            let outcome = match step.uses_captures() {
                true => Outcome::Bad(Bad::Content),
                false => Outcome::Void(Void::Unsendable),
            };
            return Some(Walked::not_sent(at, outcome));
        };
        let asked = self
            .cookies
            .as_ref()
            .and_then(|_| cookies::asked(self.way.authority(), &concrete.headers, &concrete.uri));
        if let (Some(cookies), Some(asked)) = (&self.cookies, &asked) {
            // Only a copy gets them: a cached request is that of all users.
            cookies.send(asked, &mut Arc::make_mut(&mut concrete).headers);
        }
        let left = self
            .began
            .map_or(self.timeout, |began| self.timeout.saturating_sub(began.elapsed()));
        let exchange = self.way.exchange(&concrete, left).await;
        self.began.get_or_insert(exchange.sent);
        let mut wrong = None;
        if let Ok(answer) = &exchange.result {
            if let (Some(cookies), Some(asked)) = (&mut self.cookies, &asked) {
                cookies.keep(asked, &answer.headers);
            }
            wrong = concrete.want.judge(answer).or_else(|| self.capture(step, answer));
            if wrong.is_none() {
                self.next = at + 1;
            }
        }
        Some(Walked {
            step: at,
            exchange,
            wrong,
        })
    }

    /// Keeps what later requests need of a right answer. One without it is wrong.
    fn capture(&mut self, step: &Step, answer: &Answer) -> Option<Bad> {
        for (name, source) in &step.prepared.captures {
            match source.read(answer) {
                Some(value) => drop(self.values.captures.insert(name.clone(), value)),
                None => return Some(Bad::Content),
            }
        }
        None
    }

    /// The captured values of these names.
    fn captured(&self, names: &[String]) -> Texts {
        let value = |name: &String| Some((name.clone(), self.values.captures.get(name)?.clone()));
        names.iter().filter_map(value).collect()
    }
}

/// What one probe came to.
#[derive(Debug)]
pub(super) struct Visited {
    /// When the first request was sent.
    pub(super) sent: Instant,
    /// The first byte of the last answer, which the status and the release are of.
    pub(super) first: Option<Instant>,
    /// When the last answer was whole, or given up.
    pub(super) ended: Instant,
    pub(super) outcome: Outcome,
    pub(super) status: u16,
    pub(super) release: Label,
    pub(super) rung: Label,
    /// A request was repeated on a new connection.
    pub(super) reconnected: bool,
    /// What was written; none for a journey that only reads, or that did not get so far.
    pub(super) write: Option<Written>,
    /// What a client said of a failure.
    pub(super) complaint: Option<String>,
}

/// A write, as far as its user can know.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) ack: Ack,
    pub(super) link: Option<String>,
    pub(super) captures: Texts,
}

/// What the probes of a journey do.
#[derive(Debug)]
pub(super) struct Visit {
    steps: Steps,
    labels: AnswerLabels,
    timeout: Duration,
    writes: Option<Writes>,
    /// Each probe sends requests of its own.
    always_new: bool,
}

/// How a journey that is read back writes.
#[derive(Debug)]
struct Writes {
    /// The step whose answer acknowledges it.
    step: usize,
    link_header: Option<HeaderName>,
    /// The captured values that reading back needs. Others are not kept: sessions and tokens belong into no history.
    captures: Vec<String>,
}

impl Visit {
    /// Prepares a journey.
    pub(super) fn new(
        journey: &Journey,
        identity: Option<&Identity>,
        book: &Book<'_>,
    ) -> Result<Self, Error> {
        let labels = AnswerLabels::new(identity, journey.fallback.as_ref());
        let journey_steps = journey.steps();
        let steps = Steps::new(&journey_steps, labels.reads_body())?.cached(book);
        let writes = journey.remember.as_ref().map(|remember| Writes {
            step: JourneyStep::writing(&journey_steps),
            link_header: remember.link_header.as_ref().and_then(|name| name.parse().ok()),
            captures: remember.captured(),
        });
        let always_new = steps.0.iter().any(|step| step.cache.is_empty());
        Ok(Self {
            steps,
            labels,
            timeout: journey.timeout.0,
            writes,
            always_new,
        })
    }

    /// Whether every probe needs a record number that no other one has: it writes, or its requests are new each time.
    pub(super) fn needs_new_records(&self) -> bool {
        self.always_new || self.writes.is_some()
    }

    /// One probe with the records of number `n`.
    pub(super) async fn make(&self, way: &Way, book: Book<'_>, labels: &Labels, n: u64) -> Visited {
        let mut walk = self.steps.walk(way, Values::of(book, n), self.timeout);
        let mut visited = Visited::not_sent();
        while let Some(walked) = walk.next().await {
            let outcome = self.add(&mut visited, &walked, labels);
            if let Some(writes) = self.writes.as_ref().filter(|writes| writes.step == walked.step) {
                let exchange = &walked.exchange;
                let answer = exchange.result.as_ref().ok();
                let link = answer
                    .zip(writes.link_header.as_ref())
                    .map(|(answer, name)| first(&answer.headers, name));
                visited.write = Some(Written {
                    ack: acknowledgement(outcome, visited.status, exchange.reconnected),
                    link: link.filter(|link| !link.is_empty()),
                    captures: walk.captured(&writes.captures),
                });
            }
        }
        visited
    }

    /// Adds a step to what the probe has come to; returns the step's own outcome.
    fn add(&self, visited: &mut Visited, walked: &Walked, labels: &Labels) -> Outcome {
        let exchange = &walked.exchange;
        if walked.step == 0 {
            visited.sent = exchange.sent;
        }
        visited.first = exchange.first;
        visited.ended = exchange.ended;
        visited.reconnected |= exchange.reconnected;
        let mut rung = None;
        match &exchange.result {
            Ok(answer) => {
                rung = self.labels.rung(&answer.headers, labels);
                visited.status = answer.status.as_u16();
                visited.release = self.labels.release(answer, labels);
            }
            Err(_) => (visited.status, visited.release) = (0, Label::NONE),
        }
        let outcome = match walked.right() {
            Err(outcome) => outcome,
            Ok(_) if rung.is_some() => Outcome::Fallback,
            Ok(_) => Outcome::Good,
        };
        if visited.rung == Label::NONE {
            visited.rung = rung.unwrap_or(Label::NONE);
        }
        // One answer by a fallback makes the whole probe one.
        if !(visited.outcome == Outcome::Fallback && outcome == Outcome::Good) {
            visited.outcome = outcome;
        }
        outcome
    }
}

impl Visited {
    /// Nothing was sent, and nothing came.
    pub(super) fn not_sent() -> Self {
        let now = Instant::now();
        Self {
            sent: now,
            first: None,
            ended: now,
            outcome: Outcome::Void(Void::Unsendable),
            status: 0,
            release: Label::NONE,
            rung: Label::NONE,
            reconnected: false,
            write: None,
            complaint: None,
        }
    }

    /// Its outcome when a right answer must come within a deadline.
    ///
    /// Counted from the sending, as the evidence interval is: a prober that was a little late must not turn a right answer into a
    /// wrong one, and one that was very late is void. Latency counts from the due time.
    pub(super) fn by_deadline(&self, deadline: Duration) -> Outcome {
        let late = self.ended.saturating_duration_since(self.sent) > deadline;
        match self.outcome {
            Outcome::Good | Outcome::Fallback if late => Outcome::Bad(Bad::Late),
            outcome => outcome,
        }
    }
}
