//! Finding what is damaged of the base, and putting it back.

use std::sync::Arc;

use jamliquor_trie::{verify, Mended, Mender, Place, Spot};
use redb::Durability;

use crate::cache::{Item, Name};
use crate::rows::value_key;
use crate::{definition, unreadable, Db, DbError, STATE, VALUE_MARK};

/// Key of the row that holds a page or a value.
pub fn row_of(spot: &Spot) -> Vec<u8> {
    match spot {
        Spot::Page(place) => place.to_bytes(),
        Spot::Value(key) => value_key(key),
    }
}

/// What the row of a key holds.
pub fn spot_of(row: &[u8]) -> Option<Spot> {
    match row.split_last()? {
        (&VALUE_MARK, key) => key.try_into().ok().map(Spot::Value),
        _ => Place::from_bytes(row).map(Spot::Page),
    }
}

impl Db {
    /// Walks over the base and gives what is damaged, at most `most`; what lies below a damaged page
    /// is not looked at.
    pub fn damage(&self, most: usize) -> Result<Vec<Spot>, DbError> {
        let damage = verify(&self.base()?, most);
        damage
            .errors
            .into_iter()
            .map(|error| Spot::of(&error).ok_or_else(|| unreadable(error)))
            .collect()
    }

    /// Writes a page or value that was made anew, if it is what the base refers to; whether it
    /// was. It is durable with the next durable commit.
    pub fn mend(&self, mender: Mender) -> Result<bool, DbError> {
        let Some(mended) = mender.finish(&self.base()?).map_err(unreadable)? else {
            return Ok(false);
        };
        let (row, bytes) = match &mended {
            Mended::Page(place, page) => (place.to_bytes(), page.bytes()),
            Mended::Value(leaf) => (value_key(leaf.key()), leaf.value()),
        };
        self.shared.read(|database| {
            let mut writing = database.begin_write()?;
            writing
                .set_durability(Durability::None)
                .map_err(|error| DbError::host(error.to_string()))?;
            writing
                .open_table(definition(STATE)?)?
                .insert(&row[..], bytes)?;
            writing.commit()?;
            Ok(())
        })?;
        self.shared.forget_view();
        let mut cache = self.shared.cache();
        match mended {
            Mended::Page(place, page) => cache.put(Name::Page(place), Item::Page(Arc::new(page))),
            Mended::Value(leaf) => cache.put(Name::Value(*leaf.key()), Item::Value(leaf)),
        }
        Ok(true)
    }
}
