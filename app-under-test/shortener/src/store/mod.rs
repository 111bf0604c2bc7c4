//! The store of links, in two implementations: [`Naive`] as in the incident, and [`Durable`].

mod durable;
mod naive;
pub(crate) mod uploads;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use durable::Durable;
pub use naive::Naive;

use crate::link::{Code, LinkTarget};

/// The links as JSON, in the order of the file.
pub type Links = serde_json::Map<String, serde_json::Value>;

/// Where an answer comes from; sent as `x-served-by`. All but the first two are fallbacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rung {
    /// The answer needs no link.
    Direct,
    /// The store.
    Store,
    /// The copy in memory, while the store is damaged.
    Memory,
    /// The previous generation, completed from the journal.
    Previous,
    /// The journal alone.
    Journal,
    /// The link itself, which contains its target and a signature.
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

/// The result of storing a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutResult {
    /// The link is stored, as durably as the release can.
    Stored(Rung),
    /// The code leads elsewhere already.
    Taken,
    /// The idempotency key was used for another link.
    KeyReused,
}

/// An operation of the store that failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file operation failed.
    #[error("cannot {operation} {}: {source}", path.display())]
    File {
        /// What was tried.
        operation: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The content is not a store.
    #[error("parsing the store {}: {source}\n  it was given: {excerpt:?}", path.display())]
    Parse {
        /// The store.
        path: PathBuf,
        /// The parser's error.
        source: serde_json::Error,
        /// The beginning of the parser's input.
        excerpt: String,
    },
    /// The store and all of its copies are damaged.
    #[error("the store {} is damaged, and so is every copy of it", path.display())]
    NothingLeft {
        /// The store.
        path: PathBuf,
    },
    /// The writer thread has ended.
    #[error("the writer thread of the store has ended")]
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

/// The name of the store's file.
pub const FILE: &str = "urls.json";

/// The format of the store's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `{"code": {"url": "…"}}`, as in the incident.
    Original,
    /// Written by the releases that migrate the store, which read both formats.
    Migrated,
}

impl Format {
    /// Writes the content of the file for these links.
    pub(crate) fn write<'l>(
        self,
        file: &mut dyn Write,
        links: impl Iterator<Item = (&'l str, &'l LinkTarget)>,
    ) -> io::Result<()> {
        use serde::Serializer;
        /// A link in the migrated format.
        #[derive(serde::Serialize)]
        struct Migrated<'l> {
            code: &'l str,
            target: &'l LinkTarget,
        }
        match self {
            Self::Original => Ok(serde_json::Serializer::new(file).collect_map(links)?),
            Self::Migrated => {
                file.write_all(br#"{"version":2,"links":"#)?;
                let links = links.map(|(code, target)| Migrated { code, target });
                serde_json::Serializer::new(&mut *file).collect_seq(links)?;
                file.write_all(b"}")
            }
        }
    }

    /// The links in a file's content, each one checked.
    ///
    /// # Errors
    /// When the content is anything but a store in this format.
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
            let _: LinkTarget = serde_json::from_value(target.clone())?;
            Code::new(code).ok_or_else(|| serde_json::Error::custom(format!("`{code}` is not a code")))?;
        }
        Ok(links)
    }
}

/// Where a code leads, in links as JSON.
fn target(links: &Links, code: &Code) -> Option<LinkTarget> {
    serde_json::from_value(links.get(code.as_str())?.clone()).ok()
}

/// A release's store.
#[derive(Debug, Clone)]
pub enum Store {
    /// The store of the incident.
    Naive(Naive),
    /// The durable store.
    Durable(Durable),
}

impl Store {
    /// Where a code leads, and where the answer comes from.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub async fn get(&self, code: &Code) -> Result<(Option<LinkTarget>, Rung), StoreError> {
        match self {
            Self::Naive(naive) => {
                let (naive, code) = (naive.clone(), code.clone());
                let get = tokio::task::spawn_blocking(move || naive.get(&code));
                Ok((get.await.map_err(|_| StoreError::Closed)??, Rung::Store))
            }
            Self::Durable(durable) => durable.get(code),
        }
    }

    /// Stores a link. A repeated request with the same key gets the same answer and stores nothing.
    ///
    /// # Errors
    /// When the store cannot be used. The link must then be taken as not stored.
    pub async fn put(
        &self,
        code: Code,
        to: LinkTarget,
        key: Option<String>,
        wrong_loader: bool,
    ) -> Result<PutResult, StoreError> {
        match self {
            Self::Naive(naive) => {
                let naive = naive.clone();
                let put = tokio::task::spawn_blocking(move || naive.put(&code, &to, wrong_loader));
                put.await.map_err(|_| StoreError::Closed)?
            }
            Self::Durable(durable) => {
                if wrong_loader {
                    naive::wrong_loader(&durable.path())?;
                }
                durable.put(code, to, key).await
            }
        }
    }

    /// Before the service ends: brings the file up to date. Does file operations.
    pub fn close(&self) {
        if let Self::Durable(durable) = self {
            durable.close();
        }
    }

    /// Opens a release's store.
    ///
    /// # Errors
    /// When its folder cannot be created or read.
    pub fn open(
        folder: &Path,
        durable: bool,
        format: Format,
        heal_after: Duration,
    ) -> Result<Self, StoreError> {
        std::fs::create_dir_all(folder).map_err(StoreError::file("create", folder))?;
        if durable {
            Ok(Self::Durable(Durable::open(folder, format, heal_after)?))
        } else {
            Ok(Self::Naive(Naive::open(folder, format)?))
        }
    }
}
