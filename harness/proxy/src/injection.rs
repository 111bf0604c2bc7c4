//! The guard of an injected toxic.

use crate::{Error, Hits, Proxy, ToxicId};

/// A toxic on a proxy. Reverts when dropped; [`revert`](Self::revert) also waits until the revert is in effect.
#[derive(Debug)]
#[must_use = "dropping it reverts the toxic at once"]
pub struct Injection<'p> {
    proxy: &'p Proxy,
    id: ToxicId,
}

impl<'p> Injection<'p> {
    pub(crate) fn new(proxy: &'p Proxy, id: ToxicId) -> Self {
        Self { proxy, id }
    }

    /// The toxic's id, for [`Proxy::revert`] and [`Proxy::hits`].
    pub fn id(&self) -> ToxicId {
        self.id
    }

    /// The traffic that the toxic has affected so far.
    pub fn hits(&self) -> Hits {
        self.proxy.hits(self.id)
    }

    /// Reverts the toxic, waits until that is in effect, and returns what it hit.
    ///
    /// # Errors
    /// [`Error::Listen`] when the listener cannot be opened again after a [`Refuse`](crate::Refuse), or
    /// [`Error::Stopped`].
    pub async fn revert(self) -> Result<Hits, Error> {
        self.proxy.revert(self.id).await?;
        Ok(self.hits())
    }
}

impl Drop for Injection<'_> {
    fn drop(&mut self) {
        self.proxy.remove(self.id);
    }
}
