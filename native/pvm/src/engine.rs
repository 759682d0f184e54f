//! Where machines come from: one account of memory, and cleared memories kept for the next machine.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::budget::{Budget, Counters, HostFailure};
use crate::machine::{Control, Machine};
#[cfg(target_pointer_width = "64")]
use crate::memory::FlatStore;
use crate::memory::{Memory, PagedStore, Store};
use crate::program::Program;

/// Cleared memories kept of a kind; each costs address space and a few host pages.
const POOL: usize = 4;

/// What an engine may use.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of guest pages resident at once, all machines together.
    pub resident: usize,
    /// Where a spill file may be made; without one the cap is final.
    pub spill_directory: Option<PathBuf>,
    /// Bytes of that file.
    pub spill_quota: u64,
    /// Walk tables even where 4 GiB of address space can be reserved; a host that refuses the
    /// reservation gets them anyway.
    pub paged: bool,
}

struct Pool<S: Store>(Mutex<Vec<Memory<S>>>);

struct Shared {
    budget: Arc<Budget>,
    #[cfg(target_pointer_width = "64")]
    flat: Option<Pool<FlatStore>>,
    paged: Pool<PagedStore>,
}

/// Makes machines under common limits.
pub struct Engine {
    shared: Arc<Shared>,
}

enum Kind {
    #[cfg(target_pointer_width = "64")]
    Flat(Machine<FlatStore>),
    Paged(Machine<PagedStore>),
}

/// A machine that gives its memory back to its engine.
pub struct PooledMachine {
    kind: Option<Kind>,
    shared: Arc<Shared>,
}

impl<S: Store> Pool<S> {
    fn new() -> Self {
        Pool(Mutex::default())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Memory<S>>> {
        self.0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn take(&self, budget: &Arc<Budget>) -> Result<Memory<S>, HostFailure> {
        let pooled = self.lock().pop();
        match pooled {
            Some(mut memory) => memory.open().map(|()| memory),
            None => Memory::new(Arc::clone(budget)),
        }
    }

    fn put(&self, mut memory: Memory<S>) {
        memory.clear();
        let mut pool = self.lock();
        if pool.len() < POOL {
            pool.push(memory);
        }
    }
}

/// Octets a slot of the spill file: the largest frame of any store.
fn slot_len() -> usize {
    #[cfg(target_pointer_width = "64")]
    return FlatStore::frame_len();
    #[cfg(not(target_pointer_width = "64"))]
    PagedStore::frame_len()
}

impl Engine {
    pub fn new(limits: Limits) -> Engine {
        let directory = limits.spill_directory.as_deref();
        let budget = Budget::new(limits.resident, directory, limits.spill_quota, slot_len());
        Engine {
            shared: Arc::new(Shared {
                budget: Arc::new(budget),
                #[cfg(target_pointer_width = "64")]
                flat: (!limits.paged && FlatStore::new().is_ok()).then(Pool::new),
                paged: Pool::new(),
            }),
        }
    }

    pub fn counters(&self) -> Counters {
        self.shared.budget.counters()
    }

    /// A machine about to execute the instruction at `pc` over inaccessible memory.
    pub fn machine(
        &self,
        program: Arc<Program>,
        pc: u64,
        gas: i64,
    ) -> Result<PooledMachine, HostFailure> {
        let shared = Arc::clone(&self.shared);
        #[cfg(target_pointer_width = "64")]
        if let Some(pool) = &shared.flat {
            let memory = pool.take(&shared.budget)?;
            let kind = Some(Kind::Flat(Machine::new(program, memory, pc, gas)));
            return Ok(PooledMachine { kind, shared });
        }
        let memory = shared.paged.take(&shared.budget)?;
        let kind = Some(Kind::Paged(Machine::new(program, memory, pc, gas)));
        Ok(PooledMachine { kind, shared })
    }
}

impl PooledMachine {
    /// The machine itself.
    pub fn control(&mut self) -> &mut dyn Control {
        match self.kind.as_mut() {
            #[cfg(target_pointer_width = "64")]
            Some(Kind::Flat(machine)) => machine,
            Some(Kind::Paged(machine)) => machine,
            None => unreachable!("taken only by drop"),
        }
    }
}

impl Drop for PooledMachine {
    fn drop(&mut self) {
        match self.kind.take() {
            #[cfg(target_pointer_width = "64")]
            Some(Kind::Flat(machine)) => {
                if let Some(pool) = &self.shared.flat {
                    pool.put(machine.into_memory());
                }
            }
            Some(Kind::Paged(machine)) => self.shared.paged.put(machine.into_memory()),
            None => {}
        }
    }
}
