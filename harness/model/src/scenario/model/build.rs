//! Where a service comes from: a package, an image, a Dockerfile or a local command.

use std::fmt;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Texts;

/// Where a service comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Build {
    /// A package of the cargo workspace around the system file: built statically, so that it runs in an empty image.
    Package {
        /// The package.
        name: String,
        /// Its binary, when it is not named like the package.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bin: Option<String>,
        /// Packages whose binaries lie beside it (`/NAME` in the image; `{bin.NAME}` gives the path).
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        with: Vec<String>,
    },
    /// An image the engine has or can pull, as a template over `{release}`: `shop:{release}`. Containers only.
    Image(String),
    /// A Dockerfile, relative to the system file: its path, or a table with how it is built. Containers only.
    Dockerfile(Dockerfile),
    /// A program and its first arguments, as templates. It runs in the folder of the system file (`{folder}`), unless
    /// `working_folder` names another. Local
    /// processes only.
    Command(Vec<String>),
}

/// A Dockerfile, and how it is built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "DockerfileForms", into = "DockerfileForms")]
pub struct Dockerfile {
    /// The Dockerfile, relative to the system file.
    pub path: PathBuf,
    /// The folder that is sent to the engine, relative to the system file; the Dockerfile's own without it.
    pub context: Option<PathBuf>,
    /// The stage that is built; the last one without it.
    pub target: Option<String>,
    /// Build arguments, as templates over `{release}`.
    pub args: Texts,
}

/// The two forms in a file: `dockerfile = "Dockerfile"`, and `dockerfile = { path = "Dockerfile", target = "run" }`.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Dockerfile")]
enum DockerfileForms {
    Path(PathBuf),
    Table(DockerfileTable),
}

/// A Dockerfile with how it is built.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DockerfileTable {
    /// The Dockerfile, relative to the system file.
    path: PathBuf,
    /// The folder that is sent to the engine, relative to the system file; the Dockerfile's own without it. Its
    /// `.dockerignore` counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    context: Option<PathBuf>,
    /// The stage that is built; the last one without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    /// Build arguments, as templates over `{release}`: another release is then another image.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    args: Texts,
}

impl From<DockerfileForms> for Dockerfile {
    fn from(form: DockerfileForms) -> Self {
        match form {
            DockerfileForms::Path(path) => path.into(),
            DockerfileForms::Table(table) => Self {
                path: table.path,
                context: table.context,
                target: table.target,
                args: table.args,
            },
        }
    }
}

impl From<Dockerfile> for DockerfileForms {
    fn from(file: Dockerfile) -> Self {
        if file == Dockerfile::from(file.path.clone()) {
            return Self::Path(file.path);
        }
        Self::Table(DockerfileTable {
            path: file.path,
            context: file.context,
            target: file.target,
            args: file.args,
        })
    }
}

impl From<PathBuf> for Dockerfile {
    fn from(path: PathBuf) -> Self {
        Self {
            path,
            context: None,
            target: None,
            args: Texts::new(),
        }
    }
}

impl Dockerfile {
    /// The folder that is sent to the engine, relative to the system file.
    pub fn context(&self) -> &Path {
        let beside = || self.path.parent().unwrap_or(Path::new(""));
        self.context.as_deref().unwrap_or_else(beside)
    }
}

/// As one says it: `package shortener`, `image redis:7`.
impl fmt::Display for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Package { name, bin, .. } => {
                write!(f, "package {name}")?;
                bin.iter().try_for_each(|bin| write!(f, ", binary {bin}"))
            }
            Self::Image(image) => write!(f, "image {image}"),
            Self::Dockerfile(file) => {
                write!(f, "Dockerfile {}", file.path.display())?;
                file.target
                    .iter()
                    .try_for_each(|target| write!(f, ", stage {target}"))
            }
            Self::Command(words) => write!(f, "command {}", words.join(" ")),
        }
    }
}
