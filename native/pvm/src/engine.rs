//! Where machines come from: one account of memory, and cleared memories kept for the next machine.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use crate::budget::{Budget, Counters, HostFailure};
use crate::machine::{Control, Machine};
#[cfg(target_pointer_width = "64")]
use crate::memory::FlatStore;
use crate::memory::{Memory, PagedStore, PAGE_SIZE};
use crate::program::Program;

/// Cleared memories kept; each costs address space and a few host pages.
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
    /// Walk tables even where 4 GiB of address space can be reserved.
    pub paged: bool,
}

struct Shared {
    budget: Arc<Budget>,
    #[cfg(target_pointer_width = "64")]
    flat: Option<Mutex<Vec<Memory<FlatStore>>>>,
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

impl Engine {
    pub fn new(limits: Limits) -> Engine {
        #[cfg(target_pointer_width = "64")]
        let frame_len = <FlatStore as crate::memory::Store>::frame_len();
        #[cfg(not(target_pointer_width = "64"))]
        let frame_len = PAGE_SIZE;
        debug_assert!(frame_len >= PAGE_SIZE);
        let directory = limits.spill_directory.as_deref();
        let budget = Budget::new(limits.resident, directory, limits.spill_quota, frame_len);
        Engine {
            shared: Arc::new(Shared {
                budget: Arc::new(budget),
                #[cfg(target_pointer_width = "64")]
                flat: (!limits.paged).then(Mutex::default),
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
        let kind = self.shared.kind(program, pc, gas)?;
        Ok(PooledMachine {
            kind: Some(kind),
            shared: Arc::clone(&self.shared),
        })
    }
}

impl Shared {
    fn kind(&self, program: Arc<Program>, pc: u64, gas: i64) -> Result<Kind, HostFailure> {
        #[cfg(target_pointer_width = "64")]
        if let Some(pool) = &self.flat {
            let pooled = pool
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner())
                .pop();
            let memory = match pooled {
                Some(mut memory) => memory.open().map(|()| memory)?,
                None => Memory::new(Arc::clone(&self.budget))?,
            };
            return Ok(Kind::Flat(Machine::new(program, memory, pc, gas)));
        }
        let memory = Memory::new(Arc::clone(&self.budget))?;
        Ok(Kind::Paged(Machine::new(program, memory, pc, gas)))
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
        #[cfg(target_pointer_width = "64")]
        if let (Some(Kind::Flat(machine)), Some(pool)) = (self.kind.take(), &self.shared.flat) {
            let mut memory = machine.into_memory();
            memory.clear();
            let mut pool = pool.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            if pool.len() < POOL {
                pool.push(memory);
            }
        }
    }
}
