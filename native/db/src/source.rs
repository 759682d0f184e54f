//! What tries in memory read of the base.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use jamliquor_trie::{Base, Key, Leaf, Page, Place, Source, SourceError};

use crate::cache::{Item, Name};
use crate::rows::value_key;
use crate::{count, DbError, Fault, Shared, COLD};

/// Why a page or value could not be read: `missing` where its row is damaged.
fn why(error: DbError, missing: &SourceError) -> SourceError {
    match error.fault {
        Fault::Damaged => missing.clone(),
        _ => SourceError::Host(error.text),
    }
}

impl Source for Shared {
    fn generation(&self) -> u32 {
        self.generation.load(Ordering::SeqCst)
    }

    fn base(&self) -> Base {
        let base = self.base.read().unwrap_or_else(PoisonError::into_inner);
        base.clone()
    }

    fn page(&self, place: &Place, again: bool) -> Result<Arc<Page>, SourceError> {
        let name = Name::Page(*place);
        match self.cache().get(&name) {
            Some(Item::Page(page)) if !again => {
                count(&self.counts.page_hits);
                return Ok(page);
            }
            _ => {}
        }
        count(&self.counts.page_misses);
        count(&self.counts.missed);
        let missing = SourceError::Page(*place);
        let bytes = self
            .state_row(&place.to_bytes())
            .map_err(|error| why(error, &missing))?;
        let bytes = bytes.ok_or(missing.clone())?;
        let page = Arc::new(Page::from_bytes(bytes, place).ok_or(missing)?);
        self.cache().put(name, Item::Page(Arc::clone(&page)));
        Ok(page)
    }

    fn value(&self, key: &Key, again: bool) -> Result<Leaf, SourceError> {
        let name = Name::Value(*key);
        match self.cache().get(&name) {
            Some(Item::Value(leaf)) if !again => return Ok(leaf),
            _ => {}
        }
        count(&self.counts.missed);
        let missing = SourceError::Value(*key);
        let value = self
            .state_row(&value_key(key))
            .map_err(|error| why(error, &missing))?;
        let entry = [&key[..], &value.ok_or(missing.clone())?].concat();
        let leaf = Leaf::from_bytes(&entry).ok_or(missing)?;
        self.cache().put(name, Item::Value(leaf.clone()));
        Ok(leaf)
    }

    fn misses(&self) -> u64 {
        self.counts.missed.load(Ordering::Relaxed)
    }

    fn count_lookup(&self, hit: bool) {
        count(if hit {
            &self.counts.lookup_hits
        } else {
            &self.counts.lookup_misses
        });
        self.counts.feel(!hit);
    }

    fn cached_page(&self, place: &Place) -> Option<Arc<Page>> {
        self.cache().get(&Name::Page(*place))?.into_page()
    }

    fn foresee_page(&self, place: &Place) -> Option<Arc<Page>> {
        self.cache().foresee(&Name::Page(*place))?.into_page()
    }

    fn foresee_value(&self, key: &Key) -> Option<Leaf> {
        self.cache().foresee(&Name::Value(*key))?.into_value()
    }

    /// Has the thread take the processor from no other when the disk answers: it would be the one
    /// that judges the block.
    fn begin_reading_ahead(&self) {
        #[cfg(target_os = "linux")]
        // SAFETY: sets how this thread is scheduled, by a structure that lives for the call; nothing
        // depends on its success.
        unsafe {
            let parameter: libc::sched_param = std::mem::zeroed();
            libc::sched_setscheduler(0, libc::SCHED_BATCH, &raw const parameter);
        }
    }

    fn count_fetched(&self, lookups: usize) {
        let fetched = &self.counts.fetched;
        fetched.fetch_add(lookups as u64, Ordering::Relaxed);
        (0..lookups).for_each(|_| self.counts.feel(true));
    }

    fn is_cold(&self) -> bool {
        self.counts.coldness.load(Ordering::Relaxed) >= COLD
    }
}
