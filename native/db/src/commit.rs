//! Atomic writes: changes of rows, and moves of the base with them.

use std::sync::atomic::Ordering;
use std::sync::Arc;

use jamliquor_trie::{advance, Piece, SourceError, Trie, Values};
use redb::{Durability, WriteTransaction};

use crate::cache::{Item, Name};
use crate::rows::{self, Write};
use crate::{base_of, count, definition, unreadable, Db, DbError, Shared, STATE};

impl Db {
    /// Makes changes of rows, and a move of the base to `base`, in one atomic write. A durable
    /// one waits for the disk; others become durable, in order, with the next durable one.
    pub fn commit(
        &self,
        writes: &[Write<'_>],
        base: Option<&Trie>,
        durable: bool,
    ) -> Result<(), DbError> {
        let _turn = self.shared.turn();
        self.shared.read(|database| {
            let mut writing = database.begin_write()?;
            writing
                .set_durability(if durable {
                    Durability::Immediate
                } else {
                    Durability::None
                })
                .map_err(|error| DbError::host(error.to_string()))?;
            // Without it the first start after a crash reads the whole file.
            writing.set_quick_repair(durable);
            rows::write(&writing, writes)?;
            match base {
                Some(trie) => self.finish_move(writing, trie),
                None => self.finish(writing),
            }
        })?;
        count(&self.shared.counts.commits);
        if durable {
            count(&self.shared.counts.synced);
        }
        Ok(())
    }

    /// Moves the base in a transaction, and commits that.
    fn finish_move(&self, writing: WriteTransaction, trie: &Trie) -> Result<(), DbError> {
        let anchor = trie.to_anchor().map_err(unreadable)?;
        self.write_move(&writing, trie)?;
        rows::write_anchor(&writing, &anchor)?;
        // Whoever walks the base from its beginning waits until pages and beginning agree again.
        let mut begins = self.shared.base_mut();
        self.finish(writing)?;
        *begins = base_of(&anchor)?;
        self.shared
            .generation
            .store(trie.generation(), Ordering::SeqCst);
        drop(begins);
        give_memory_back();
        Ok(())
    }

    /// Puts pages and values of a move into a transaction, as they are made: what they were made from
    /// is in memory then, and they need not be.
    fn write_move(&self, writing: &WriteTransaction, trie: &Trie) -> Result<(), DbError> {
        let mut rows = writing.open_table(definition(STATE)?)?;
        let mut failed = None;
        let values = advance(&self.base()?, trie, &mut |piece| {
            rows::write_piece(&mut rows, &piece).map_err(|error| {
                let told = SourceError::Host(error.text.clone());
                failed = Some(error);
                told
            })?;
            self.shared.keep(piece);
            Ok(())
        });
        let values = values.map_err(|error| failed.unwrap_or_else(|| unreadable(error)))?;
        rows::write_values(&mut rows, &values)?;
        self.shared.renew(values);
        Ok(())
    }

    fn finish(&self, writing: WriteTransaction) -> Result<(), DbError> {
        writing.commit()?;
        // Where there is no room for it, the block that brought it is told so, not a later one.
        self.shared.file.flush().map_err(redb::StorageError::Io)?;
        self.shared.forget_view();
        Ok(())
    }
}

impl Shared {
    /// Keeps new pages of a move of the base. Until that is committed, who looks for what they were
    /// finds it on disk.
    fn keep(&self, piece: Piece) {
        let mut cache = self.cache();
        for (place, page) in piece.kept {
            cache.renew(Name::Page(place), Item::Page(Arc::new(page)));
        }
    }

    /// Brings cached values up to a move of the base.
    fn renew(&self, values: Values) {
        let mut cache = self.cache();
        for (key, value) in values {
            match value {
                Some(leaf) => cache.renew(Name::Value(key), Item::Value(leaf)),
                None => cache.remove(&Name::Value(key)),
            }
        }
    }
}

/// Gives the pages of memory that a move of the base left empty back to the system, which otherwise stay
/// with the process: several megabytes, that the system needs for what it caches of the file.
fn give_memory_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: may be called at any time, by any thread; it touches free memory alone.
    unsafe {
        libc::malloc_trim(0);
    }
}
