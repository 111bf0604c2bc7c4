//! The year's statement: what real incidents have spent of the budget, how fast, and when it runs out at this rate.
//!
//! Takes a ledger and the terms of the project file, gives numbers for reports and for `firedrill budget --check`.

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::billing::{self, between};
use super::ledger::Ledger;
use firedrill_model::scenario::{Budget, Contract, Year};
use firedrill_model::units::Span;

/// The burn rate is also given over this time: a month says how it goes now.
const MONTH: Duration = Duration::from_secs(30 * 86_400);

/// How a ledger is counted.
#[derive(Debug, Clone)]
pub struct Terms {
    /// So much downtime in so long a window.
    pub budget: Budget,
    /// How an incident turns into billed downtime.
    pub contract: Contract,
    /// A rolling or a calendar year.
    pub year: Year,
    /// The time zone of the calendar.
    pub zone: TimeZone,
}

/// A calendar year was asked for, but the budget is for another length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the budget is for {0}, but a calendar year needs one for 365d: use `year = \"rolling\"`")]
pub struct NoCalendarYear(pub Span);

/// An incident as the statement lists it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BilledIncident {
    /// Its line in the ledger, from 1.
    pub line: usize,
    /// When it began; `None` for an undated one, which counts in every year.
    pub start: Option<Timestamp>,
    /// What the contract bills of it in this window.
    #[serde(serialize_with = "seconds")]
    pub billed: Duration,
    /// That in percent of the budget.
    pub percent: f64,
    /// What went wrong.
    pub cause: String,
    /// Where to read more.
    pub link: Option<String>,
}

/// When the budget runs out, at the rate at which the window so far spent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunsOut {
    /// It has run out.
    Already,
    /// At this instant.
    At(Timestamp),
    /// Not before the window ends (a calendar year), or never (a rolling one: old incidents leave it in time).
    No,
}

/// What the ledger says of the budget so far.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Statement {
    /// The window's start.
    pub from: Timestamp,
    /// The window's end: now for a rolling year, the year's end for a calendar one.
    pub until: Timestamp,
    /// Now.
    pub now: Timestamp,
    /// The downtime that the window allows.
    #[serde(serialize_with = "seconds")]
    pub budget: Duration,
    /// The downtime spent so far. May be more than the budget.
    #[serde(serialize_with = "seconds")]
    pub spent: Duration,
    /// That in percent of the budget; never clamped.
    pub percent: f64,
    /// How many times too fast: 1 spends exactly the budget in the window. Undated incidents count as spread over a
    /// whole window.
    pub burn_rate: f64,
    /// The burn rate of the last 30 days.
    pub burn_rate_30d: f64,
    /// When the budget runs out.
    pub runs_out: RunsOut,
    /// The incidents in the window by time, undated ones first.
    pub incidents: Vec<BilledIncident>,
    /// Lines of the ledger that could not be read. With any of them, what was spent is a lower bound.
    pub unreadable: usize,
}

fn seconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

fn after(at: Timestamp, time: Duration) -> Timestamp {
    let time = SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX);
    at.checked_add(time).unwrap_or(Timestamp::MAX)
}

fn before(at: Timestamp, time: Duration) -> Timestamp {
    let time = SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX);
    at.checked_sub(time).unwrap_or(Timestamp::MIN)
}

/// Downtime spent in a window, all of it and the undated part.
#[derive(Debug, Clone, Copy)]
struct Spent {
    all: Duration,
    undated: Duration,
}

impl Terms {
    /// The window around now.
    ///
    /// # Errors
    /// [`NoCalendarYear`].
    pub fn window(&self, now: Timestamp) -> Result<(Timestamp, Timestamp), NoCalendarYear> {
        let window = self.budget.window.0;
        if self.year == Year::Rolling {
            return Ok((before(now, window), now));
        }
        let days = window.as_secs() / 86_400;
        let date = now.to_zoned_datetime(self.zone.clone()).date();
        let start =
            |date: jiff::civil::Date| date.to_zoned_datetime(self.zone.clone()).map(|at| at.timestamp());
        // Midnights of the ledger's time zone, which is not that of this machine.
        let (first, next) = (date.first_of_year(), date.last_of_year().tomorrow());
        match (start(first), next.and_then(start)) {
            // A budget for 365 days is one for a leap year, too.
            (Ok(from), Ok(until)) if (365..=366).contains(&days) => Ok((from, until)),
            _ => Err(NoCalendarYear(self.budget.window)),
        }
    }

    /// The statement of a ledger.
    ///
    /// # Errors
    /// [`NoCalendarYear`].
    pub fn statement(&self, ledger: &Ledger, now: Timestamp) -> Result<Statement, NoCalendarYear> {
        let (from, until) = self.window(now)?;
        let billed = self.billed(ledger, from, now);
        let undated = ledger.incidents.iter().zip(&billed);
        let undated = undated.filter(|((_, incident), _)| incident.start.is_none());
        let spent = Spent {
            all: billed.iter().sum(),
            undated: undated.map(|(_, billed)| *billed).sum(),
        };
        let recently: Duration = billing::dated(self.contract, ledger, before(now, MONTH), now)
            .iter()
            .sum();
        // Nobody knows when in its year an undated incident was: it is spent, at the rate of a whole window.
        let dated_rate = self.burn_rate(spent.all.saturating_sub(spent.undated), between(from, now));
        let undated_rate = self.burn_rate(spent.undated, self.budget.window.0);
        Ok(Statement {
            from,
            until,
            now,
            budget: self.budget.downtime.0,
            spent: spent.all,
            percent: self.percent(spent.all),
            burn_rate: dated_rate + undated_rate,
            burn_rate_30d: self.burn_rate(recently, MONTH),
            runs_out: self.runs_out(ledger, (from, until), now, spent),
            incidents: self.listed(ledger, &billed, from),
            unreadable: ledger.unreadable.len(),
        })
    }

    fn percent(&self, time: Duration) -> f64 {
        100.0 * time.as_secs_f64() / self.budget.downtime.0.as_secs_f64().max(f64::EPSILON)
    }

    /// The share of the budget spent in a time, over the share of the window that this time is.
    fn burn_rate(&self, spent: Duration, time: Duration) -> f64 {
        let share = time.as_secs_f64() / self.budget.window.0.as_secs_f64().max(1.0);
        spent.as_secs_f64() / self.budget.downtime.0.as_secs_f64().max(f64::EPSILON) / share.max(f64::EPSILON)
    }

    /// The incidents of a window that began then: all that overlap the window, billed by the contract or not.
    fn listed(&self, ledger: &Ledger, billed: &[Duration], from: Timestamp) -> Vec<BilledIncident> {
        let all = ledger.incidents.iter().zip(billed);
        let inside = all.filter(|((_, incident), billed)| {
            **billed > Duration::ZERO || incident.end().is_none_or(|end| end > from)
        });
        let mut listed: Vec<BilledIncident> = inside
            .map(|((line, incident), billed)| BilledIncident {
                line: *line,
                start: incident.start,
                billed: *billed,
                percent: self.percent(*billed),
                cause: incident.cause.clone(),
                link: incident.link.clone(),
            })
            .collect();
        listed.sort_by_key(|incident| (incident.start, incident.line));
        listed
    }

    /// What is billed of each incident between two instants; undated ones always in full.
    fn billed(&self, ledger: &Ledger, from: Timestamp, until: Timestamp) -> Vec<Duration> {
        let mut billed = billing::dated(self.contract, ledger, from, until);
        for (billed, undated) in billed.iter_mut().zip(billing::undated(self.contract, ledger)) {
            *billed += undated;
        }
        billed
    }

    /// When the budget runs out if downtime goes on as in the window so far, undated incidents spread over a whole one.
    fn runs_out(
        &self,
        ledger: &Ledger,
        window: (Timestamp, Timestamp),
        now: Timestamp,
        spent: Spent,
    ) -> RunsOut {
        let budget = self.budget.downtime.0.as_secs_f64();
        if spent.all.as_secs_f64() >= budget {
            return RunsOut::Already;
        }
        // Downtime per second of wall time.
        let dated = spent.all.saturating_sub(spent.undated).as_secs_f64();
        let rate = dated / between(window.0, now).as_secs_f64().max(1.0)
            + spent.undated.as_secs_f64() / self.budget.window.0.as_secs_f64().max(1.0);
        // Nothing was spent so far: at this rate it lasts for good.
        if rate <= 0.0 {
            return RunsOut::No;
        }
        let spent = spent.all.as_secs_f64();
        if self.year == Year::Rolling {
            return self.runs_out_rolling(ledger, window.0, now, (spent, rate));
        }
        let at = after(now, Duration::from_secs_f64((budget - spent) / rate));
        if at < window.1 {
            RunsOut::At(at)
        } else {
            RunsOut::No
        }
    }

    /// In a rolling year, each incident leaves the window just when it is a window old.
    fn runs_out_rolling(
        &self,
        ledger: &Ledger,
        from: Timestamp,
        now: Timestamp,
        (mut spent, rate): (f64, f64),
    ) -> RunsOut {
        let budget = self.budget.downtime.0.as_secs_f64();
        let mut leaving: Vec<(Timestamp, f64)> = ledger
            .incidents
            .iter()
            .zip(billing::dated(self.contract, ledger, from, now))
            .filter_map(|((_, incident), billed)| {
                Some((after(incident.start?, self.budget.window.0), billed.as_secs_f64()))
            })
            .collect();
        leaving.sort_by_key(|(at, _)| *at);
        // What is spent grows evenly and drops as an incident leaves: it can pass the budget only before a drop.
        for (at, billed) in leaving {
            let full = after(now, Duration::from_secs_f64((budget - spent).max(0.0) / rate));
            if full <= at {
                return RunsOut::At(full);
            }
            spent -= billed;
        }
        RunsOut::No
    }
}

/// A burn-rate alert that leaves time to act: so much of the budget spent within so many hours.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BurnAlert {
    /// The share of the budget, in percent.
    pub percent: f64,
    /// Within so many hours.
    pub hours: f64,
    /// The burn rate at which to alert: share × 24 × days / hours.
    pub multiplier: f64,
    /// That much downtime, in seconds.
    pub downtime: f64,
}

/// The usual three alerts (*The Site Reliability Workbook*, chapter 5) for the budget's window: the well-known 14.4, 6 and
/// 1 are for 30 days.
pub fn burn_alerts(budget: &Budget) -> [BurnAlert; 3] {
    let days = budget.window.0.as_secs_f64() / 86_400.0;
    [(0.02, 1.0), (0.05, 6.0), (0.10, 72.0)].map(|(share, hours)| BurnAlert {
        percent: share * 100.0,
        hours,
        multiplier: share * 24.0 * days / hours,
        downtime: share * budget.downtime.0.as_secs_f64(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::ledger::Incident;
    use super::*;
    use firedrill_model::units::Span;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn terms(contract: Contract, year: Year) -> Terms {
        Terms {
            budget: Budget::default(),
            contract,
            year,
            zone: TimeZone::UTC,
        }
    }

    fn ledger(incidents: &[(Option<Timestamp>, Duration)]) -> Ledger {
        let incident = |(start, downtime): &(Option<Timestamp>, Duration)| Incident {
            start: *start,
            downtime: Span(*downtime),
            cause: "a cause".into(),
            link: None,
        };
        Ledger {
            incidents: incidents
                .iter()
                .map(incident)
                .enumerate()
                .map(|(at, incident)| (at + 1, incident))
                .collect(),
            unreadable: Vec::new(),
        }
    }

    const fn minutes_of(minutes: u64) -> Duration {
        Duration::from_secs(minutes * 60)
    }

    #[test]
    fn the_incident_takes_153_percent_of_any_year_until_it_is_dated() {
        let ledger = ledger(&[(None, minutes_of(23))]);
        for year in [Year::Rolling, Year::Calendar] {
            let statement = terms(Contract::Strict, year)
                .statement(&ledger, at("2030-03-01T00:00:00Z"))
                .unwrap();
            assert_eq!(format!("{:.1}", statement.percent), "153.3");
            assert_eq!(statement.runs_out, RunsOut::Already);
        }
    }

    #[test]
    fn an_outage_of_twenty_seconds_bills_what_each_contract_says() {
        let incident = [(Some(at("2026-02-01T10:00:50Z")), Duration::from_secs(20))];
        let billed = |contract| {
            let statement = terms(contract, Year::Rolling)
                .statement(&ledger(&incident), at("2026-06-01T00:00:00Z"))
                .unwrap();
            statement.spent.as_secs()
        };
        assert_eq!(billed(Contract::Strict), 20);
        assert_eq!(
            billed(Contract::Minute1),
            120,
            "it touches two minutes, 10 s in each"
        );
        assert_eq!(billed(Contract::Minute10), 120);
        assert_eq!(billed(Contract::FullMinutes), 0);
        assert_eq!(
            billed(Contract::FiveMinuteMean),
            300,
            "it touches one five minutes"
        );
    }

    #[test]
    fn five_minute_mean_bills_every_five_minutes_that_an_incident_touches() {
        let billed = |start: Option<&str>, time: Duration| {
            let incident = [(start.map(at), time)];
            let statement = terms(Contract::FiveMinuteMean, Year::Rolling)
                .statement(&ledger(&incident), at("2026-06-01T00:00:00Z"))
                .unwrap();
            statement.spent
        };
        let incident = minutes_of(23);
        assert_eq!(billed(Some("2026-02-01T10:00:00Z"), incident), minutes_of(25));
        assert_eq!(billed(Some("2026-02-01T10:01:00Z"), incident), minutes_of(25));
        assert_eq!(billed(Some("2026-02-01T10:04:00Z"), incident), minutes_of(30));
        assert_eq!(
            billed(None, incident),
            minutes_of(30),
            "it has no place in the calendar: the most"
        );
        let short = Duration::from_secs(20);
        assert_eq!(billed(Some("2026-02-01T10:04:50Z"), short), minutes_of(10));
        assert_eq!(billed(None, short), minutes_of(10));
        // The mean over all places is what a drill's outage of 20 s is billed: 320 s.
        let second =
            |second: u32| after(at("2026-02-01T10:00:00Z"), Duration::from_secs(1) * second).to_string();
        let all: Duration = (0..300).map(|at| billed(Some(&second(at)), short)).sum();
        assert!((all.as_secs_f64() / 300.0 - 320.0).abs() < 1.1, "{all:?}");
    }

    #[test]
    fn a_calendar_year_begins_at_midnight_of_its_own_zone() {
        let berlin = TimeZone::fixed(jiff::tz::offset(1));
        let terms = Terms {
            zone: berlin,
            ..terms(Contract::Strict, Year::Calendar)
        };
        let incident = [(Some(at("2025-12-31T22:59:00Z")), minutes_of(3))];
        let statement = terms
            .statement(&ledger(&incident), at("2026-01-02T00:00:00Z"))
            .unwrap();
        assert_eq!(
            statement.spent,
            minutes_of(2),
            "one of its minutes was last year's"
        );
        assert_eq!(
            (statement.from, statement.until),
            (at("2025-12-31T23:00:00Z"), at("2026-12-31T23:00:00Z"))
        );
    }

    #[test]
    fn time_under_two_incidents_is_billed_once() {
        let start = at("2026-02-01T10:00:00Z");
        let two = [
            (Some(start), minutes_of(4)),
            (Some(after(start, minutes_of(2))), minutes_of(4)),
        ];
        let statement = terms(Contract::Strict, Year::Rolling)
            .statement(&ledger(&two), at("2026-06-01T00:00:00Z"))
            .unwrap();
        let billed: Vec<u64> = statement
            .incidents
            .iter()
            .map(|incident| incident.billed.as_secs())
            .collect();
        assert_eq!((statement.spent, billed), (minutes_of(6), vec![240, 120]));
    }

    /// Each line is an incident of a ledger: its start and its length in seconds.
    fn full_minutes(lines: &[(u64, u64)]) -> u64 {
        let start = at("2026-02-01T10:00:00Z");
        let incidents: Vec<(Option<Timestamp>, Duration)> = lines
            .iter()
            .map(|(second, length)| {
                let start = after(start, Duration::from_secs(*second));
                (Some(start), Duration::from_secs(*length))
            })
            .collect();
        let statement = terms(Contract::FullMinutes, Year::Rolling)
            .statement(&ledger(&incidents), at("2026-06-01T00:00:00Z"))
            .unwrap();
        statement.spent.as_secs()
    }

    #[test]
    fn an_outage_is_rounded_as_a_whole_however_many_lines_it_has() {
        let pieces: Vec<(u64, u64)> = (0..80).map(|piece| (piece * 45, 45)).collect();
        assert_eq!(full_minutes(&pieces), 3600, "an hour without a break");
        assert_eq!(full_minutes(&[(0, 50), (40, 50)]), 60, "as 90 s in one line");
        assert_eq!(full_minutes(&[(0, 200), (10, 20), (150, 100)]), 240);
        assert_eq!(
            full_minutes(&[(0, 45), (46, 45)]),
            0,
            "a second of good answers between"
        );
    }

    #[test]
    fn undated_incidents_are_rounded_as_if_one_had_followed_the_other() {
        let undated = [(None, Duration::from_secs(45)), (None, Duration::from_secs(45))];
        let statement = terms(Contract::FullMinutes, Year::Rolling)
            .statement(&ledger(&undated), at("2026-06-01T00:00:00Z"))
            .unwrap();
        assert_eq!(statement.spent.as_secs(), 60);
    }

    proptest! {
        /// However an outage is cut into lines, and however many of them say the same, each contract bills it the same.
        #[test]
        fn a_contract_bills_the_union_of_the_lines(
            outages in prop::collection::vec((0u64..3_000, 1u64..400), 1..6),
            cuts in prop::collection::vec((0usize..6, 0.0f64..1.0, 0.0f64..1.0), 0..6),
            contract in prop::sample::select(vec![
                Contract::Strict, Contract::Request, Contract::Minute1, Contract::Minute10, Contract::FullMinutes,
                Contract::FiveMinuteMean,
            ]),
        ) {
            let start = at("2026-02-01T10:00:00Z");
            let line = |from: u64, millis: u64| {
                (Some(after(start, Duration::from_millis(from))), Duration::from_millis(millis))
            };
            let spent = |lines: &[(Option<Timestamp>, Duration)]| {
                let statement = terms(contract, Year::Rolling).statement(&ledger(lines), at("2026-06-01T00:00:00Z"));
                statement.unwrap().spent
            };
            // The union of the outages, merged by hand.
            let mut sorted: Vec<(u64, u64)> = outages.iter().map(|(from, length)| (*from, from + length)).collect();
            sorted.sort_unstable();
            let mut merged: Vec<(u64, u64)> = Vec::new();
            for (from, until) in sorted {
                match merged.last_mut() {
                    Some(last) if from <= last.1 => last.1 = last.1.max(until),
                    _ => merged.push((from, until)),
                }
            }
            let whole: Vec<_> = merged.iter().map(|(from, until)| line(from * 1000, (until - from) * 1000)).collect();
            // The outages as given, and parts of them once more.
            let mut lines: Vec<_> = outages.iter().map(|(from, length)| line(from * 1000, length * 1000)).collect();
            for (outage, from, length) in cuts {
                let (start, whole) = outages[outage % outages.len()];
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "small")]
                let part = |share: f64, of: u64| (share * of as f64) as u64;
                let from = part(from, whole * 1000);
                lines.push(line(start * 1000 + from, 1 + part(length, whole * 1000 - from - 1)));
            }
            prop_assert_eq!(spent(&lines), spent(&whole));
        }
    }

    #[test]
    fn burn_rate_alerts_scale_with_the_budgets_window() {
        let multipliers = burn_alerts(&Budget::default()).map(|alert| format!("{:.2}", alert.multiplier));
        assert_eq!(multipliers, ["175.20", "73.00", "12.17"]);
        let month = Budget {
            window: "30d".parse().unwrap(),
            ..Budget::default()
        };
        assert_eq!(
            burn_alerts(&month).map(|alert| format!("{:.1}", alert.multiplier)),
            ["14.4", "6.0", "1.0"]
        );
    }

    #[test]
    fn ten_minutes_in_the_first_half_of_a_calendar_year_run_out_after_three_quarters() {
        let half = [(Some(at("2026-03-01T00:00:00Z")), minutes_of(10))];
        let statement = terms(Contract::Strict, Year::Calendar)
            .statement(&ledger(&half), at("2026-07-02T12:00:00Z"))
            .unwrap();
        assert_eq!(format!("{:.2}", statement.burn_rate), "1.33");
        let RunsOut::At(full) = statement.runs_out else {
            panic!("{statement:?}")
        };
        let expected = at("2026-10-01T18:00:00Z");
        assert!(between(full, expected) + between(expected, full) < Duration::from_secs(1));
    }

    #[test]
    fn an_undated_incident_is_spent_at_once_and_burns_at_the_rate_of_a_whole_year() {
        let undated = [(None, minutes_of(10))];
        let statement = terms(Contract::Strict, Year::Calendar)
            .statement(&ledger(&undated), at("2026-01-02T00:00:00Z"))
            .unwrap();
        assert_eq!(statement.spent, minutes_of(10));
        assert_eq!(format!("{:.2}", statement.burn_rate), "0.67");
        // Five minutes more would take half a year.
        let RunsOut::At(full) = statement.runs_out else {
            panic!("{statement:?}")
        };
        let expected = at("2026-07-03T12:00:00Z");
        assert!(between(full, expected) + between(expected, full) < Duration::from_secs(1));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        /// An undated incident is billed what the worst place in the calendar would bill, and no more.
        #[test]
        fn an_undated_incident_is_billed_the_most_of_all_places(
            deciseconds in 1u64..9000,
            contract in prop::sample::select(vec![
                Contract::Strict, Contract::Minute1, Contract::Minute5, Contract::Minute10, Contract::FiveMinuteMean,
            ]),
        ) {
            let time = Duration::from_millis(deciseconds * 100);
            let first = at("2026-02-01T10:00:00Z");
            let billed = |start: Option<Timestamp>| {
                let statement = terms(contract, Year::Rolling)
                    .statement(&ledger(&[(start, time)]), at("2026-06-01T00:00:00Z"))
                    .unwrap();
                statement.spent
            };
            let places = (0..6000u32).map(|at| after(first, Duration::from_millis(50) * at));
            let most = places.map(|start| billed(Some(start))).max().unwrap();
            prop_assert_eq!(billed(None), most);
        }
    }

    proptest! {
        /// Against a plain simulation: a day at a time, what is in the window plus what would come at this rate.
        #[test]
        fn a_rolling_year_runs_out_when_a_day_by_day_simulation_says(
            incidents in prop::collection::vec((0u64..360, 1u64..500), 1..8),
        ) {
            let now = at("2026-06-01T00:00:00Z");
            let day = Duration::from_secs(86_400);
            let window = 365;
            let mut ages: Vec<(u64, u64)> = incidents;
            ages.sort_unstable();
            ages.dedup_by_key(|(age, _)| *age);
            let incidents: Vec<(Option<Timestamp>, Duration)> = ages
                .iter()
                .map(|(age, seconds)| (Some(before(now, day * u32::try_from(age + 1).unwrap())), Duration::from_secs(*seconds)))
                .collect();
            let statement = terms(Contract::Strict, Year::Rolling).statement(&ledger(&incidents), now).unwrap();
            let spent: u64 = ages.iter().map(|(_, seconds)| seconds).sum();
            prop_assert_eq!(statement.spent.as_secs(), spent);
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let full = |margin: f64| (0..=window).find(|day| {
                let left: u64 = ages.iter().filter(|(age, _)| age + 1 + day <= window).map(|(_, seconds)| seconds).sum();
                // What is spent is whole seconds; what is to come is not.
                let margin = if *day == 0 { 0.0 } else { margin };
                left as f64 + spent as f64 / window as f64 * *day as f64 >= 900.0 + margin
            });
            let agrees = |full: Option<u64>| match (statement.runs_out, full) {
                (RunsOut::Already, full) => full == Some(0),
                (RunsOut::No, full) => full.is_none(),
                (RunsOut::At(at), Some(full)) => {
                    let days = between(now, at).as_secs_f64() / 86_400.0;
                    #[expect(clippy::cast_precision_loss, reason = "at most a year")]
                    let full = full as f64;
                    full - 1.0 <= days + 1e-6 && days <= full + 1e-6
                }
                // It passes the budget and drops again between two midnights.
                (RunsOut::At(at), None) => between(now, at) < day * 366,
            };
            // A budget that is just reached at a midnight, at which an incident leaves, is reached or not by rounding.
            let either = [full(1e-9), full(-1e-9)];
            prop_assert!(either.into_iter().any(agrees), "{:?} against {:?}", statement.runs_out, either);
        }
    }
}
