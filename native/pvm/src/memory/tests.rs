//! Memory against a model, with frames of four guest pages for the flat store.

use std::collections::HashMap;
use std::sync::Arc;

use super::*;

const BASE: u32 = 0x20;
const COUNT: u32 = 64;

/// A page's access, and the octets that were ever written.
#[derive(Default)]
struct Model {
    access: HashMap<u32, u8>,
    octets: HashMap<u32, u8>,
}

impl Model {
    fn allows(&self, address: u32, len: u32, least: u8) -> bool {
        (address..address + len)
            .all(|at| self.access.get(&(at >> PAGE_SHIFT)).copied().unwrap_or(0) >= least)
    }
}

struct Source(u64);

impl Source {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        ((self.0 >> 33) % u64::from(bound)) as u32
    }
}

fn agrees_with_the_model<S: Store>(seed: u64) {
    let directory = std::env::temp_dir();
    // Room for fewer frames than the pages in use need.
    let cap = 1 << 20;
    let budget = Arc::new(Budget::new(cap, Some(&directory), 1 << 22, S::frame_len()));
    let filler = cap - 6 * S::frame_len();
    budget.reserve_over(filler);
    let mut memory = Memory::<S>::new(Arc::clone(&budget)).unwrap();
    let mut model = Model::default();
    let mut source = Source(seed);
    for _ in 0..1500 {
        let address = (BASE << PAGE_SHIFT) + source.below(COUNT << PAGE_SHIFT);
        let len = 1 + source
            .below(9000)
            .min((BASE + COUNT) * PAGE_SIZE as u32 - address - 1);
        let (page, count) = (address >> PAGE_SHIFT, 1 + source.below(9));
        let count = count.min(BASE + COUNT - page);
        match source.below(8) {
            0 => {
                let access = [Access::None, Access::Read, Access::Write][source.below(3) as usize];
                memory.set_access(page, count, access).unwrap();
                model
                    .access
                    .extend((page..page + count).map(|page| (page, access as u8)));
            }
            1 => {
                memory.zero(page, count).unwrap();
                let range = page << PAGE_SHIFT..(page + count) << PAGE_SHIFT;
                model.octets.retain(|at, _| !range.contains(at));
            }
            2..=4 => {
                let data = vec![source.below(256) as u8; len as usize];
                let written = memory.write(address.into(), &data).unwrap();
                assert_eq!(written, model.allows(address, len, 2));
                if written {
                    model.octets.extend((address..address + len).zip(data));
                }
            }
            _ => {
                let mut out = vec![0; len as usize];
                let read = memory.read(address.into(), &mut out).unwrap();
                assert_eq!(read, model.allows(address, len, 1));
                let octet = |at| model.octets.get(&at).copied().unwrap_or(0);
                assert!(!read || (address..address + len).map(octet).eq(out));
            }
        }
    }
    let counters = budget.counters();
    assert!(
        counters.spilled > 100 && counters.restored > 100,
        "{counters:?}"
    );
    assert!(counters.peak <= cap as u64, "{counters:?}");
    drop(memory);
    assert_eq!(budget.counters().resident, filler as u64);
}

#[test]
fn flat_memory_agrees_with_the_model() {
    (1..3).for_each(agrees_with_the_model::<FlatStore>);
}

#[test]
fn paged_memory_agrees_with_the_model() {
    (1..3).for_each(agrees_with_the_model::<PagedStore>);
}
