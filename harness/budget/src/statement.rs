//! The year's account: what real incidents have spent of the budget, how fast, and when it runs out at this rate.

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::billing::{self, between};
use super::ledger::Ledger;
use firedrill_model::scenario::{Budget, Contract, Year};

/// What is counted, and how.
#[derive(Debug, Clone)]
pub struct Terms {
    /// So much downtime in so long a window.
    pub budget: Budget,
    /// How an incident turns into billed downtime.
    pub contract: Contract,
    /// Which year.
    pub year: Year,
    /// Whose calendar.
    pub zone: TimeZone,
}

/// A calendar year is asked for, and the budget is for another length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a calendar year needs a budget for 365 d, and this one is for {0}: use the rolling window")]
pub struct NoCalendarYear(pub firedrill_model::units::Span);

/// An incident's place in the account.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Booked {
    /// Its line in the ledger.
    pub line: usize,
    /// When it began; `None` for an undated one, which counts in every year.
    pub start: Option<Timestamp>,
    /// What the contract bills of it in this window.
    #[serde(serialize_with = "seconds")]
    pub billed: Duration,
    /// In percent of the budget.
    pub percent: f64,
    /// What went wrong.
    pub cause: String,
    /// Where more is written.
    pub link: Option<String>,
}

/// When the budget runs out, at the rate at which it was spent in the window so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunsOut {
    /// It has.
    Already,
    /// Then.
    At(Timestamp),
    /// Not before the window ends (a calendar year), or ever (a rolling one: old incidents leave it in time).
    No,
}

/// The account.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Account {
    /// The window's start.
    pub from: Timestamp,
    /// The window's end: now for a rolling year, the year's end for a calendar one.
    pub until: Timestamp,
    /// Now.
    pub now: Timestamp,
    /// The downtime that may be spent in the window.
    #[serde(serialize_with = "seconds")]
    pub budget: Duration,
    /// What was spent. May be more than the budget.
    #[serde(serialize_with = "seconds")]
    pub spent: Duration,
    /// In percent of the budget; never clamped.
    pub percent: f64,
    /// How fast: 1 spends exactly the budget in the window. Undated incidents count as spread over a whole one.
    pub burn_rate: f64,
    /// The same over the last 30 days.
    pub burn_rate_30d: f64,
    /// When it runs out.
    pub runs_out: RunsOut,
    /// The incidents in the window, in the order of time, undated ones first.
    pub incidents: Vec<Booked>,
    /// Lines of the ledger that could not be read: the true figure is this or more.
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
        let (first, next) = (date.first_of_year(), date.last_of_year().tomorrow());
        match (start(first), next.and_then(start)) {
            (Ok(from), Ok(until)) if (365..=366).contains(&days) => Ok((from, until)),
            _ => Err(NoCalendarYear(self.budget.window)),
        }
    }

    /// The account of a ledger.
    ///
    /// # Errors
    /// [`NoCalendarYear`].
    pub fn account(&self, ledger: &Ledger, now: Timestamp) -> Result<Account, NoCalendarYear> {
        let (from, until) = self.window(now)?;
        let budget = self.budget.downtime.0;
        let billed = self.billed(ledger, from, now);
        let spent: Duration = billed.iter().sum();
        // Nobody knows when in its year an undated incident was: it is spent, at the pace of a whole window.
        let undated = ledger.entries.iter().zip(&billed);
        let undated: Duration = undated
            .filter(|((_, entry), _)| entry.start.is_none())
            .map(|(_, billed)| *billed)
            .sum();
        let percent = |time: Duration| 100.0 * time.as_secs_f64() / budget.as_secs_f64().max(f64::EPSILON);
        let pace = |spent: Duration, time: Duration| {
            let share = time.as_secs_f64() / self.budget.window.0.as_secs_f64().max(1.0);
            spent.as_secs_f64() / budget.as_secs_f64().max(f64::EPSILON) / share.max(f64::EPSILON)
        };
        let month = Duration::from_secs(30 * 86_400);
        let recently: Duration = billing::dated(self.contract, ledger, before(now, month), now)
            .iter()
            .sum();
        let mut incidents: Vec<Booked> = ledger
            .entries
            .iter()
            .zip(&billed)
            .filter(|((_, entry), billed)| {
                **billed > Duration::ZERO || entry.end().is_none_or(|end| end > from)
            })
            .map(|((line, entry), billed)| Booked {
                line: *line,
                start: entry.start,
                billed: *billed,
                percent: percent(*billed),
                cause: entry.cause.clone(),
                link: entry.link.clone(),
            })
            .collect();
        incidents.sort_by_key(|booked| (booked.start, booked.line));
        let elapsed = between(from, now);
        Ok(Account {
            from,
            until,
            now,
            budget,
            spent,
            percent: percent(spent),
            burn_rate: pace(spent.saturating_sub(undated), elapsed) + pace(undated, self.budget.window.0),
            burn_rate_30d: pace(recently, month),
            runs_out: self.runs_out(ledger, (from, until), now, (spent, undated)),
            incidents,
            unreadable: ledger.unreadable.len(),
        })
    }

    /// What is billed of each entry between two instants; undated entries always in full.
    fn billed(&self, ledger: &Ledger, from: Timestamp, until: Timestamp) -> Vec<Duration> {
        let mut billed = billing::dated(self.contract, ledger, from, until);
        for ((_, entry), billed) in ledger.entries.iter().zip(&mut billed) {
            if entry.start.is_none() {
                *billed = billing::whole(self.contract, entry.downtime.0);
            }
        }
        billed
    }

    /// When the budget runs out, if downtime goes on as in the window so far, undated incidents spread over a whole one. In a rolling year, old incidents leave
    /// the window as it moves on, each just when it is a window old.
    fn runs_out(
        &self,
        ledger: &Ledger,
        window: (Timestamp, Timestamp),
        now: Timestamp,
        (spent, undated): (Duration, Duration),
    ) -> RunsOut {
        let budget = self.budget.downtime.0.as_secs_f64();
        if spent.as_secs_f64() >= budget {
            return RunsOut::Already;
        }
        let dated = spent.saturating_sub(undated).as_secs_f64();
        let rate = dated / between(window.0, now).as_secs_f64().max(1.0)
            + undated.as_secs_f64() / self.budget.window.0.as_secs_f64().max(1.0);
        if rate <= 0.0 {
            return RunsOut::No;
        }
        if self.year == Year::Calendar {
            let at = after(
                now,
                Duration::from_secs_f64((budget - spent.as_secs_f64()) / rate),
            );
            return if at < window.1 {
                RunsOut::At(at)
            } else {
                RunsOut::No
            };
        }
        // It grows evenly, and drops while an incident leaves: it can only pass the budget before a drop.
        let mut leaving: Vec<(Timestamp, f64)> = ledger
            .entries
            .iter()
            .zip(billing::dated(self.contract, ledger, window.0, now))
            .filter_map(|((_, entry), billed)| {
                Some((after(entry.start?, self.budget.window.0), billed.as_secs_f64()))
            })
            .collect();
        leaving.sort_by_key(|(at, _)| *at);
        let mut kept = spent.as_secs_f64();
        for (at, billed) in leaving {
            let full = after(now, Duration::from_secs_f64((budget - kept).max(0.0) / rate));
            if full <= at {
                return RunsOut::At(full);
            }
            kept -= billed;
        }
        RunsOut::No
    }
}

/// An alert that leaves time to act: so much of the budget burnt within so many hours.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BurnAlert {
    /// The share of the budget, in percent.
    pub percent: f64,
    /// Within so many hours.
    pub hours: f64,
    /// How many times too fast that is: share × 24 × days / hours.
    pub multiplier: f64,
    /// The downtime, in seconds.
    pub downtime: f64,
}

/// The usual three alerts, for this budget's own window: the well-known 14.4, 6 and 1 hold for 30 days only.
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

    use super::super::ledger::Entry;
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

    fn ledger(entries: &[(Option<Timestamp>, Duration)]) -> Ledger {
        let entry = |(start, downtime): &(Option<Timestamp>, Duration)| Entry {
            start: *start,
            downtime: Span(*downtime),
            cause: "a cause".into(),
            link: None,
        };
        Ledger {
            entries: entries
                .iter()
                .map(entry)
                .enumerate()
                .map(|(at, entry)| (at + 1, entry))
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
            let account = terms(Contract::Strict, year)
                .account(&ledger, at("2030-03-01T00:00:00Z"))
                .unwrap();
            assert_eq!(format!("{:.1}", account.percent), "153.3");
            assert_eq!(account.runs_out, RunsOut::Already);
        }
    }

    #[test]
    fn an_outage_of_twenty_seconds_bills_what_each_contract_says() {
        let incident = [(Some(at("2026-02-01T10:00:50Z")), Duration::from_secs(20))];
        let billed = |contract| {
            let account = terms(contract, Year::Rolling)
                .account(&ledger(&incident), at("2026-06-01T00:00:00Z"))
                .unwrap();
            account.spent.as_secs()
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
    fn every_five_minutes_that_an_incident_touches_are_billed_in_whole() {
        let billed = |start: Option<&str>, time: Duration| {
            let incident = [(start.map(at), time)];
            let account = terms(Contract::FiveMinuteMean, Year::Rolling)
                .account(&ledger(&incident), at("2026-06-01T00:00:00Z"))
                .unwrap();
            account.spent
        };
        let incident = minutes_of(23);
        assert_eq!(billed(Some("2026-02-01T10:00:00Z"), incident), minutes_of(25));
        assert_eq!(billed(Some("2026-02-01T10:01:00Z"), incident), minutes_of(25));
        assert_eq!(billed(Some("2026-02-01T10:04:00Z"), incident), minutes_of(30));
        assert_eq!(
            billed(None, incident),
            minutes_of(30),
            "nobody knows where: the most"
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
        let account = terms
            .account(&ledger(&incident), at("2026-01-02T00:00:00Z"))
            .unwrap();
        assert_eq!(account.spent, minutes_of(2), "one of its minutes was last year's");
        assert_eq!(
            (account.from, account.until),
            (at("2025-12-31T23:00:00Z"), at("2026-12-31T23:00:00Z"))
        );
    }

    #[test]
    fn what_two_incidents_share_is_billed_once() {
        let start = at("2026-02-01T10:00:00Z");
        let two = [
            (Some(start), minutes_of(4)),
            (Some(after(start, minutes_of(2))), minutes_of(4)),
        ];
        let account = terms(Contract::Strict, Year::Rolling)
            .account(&ledger(&two), at("2026-06-01T00:00:00Z"))
            .unwrap();
        let billed: Vec<u64> = account
            .incidents
            .iter()
            .map(|booked| booked.billed.as_secs())
            .collect();
        assert_eq!((account.spent, billed), (minutes_of(6), vec![240, 120]));
    }

    #[test]
    fn the_multipliers_are_those_of_the_measuring_rules() {
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
    fn ten_minutes_in_a_calendar_years_first_half_run_out_when_its_third_quarter_is_over() {
        let half = [(Some(at("2026-03-01T00:00:00Z")), minutes_of(10))];
        let account = terms(Contract::Strict, Year::Calendar)
            .account(&ledger(&half), at("2026-07-02T12:00:00Z"))
            .unwrap();
        assert_eq!(format!("{:.2}", account.burn_rate), "1.33");
        let RunsOut::At(full) = account.runs_out else {
            panic!("{account:?}")
        };
        let expected = at("2026-10-01T18:00:00Z");
        assert!(between(full, expected) + between(expected, full) < Duration::from_secs(1));
    }

    #[test]
    fn an_undated_incident_is_spent_at_once_and_burns_at_the_pace_of_a_whole_year() {
        let undated = [(None, minutes_of(10))];
        let account = terms(Contract::Strict, Year::Calendar)
            .account(&ledger(&undated), at("2026-01-02T00:00:00Z"))
            .unwrap();
        assert_eq!(account.spent, minutes_of(10));
        assert_eq!(format!("{:.2}", account.burn_rate), "0.67");
        // Five minutes more would take half a year.
        let RunsOut::At(full) = account.runs_out else {
            panic!("{account:?}")
        };
        let expected = at("2026-07-03T12:00:00Z");
        assert!(between(full, expected) + between(expected, full) < Duration::from_secs(1));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        /// An incident that nobody can date is billed what the worst place on the clock would bill, and no more.
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
                let account = terms(contract, Year::Rolling)
                    .account(&ledger(&[(start, time)]), at("2026-06-01T00:00:00Z"))
                    .unwrap();
                account.spent
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
            let entries: Vec<(Option<Timestamp>, Duration)> = ages
                .iter()
                .map(|(age, seconds)| (Some(before(now, day * u32::try_from(age + 1).unwrap())), Duration::from_secs(*seconds)))
                .collect();
            let account = terms(Contract::Strict, Year::Rolling).account(&ledger(&entries), now).unwrap();
            let spent: u64 = ages.iter().map(|(_, seconds)| seconds).sum();
            prop_assert_eq!(account.spent.as_secs(), spent);
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let full = (0..=window).find(|day| {
                let kept: u64 = ages.iter().filter(|(age, _)| age + 1 + day <= window).map(|(_, seconds)| seconds).sum();
                // What is spent is whole seconds; what is to come is not, and a budget just reached then may be rounding.
                let margin = if *day == 0 { 0.0 } else { 1e-9 };
                kept as f64 + spent as f64 / window as f64 * *day as f64 >= 900.0 + margin
            });
            match (account.runs_out, full) {
                (RunsOut::Already, full) => prop_assert_eq!(full, Some(0)),
                (RunsOut::No, full) => prop_assert_eq!(full, None),
                (RunsOut::At(at), Some(full)) => {
                    let days = between(now, at).as_secs_f64() / 86_400.0;
                    #[expect(clippy::cast_precision_loss, reason = "at most a year")]
                    let full = full as f64;
                    prop_assert!(full - 1.0 <= days + 1e-6 && days <= full + 1e-6, "{} against {}", days, full);
                }
                // It passes the budget and drops again between two midnights.
                (RunsOut::At(at), None) => prop_assert!(between(now, at) < day * 366),
            }
        }
    }
}
