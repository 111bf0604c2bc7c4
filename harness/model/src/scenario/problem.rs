//! What is wrong in a file, where, and what to do about it.
//!
//! The loader collects [`Problem`]s; the command line shows all of them at once, as miette diagnostics with the text
//! underlined, or as [`Row`]s for a machine.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use miette::{Diagnostic, LabeledSpan, NamedSource, Severity, SourceCode};
use serde::Serialize;

use crate::format;

/// Declares the codes once: the enum, the list of all, and their names in the output.
macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// The kind of a problem: a stable name to look up and to filter by.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)*
        }

        impl Code {
            /// All codes.
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
    /// A file's name is no name of a scenario.
    BadFileName = "bad-file-name",
    /// A file is not text.
    FileNotUtf8 = "file-not-utf8",
    /// A file is larger than a scenario can sensibly be.
    FileTooLarge = "file-too-large",
    /// A file with more values than any scenario has.
    TooManyValues = "too-many-values",
    /// More problems in one file than are shown.
    MoreProblems = "more-problems",
    /// The system file that a scenario names does not exist.
    SystemFileMissing = "system-file-missing",
    /// Not TOML.
    TomlSyntax = "toml-syntax",
    /// Valid TOML that the model cannot read, and that no other code covers.
    DoesNotFit = "does-not-fit",

    // Structure: what the schema says.
    /// An unknown key.
    UnknownKey = "unknown-key",
    /// A required key is missing.
    MissingKey = "missing-key",
    /// A number where text belongs, and the like.
    WrongType = "wrong-type",
    /// Not one of the listed values.
    UnknownValue = "unknown-value",
    /// Exactly one of several keys must be here.
    NotExactlyOne = "not-exactly-one",
    /// A length of time, a rate, a size or a share that cannot be parsed.
    BadQuantity = "bad-quantity",
    /// A number too small or too large.
    OutOfRange = "out-of-range",

    // Steps.
    /// A step names a fault that does not exist.
    UnknownFault = "unknown-fault",
    /// A step without a fault.
    StepWithoutFault = "step-without-fault",
    /// A step names several faults.
    TwoFaultsInAStep = "two-faults-in-a-step",
    /// Parameters that the fault does not accept.
    BadParameter = "bad-parameter",
    /// More steps than a drill may have.
    TooManySteps = "too-many-steps",
    /// A drill that would take longer than a day.
    DrillTooLong = "drill-too-long",
    /// `for` on a fault that has nothing to revert after a time.
    ForOnInstantFault = "for-on-instant-fault",
    /// A fault's file is outside its volume.
    PathEscapesVolume = "path-escapes-volume",

    /// A fault of a service that is not running at that time.
    NotRunning = "not-running",
    /// A crash loop of a service that nothing restarts.
    NothingBringsBack = "nothing-brings-back",
    /// A volume to be filled that has no size limit.
    VolumeWithoutLimit = "volume-without-limit",
    /// A limit that is not lower than the service's present one.
    LimitNotLower = "limit-not-lower",
    /// An alert receiver whose address no service has.
    NoAlerts = "no-alerts",
    /// A fault of requests on a link whose traffic the proxy cannot read.
    UnreadableLink = "unreadable-link",

    /// A name of an earlier version: read, and better written as it is called now.
    Renamed = "renamed",

    // References.
    /// No service has this name.
    UnknownService = "unknown-service",
    /// A step breaks a link that does not exist.
    NoSuchLink = "no-such-link",
    /// `releases` names an unknown service.
    ReleaseUnknownService = "release-unknown-service",
    /// No service starts as this release, and no step deploys it.
    UnknownRelease = "unknown-release",
    /// The service has no such volume.
    UnknownVolume = "unknown-volume",
    /// The service has no such port.
    UnknownPort = "unknown-port",
    /// No check has this name, or the scenario makes none of this name.
    UnknownCheck = "unknown-check",
    /// No journey has this name.
    UnknownJourney = "unknown-journey",
    /// The system names its fallbacks, and has none of this name.
    UnknownFallback = "unknown-fallback",
    /// The system names its kinds of alerts, and has none of this name.
    UnknownAlert = "unknown-alert",
    /// No records have this name.
    UnknownRecord = "unknown-record",
    /// The records have no such field.
    UnknownField = "unknown-field",
    /// A step uses a value that no step before it captured.
    UnknownCapture = "unknown-capture",
    /// An unknown placeholder in a template.
    UnknownPlaceholder = "unknown-placeholder",
    /// An unmatched brace in a template.
    LoneBrace = "lone-brace",
    /// A secret in a program's arguments, which every user of the machine can read.
    SecretInArgument = "secret-in-argument",
    /// A name that cannot be part of a template, a host name or a container name.
    BadName = "bad-name",

    // Services.
    /// More services than one machine can run for a drill.
    TooManyServices = "too-many-services",
    /// A system without services.
    NoServices = "no-services",
    /// Several services, and `entry` is missing.
    EntryMissing = "entry-missing",
    /// Services that wait for each other in a cycle.
    AfterCycle = "after-cycle",
    /// One port number twice in one service.
    DuplicatePort = "duplicate-port",
    /// A service without a port, where one is needed.
    NoPort = "no-port",
    /// Port 0, which means "any port".
    PortZero = "port-zero",
    /// A share of a volume that does not exist.
    ShareOfNothing = "share-of-nothing",
    /// Two volumes of one service with one name or in one place.
    DuplicateVolume = "duplicate-volume",
    /// A volume's path that is not absolute.
    VolumePathRelative = "volume-path-relative",
    /// A name that an environment variable cannot have.
    BadEnvName = "bad-env-name",
    /// A command without a program.
    EmptyCommand = "empty-command",
    /// A working folder of a service that runs in a folder of its own.
    NoWorkingFolder = "no-working-folder",
    /// A package that the workspace around the system file does not have.
    UnknownPackage = "unknown-package",
    /// A Dockerfile, a build context or a program that is not there.
    NoSuchFile = "no-such-file",
    /// Not a user as engines know it.
    BadUser = "bad-user",
    /// Keys of `ready` that exclude each other.
    ReadyConflict = "ready-conflict",
    /// A readiness text that every log contains.
    EmptyLogText = "empty-log-text",
    /// A file that a service needs, such as a certificate, does not exist.
    FileMissing = "file-missing",
    /// Neither a host name nor an IP address, so that no certificate is valid for it.
    BadServerName = "bad-server-name",
    /// An authority to trust, where nothing is verified.
    CaWithoutVerify = "ca-without-verify",

    // Journeys.
    /// A system without journeys: nothing would be measured.
    NoJourneys = "no-journeys",
    /// No journey is essential: no downtime could be measured.
    NoEssentialJourney = "no-essential-journey",
    /// Two journeys of one name.
    DuplicateJourney = "duplicate-journey",
    /// More journeys than a prober may have.
    TooManyJourneys = "too-many-journeys",
    /// More users at a time than a prober has connections for.
    TooManyClients = "too-many-clients",
    /// More records than can be seeded before a drill.
    TooManyRecords = "too-many-records",
    /// More probes a second than a prober can send on time.
    RateTooHigh = "rate-too-high",
    /// A journey without a connection mode.
    NoConnections = "no-connections",
    /// A key that a journey of this kind cannot have.
    NotForThisKind = "not-for-this-kind",
    /// A journey that says nothing of what is right.
    NothingExpected = "nothing-expected",
    /// `timeout` is shorter than `deadline`.
    TimeoutBelowDeadline = "timeout-below-deadline",
    /// Not an HTTP method.
    BadMethod = "bad-method",
    /// A request's path that does not begin with a slash.
    PathWithoutSlash = "path-without-slash",
    /// A request's path with a character that a path cannot have.
    BadPath = "bad-path",
    /// A request with more than one body: a form, JSON, or another one.
    FormAndBody = "form-and-body",
    /// Not an HTTP header's name.
    BadHeaderName = "bad-header-name",
    /// A port with the name of a part of an address.
    ReservedPort = "reserved-port",
    /// A request's header that only the client itself can set.
    ReservedHeader = "reserved-header",
    /// A limit of what is read of an answer that is zero, or more than memory has room for.
    AnswerLimit = "answer-limit",
    /// Not a JSON pointer.
    BadPointer = "bad-pointer",
    /// Not a regular expression, or one without the group that is to be captured.
    BadPattern = "bad-pattern",
    /// A requirement that needs the whole body of an answer without an end.
    EndlessBody = "endless-body",
    /// Two steps of a journey that both store what is read back.
    SeveralWrites = "several-writes",
    /// Not a valid HTTP status.
    BadStatus = "bad-status",
    /// Seeding from records without a count, which never ends.
    SeedWithoutCount = "seed-without-count",
    /// `count` is zero.
    EmptyRecords = "empty-records",

    // Expectations and settings.
    /// An empty summary.
    EmptySummary = "empty-summary",
    /// A yearly frequency below zero, or not a number.
    PerYearNegative = "per-year-negative",
    /// An empty `because`.
    EmptyBecause = "empty-because",
    /// A negative control without the checks that must breach.
    ControlWithoutBreaches = "control-without-breaches",
    /// `at_least` is above `at_most`.
    LimitsCrossed = "limits-crossed",
    /// Two expectations that exclude each other.
    Contradiction = "contradiction",
    /// A requirement about deploys, and no deploy.
    NoDeploy = "no-deploy",
    /// A requirement about releases, on a system whose answers name none.
    NoIdentity = "no-identity",
    /// A requirement about fallbacks, on a system that does not say what one is.
    NoFallback = "no-fallback",
    /// A limit that is longer than the drill waits.
    SettleTooShort = "settle-too-short",
    /// A steady state or a quiet period of no length, which shows nothing.
    TimingZero = "timing-zero",
    /// A requirement of a journey that does not run.
    NotProbed = "not-probed",
    /// A requirement about writes, of which none is read back.
    NoReadBack = "no-read-back",
    /// A journey that must go down, and no fault.
    NoFault = "no-fault",
    /// A journey that is asked too seldom to be seen steady.
    RateTooLow = "rate-too-low",
    /// A budget of zero, or longer than its window.
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
    /// The file, as a user would type it.
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
            // Columns count characters, not bytes, as editors do.
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
    // A place inside a character would make the display of the problem panic.
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

/// More problems of one file are not read by anybody, and take long to print.
const MOST_SHOWN: usize = 100;

/// Everything that is wrong, of all files: never empty.
#[derive(Debug, Clone)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// All of them, without repeats: two scenarios on one broken system file report it once. Of each file the first
    /// hundred, and how many more there are.
    pub(super) fn new(problems: Vec<Problem>) -> Self {
        let mut seen = HashSet::new();
        let mut of_file: BTreeMap<String, usize> = BTreeMap::new();
        let mut shown = Vec::new();
        for problem in problems {
            let span = problem.place.as_ref().map(|(_, span)| span.clone());
            // Several scenarios share a system or project file, and each loading of it finds the same problems.
            if seen.insert((problem.file.clone(), span, problem.code, problem.message.clone())) {
                let count = of_file.entry(problem.file.clone()).or_default();
                *count += 1;
                if *count <= MOST_SHOWN {
                    shown.push(problem);
                }
            }
        }
        for (file, count) in of_file.into_iter().filter(|(_, count)| *count > MOST_SHOWN) {
            let message = format!("{} more problems in {file}", count - MOST_SHOWN);
            let rest = Problem::of_file(Code::MoreProblems, file, message);
            shown.push(rest.help("solve those above first"));
        }
        Self(shown)
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
        write!(
            f,
            "{}; nothing was started",
            format::count(self.0.len(), "problem")
        )
    }
}

impl std::error::Error for Problems {}

impl Diagnostic for Problems {
    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.0.iter().map(|problem| problem as &dyn Diagnostic)))
    }
}
