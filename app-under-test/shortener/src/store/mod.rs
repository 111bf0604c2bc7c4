//! Where the links are kept: one face for the routes, two ways behind it.

mod durable;
mod files;
mod naive;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use durable::Durable;
pub use naive::Naive;

use crate::link::{Code, Entry};

/// The links in the order of the file.
pub type Links = serde_json::Map<String, serde_json::Value>;

/// From which rung of the ladder an answer was given: `x-served-by`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rung {
    /// No link was needed for it.
    Direct,
    /// The store itself.
    Store,
    /// The last good copy in memory, while the store is damaged.
    Memory,
    /// The previous generation, brought up to date from the journal.
    Previous,
    /// The journal alone.
    Journal,
    /// The link carries its own answer.
    SignedLink,
}

impl Rung {
    /// Its name in `x-served-by`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Store => "store",
            Self::Memory => "memory",
            Self::Previous => "previous",
            Self::Journal => "journal",
            Self::SignedLink => "signed-link",
        }
    }
}

/// What became of a link to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// It is stored, as durably as the release can.
    Yes(Rung),
    /// The code leads elsewhere already.
    Taken,
}

/// A store that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file cannot be read or written.
    #[error("{operation} {}: {source}", path.display())]
    File {
        /// What was tried.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The parser cannot read what it was given.
    #[error("parsing the store {}: {source}\n  it was given: {excerpt:?}", path.display())]
    Parse {
        /// The store.
        path: PathBuf,
        /// The parser's complaint.
        source: serde_json::Error,
        /// The beginning of what the parser was given.
        excerpt: String,
    },
    /// Neither the store nor any of its copies can be trusted.
    #[error("the store {} is damaged, and so is every copy of it", path.display())]
    NothingLeft {
        /// The store.
        path: PathBuf,
    },
    /// The writer has ended.
    #[error("the store's writer has ended")]
    Closed,
}

impl StoreError {
    fn file(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::File {
            operation,
            path,
            source,
        }
    }

    fn parse(path: &Path, given: &[u8]) -> impl FnOnce(serde_json::Error) -> Self + use<> {
        let (path, excerpt) = (
            path.to_owned(),
            String::from_utf8_lossy(&given[..given.len().min(60)]).into_owned(),
        );
        move |source| Self::Parse {
            path,
            source,
            excerpt,
        }
    }
}

/// The file of the incident.
pub const FILE: &str = "urls.json";

/// The shape of the store's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `{"code": {"url": "…"}}`, as in the incident.
    Original,
    /// What the release that migrates the store writes; it reads both.
    Migrated,
}

impl Format {
    /// The file's content for these links.
    pub fn encode(self, links: &Links) -> Vec<u8> {
        let value = match self {
            Self::Original => serde_json::Value::Object(links.clone()),
            Self::Migrated => {
                let link = |(code, target): (&String, &serde_json::Value)| serde_json::json!({ "code": code, "target": target });
                serde_json::json!({ "version": 2, "links": links.iter().map(link).collect::<Vec<_>>() })
            }
        };
        value.to_string().into_bytes()
    }

    /// The links of a file's content, every one checked; an error for anything else.
    pub fn decode(self, content: &[u8]) -> Result<Links, serde_json::Error> {
        use serde::de::Error;
        let links: Links = serde_json::from_slice(content)?;
        if self == Self::Migrated && links.get("version") == Some(&serde_json::json!(2)) {
            let list = links.get("links").and_then(|links| links.as_array());
            let link = |link: &serde_json::Value| {
                Some((
                    link.get("code")?.as_str()?.to_owned(),
                    link.get("target")?.clone(),
                ))
            };
            let links: Option<Links> = list.and_then(|list| list.iter().map(link).collect());
            return links.ok_or_else(|| serde_json::Error::custom("not a list of links"));
        }
        for (code, target) in &links {
            let _: Entry = serde_json::from_value(target.clone())?;
            Code::new(code).ok_or_else(|| serde_json::Error::custom(format!("`{code}` is no code")))?;
        }
        Ok(links)
    }
}

/// A link's entry in the store's own shape.
pub(crate) fn entry(links: &Links, code: &Code) -> Option<Entry> {
    serde_json::from_value(links.get(code.as_str())?.clone()).ok()
}

/// A release's store.
#[derive(Debug, Clone)]
pub enum Store {
    /// As in the incident.
    Naive(Naive),
    /// As it should be.
    Durable(Durable),
}

impl Store {
    /// What a code leads to, and from which rung that was answered.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub async fn get(&self, code: &Code) -> Result<(Option<Entry>, Rung), StoreError> {
        match self {
            Self::Naive(naive) => {
                let (naive, code) = (naive.clone(), code.clone());
                let get = tokio::task::spawn_blocking(move || naive.get(&code));
                Ok((get.await.map_err(|_| StoreError::Closed)??, Rung::Store))
            }
            Self::Durable(durable) => durable.get(code),
        }
    }

    /// Stores a link. A repeat with the same key has the same answer and stores nothing.
    ///
    /// # Errors
    /// When the store cannot be used: nothing was acknowledged.
    pub async fn put(
        &self,
        code: Code,
        entry: Entry,
        key: Option<String>,
        wrong_loader: bool,
    ) -> Result<Stored, StoreError> {
        match self {
            Self::Naive(naive) => {
                let naive = naive.clone();
                let put = tokio::task::spawn_blocking(move || naive.put(&code, &entry, wrong_loader));
                put.await.map_err(|_| StoreError::Closed)?
            }
            Self::Durable(durable) => {
                if wrong_loader {
                    naive::wrong_loader(&durable.path())?;
                }
                durable.put(code, entry, key).await
            }
        }
    }

    /// Opens a release's store.
    ///
    /// # Errors
    /// When its folder cannot be made or read.
    pub fn open(
        folder: &Path,
        durable: bool,
        format: Format,
        heal_after: Duration,
    ) -> Result<Self, StoreError> {
        std::fs::create_dir_all(folder).map_err(StoreError::file("make", folder))?;
        if durable {
            Ok(Self::Durable(Durable::open(folder, format, heal_after)?))
        } else {
            Ok(Self::Naive(Naive::open(folder, format)?))
        }
    }
}
