//! What is wrong in a file, where, and what to do about it.
//!
//! Faces the loader, which collects [`Problem`]s, and the command line, which shows all of them at once: as miette
//! diagnostics with the text underlined, or as [`Row`]s for a machine.

use std::collections::HashSet;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use miette::{Diagnostic, LabeledSpan, NamedSource, Severity, SourceCode};
use serde::Serialize;

/// Declares the codes once: the enum, the list of all, and their names in the output.
macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// What kind of problem: a stable name, to look up and to filter by.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        pub enum Code {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)*
        }

        impl Code {
            /// Every code there is.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its name in the output.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

codes! {
    // Finding and reading.
    /// An argument names no scenario.
    UnknownScenario = "unknown-scenario",
    /// There is no scenario where one was looked for.
    NoScenarios = "no-scenarios",
    /// A file cannot be read.
    FileUnreadable = "file-unreadable",
    /// A file is not text.
    FileNotUtf8 = "file-not-utf8",
    /// A file is larger than a scenario can sensibly be.
    FileTooLarge = "file-too-large",
    /// The system file that a scenario names is not there.
    SystemFileMissing = "system-file-missing",
    /// Not TOML.
    TomlSyntax = "toml-syntax",
    /// TOML, and nothing the model can hold; what the other codes did not catch.
    DoesNotFit = "does-not-fit",

    // Structure: what the schema says.
    /// A key that means nothing here.
    UnknownKey = "unknown-key",
    /// A key that must be there.
    MissingKey = "missing-key",
    /// A number where text belongs, and the like.
    WrongType = "wrong-type",
    /// Not one of the values there are.
    UnknownValue = "unknown-value",
    /// Exactly one of several keys belongs here.
    NotExactlyOne = "not-exactly-one",
    /// A length of time, a rate, a size or a share that does not read as one.
    BadQuantity = "bad-quantity",
    /// A number too small or too large.
    OutOfRange = "out-of-range",

    // Steps.
    /// A step names a fault that does not exist.
    UnknownFault = "unknown-fault",
    /// A step says when, and not what.
    StepWithoutFault = "step-without-fault",
    /// A step names several faults.
    TwoFaultsInAStep = "two-faults-in-a-step",
    /// A fault's parameters are refused by the fault.
    BadParameter = "bad-parameter",
    /// There are more steps than a drill can mean.
    TooManySteps = "too-many-steps",
    /// `for` on a fault that happens at once and leaves nothing to revert.
    ForOnInstantFault = "for-on-instant-fault",
    /// A fault's file lies outside of its volume.
    PathEscapesVolume = "path-escapes-volume",

    /// A fault of a service that does not run by then.
    NotRunning = "not-running",
    /// A crash loop of a service that nothing brings back.
    NothingBringsBack = "nothing-brings-back",
    /// A disk to be filled that has no limited size.
    VolumeWithoutLimit = "volume-without-limit",
    /// A limit that is no lower than the service's own.
    LimitNotLower = "limit-not-lower",
    /// An alert receiver that nobody sends anything to.
    NoAlerts = "no-alerts",

    /// A name of an earlier version: read, and better written as it is called now.
    Renamed = "renamed",

    // References.
    /// No service has this name.
    UnknownService = "unknown-service",
    /// A step breaks a link that nothing goes over.
    NoSuchLink = "no-such-link",
    /// `releases` speaks of a service that does not exist.
    ReleaseUnknownService = "release-unknown-service",
    /// The service has no such volume.
    UnknownVolume = "unknown-volume",
    /// The service has no such port.
    UnknownPort = "unknown-port",
    /// No check has this name, or the scenario makes none of this name.
    UnknownCheck = "unknown-check",
    /// No journey has this name.
    UnknownJourney = "unknown-journey",
    /// No records have this name.
    UnknownRecord = "unknown-record",
    /// The records have no such field.
    UnknownField = "unknown-field",
    /// A template's hole that nothing fills here.
    UnknownPlaceholder = "unknown-placeholder",
    /// A brace in a template that is no hole and not doubled.
    LoneBrace = "lone-brace",
    /// A name that cannot stand in a template, a host name and a container's name.
    BadName = "bad-name",

    // Services.
    /// A system without services.
    NoServices = "no-services",
    /// Several services, and none is said to be the users' one.
    EntryMissing = "entry-missing",
    /// Services that wait for each other.
    AfterCycle = "after-cycle",
    /// One port number twice in one service.
    DuplicatePort = "duplicate-port",
    /// Port 0, which means "any" and is no port.
    PortZero = "port-zero",
    /// A shared volume that does not exist.
    ShareOfNothing = "share-of-nothing",
    /// Two volumes of one service with one name or in one place.
    DuplicateVolume = "duplicate-volume",
    /// A volume's path that does not begin at the root.
    VolumePathRelative = "volume-path-relative",
    /// An environment variable's name that no process can have.
    BadEnvName = "bad-env-name",
    /// A command without a program.
    EmptyCommand = "empty-command",

    // Journeys.
    /// A system in which users do nothing: nothing would be measured.
    NoJourneys = "no-journeys",
    /// No journey is essential: the service could never be down.
    NoEssentialJourney = "no-essential-journey",
    /// Two journeys of one name.
    DuplicateJourney = "duplicate-journey",
    /// More journeys than a prober can carry.
    TooManyJourneys = "too-many-journeys",
    /// More probes a second than a prober can send on time.
    RateTooHigh = "rate-too-high",
    /// A journey that connects in no way.
    NoConnections = "no-connections",
    /// The client gives up before an answer would be late.
    TimeoutBelowDeadline = "timeout-below-deadline",
    /// Not an HTTP method.
    BadMethod = "bad-method",
    /// A request's path that does not begin with a slash.
    PathWithoutSlash = "path-without-slash",
    /// A request's path with a character that no path has.
    BadPath = "bad-path",
    /// A request with both a form and a body.
    FormAndBody = "form-and-body",
    /// Not an HTTP header's name.
    BadHeaderName = "bad-header-name",
    /// Not the status of an HTTP answer.
    BadStatus = "bad-status",
    /// Seeding from records without a count, which never ends.
    SeedWithoutCount = "seed-without-count",
    /// A count of no records.
    EmptyRecords = "empty-records",

    // Expectations and settings.
    /// A summary that says nothing.
    EmptySummary = "empty-summary",
    /// A yearly frequency below zero, or none at all.
    PerYearNegative = "per-year-negative",
    /// A number or a claim without its reason.
    EmptyBecause = "empty-because",
    /// A negative control that does not say what must breach.
    ControlWithoutBreaches = "control-without-breaches",
    /// A lower limit above the upper one.
    LimitsCrossed = "limits-crossed",
    /// Two expectations that cannot both hold.
    Contradiction = "contradiction",
    /// A budget of no time, or of more than its window.
    EmptyBudget = "empty-budget",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A file's text under the name that it is shown by.
pub(super) type Text = Arc<NamedSource<String>>;

/// One thing that is wrong.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    code: Code,
    message: String,
    help: Option<String>,
    file: String,
    place: Option<(Text, Range<usize>)>,
}

/// One problem for a machine. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The file, as the command line was told of it.
    pub file: String,
    /// The line, when the problem has a place.
    pub line: Option<usize>,
    /// The column, when the problem has a place.
    pub column: Option<usize>,
    /// What kind.
    pub code: Code,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

impl Problem {
    /// A problem of a file as a whole.
    pub(super) fn of_file(code: Code, file: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            help: None,
            file: file.into(),
            place: None,
        }
    }

    /// A problem of a part of a file's text. The span is cut to the text, so that showing it cannot fail.
    pub(super) fn at(code: Code, text: &Text, span: &Range<usize>, message: impl Into<String>) -> Self {
        let place = (Arc::clone(text), fit(text.inner(), span));
        Self {
            place: Some(place),
            ..Self::of_file(code, text.name(), message)
        }
    }

    /// The same problem with advice.
    #[must_use]
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Whether the files are valid in spite of it.
    pub fn is_hint(&self) -> bool {
        self.code == Code::Renamed
    }

    /// What kind.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The problem for a machine.
    pub fn row(&self) -> Row {
        let position = self.place.as_ref().map(|(text, span)| {
            let before = &text.inner()[..span.start];
            let line_start = before.rfind('\n').map_or(0, |at| at + 1);
            (
                before.matches('\n').count() + 1,
                before[line_start..].chars().count() + 1,
            )
        });
        Row {
            file: self.file.clone(),
            line: position.map(|(line, _)| line),
            column: position.map(|(_, column)| column),
            code: self.code,
            message: self.message.clone(),
            help: self.help.clone(),
        }
    }
}

/// The span within the text, on character boundaries.
fn fit(text: &str, span: &Range<usize>) -> Range<usize> {
    let boundary = |at: usize| {
        (0..=at.min(text.len()))
            .rev()
            .find(|at| text.is_char_boundary(*at))
    };
    let start = boundary(span.start).unwrap_or_default();
    let end = boundary(span.end.max(start)).unwrap_or_default();
    start..end
}

impl Diagnostic for Problem {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.code))
    }

    fn severity(&self) -> Option<Severity> {
        self.is_hint().then_some(Severity::Advice)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help
            .as_ref()
            .map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.place
            .as_ref()
            .map(|(text, _)| text.as_ref() as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let (_, span) = self.place.as_ref()?;
        let label = LabeledSpan::underline(span.clone());
        Some(Box::new(std::iter::once(label)))
    }
}

/// Everything that is wrong, of all files: never empty.
#[derive(Debug, Clone)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// All of them, without repeats: two scenarios on one broken system file report it once.
    pub(super) fn new(problems: Vec<Problem>) -> Self {
        let mut seen = HashSet::new();
        let fresh = problems.into_iter().filter(|problem| {
            let span = problem.place.as_ref().map(|(_, span)| span.clone());
            seen.insert((problem.file.clone(), span, problem.code, problem.message.clone()))
        });
        Self(fresh.collect())
    }

    /// In the order in which they were found.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }

    /// The problems for a machine.
    pub fn rows(&self) -> Vec<Row> {
        self.0.iter().map(Problem::row).collect()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => f.write_str("1 problem; nothing was started"),
            many => write!(f, "{many} problems; nothing was started"),
        }
    }
}

impl std::error::Error for Problems {}

impl Diagnostic for Problems {
    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.0.iter().map(|problem| problem as &dyn Diagnostic)))
    }
}
