//! What the actions of a deploy printed and were answered: `logs/deploy.step-N.log` of the run folder, one file a step.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::backend;
use crate::fault::error::ActionError as Error;
use firedrill_model::files;

/// The end of the output that is looked at for evidence.
const END: u64 = 8 << 10;

/// The path of the log of a step, counted from 0, in the folder of logs.
pub(crate) fn deploy_log(logs: &Path, step: usize) -> PathBuf {
    logs.join(format!("deploy.step-{}.log", step + 1))
}

/// The log of one step's deploy.
pub(super) struct Log {
    path: PathBuf,
}

impl Log {
    /// The log of a step, counted from 0, in the folder of logs. The file is made with the first output.
    pub(super) fn of(logs: &Path, step: usize) -> Self {
        Self {
            path: deploy_log(logs, step),
        }
    }

    /// Adds a text.
    pub(super) fn write(&self, text: &str) -> Result<(), Error> {
        let written = self.open().and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|source| self.failed(source))
    }

    /// Where a program writes its output and its errors, and where in the file that begins.
    pub(super) fn streams(&self) -> Result<(File, File, u64), Error> {
        let open = || {
            let file = self.open()?;
            Ok((file.try_clone()?, file.metadata()?.len(), file))
        };
        let opened: io::Result<_> = open();
        let (output, begin, errors) = opened.map_err(|source| self.failed(source))?;
        Ok((output, errors, begin))
    }

    /// The last lines since a place in the file, for a reader; why there are none, if it cannot be read.
    pub(super) fn end(&self, begin: u64) -> String {
        let read = || {
            let mut file = File::open(&self.path)?;
            let from = file.metadata()?.len().saturating_sub(END).max(begin);
            file.seek(SeekFrom::Start(from))?;
            let mut text = Vec::new();
            file.take(END).read_to_end(&mut text)?;
            Ok(text)
        };
        let text: io::Result<Vec<u8>> = read();
        match text.map(|text| backend::tail(&text)) {
            Ok(lines) if lines.is_empty() => "no output".to_owned(),
            Ok(lines) => lines,
            Err(error) => format!("its output cannot be read: {error}"),
        }
    }

    fn open(&self) -> io::Result<File> {
        self.path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
        files::private().create(true).append(true).open(&self.path)
    }

    fn failed(&self, source: io::Error) -> Error {
        Error::Log {
            path: self.path.clone(),
            source,
        }
    }
}
