//! Guest memory: 4 GiB of 4096-byte pages with read, write or no access (section 4.5).
//!
//! A [`Store`] keeps page states and contents; [`Memory`] adds the rules: which access is allowed,
//! what becomes resident when, what moves to the spill file. A page's state is one byte: its access
//! in the low bits and [`RESIDENT`] when its contents can be touched at once, so that a single
//! comparison decides the fast path. Contents become resident and leave by *frames*: a host page
//! for [`FlatStore`] (4 or 16 KiB), a guest page for [`PagedStore`].

#[cfg(target_pointer_width = "64")]
mod flat;
mod paged;
#[cfg(all(test, target_pointer_width = "64"))]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::budget::{Budget, HostFailure, Slot};

#[cfg(target_pointer_width = "64")]
pub use flat::FlatStore;
pub use paged::PagedStore;

/// Octets a guest page.
pub const PAGE_SIZE: usize = 4096;
pub(crate) const PAGE_SHIFT: u32 = 12;
/// Guest pages of the whole address space.
pub(crate) const PAGES: u32 = 1 << 20;
/// Pages below 2^16, which no instruction may touch and which therefore never become accessible.
const RESERVED_PAGES: u32 = 16;

pub(crate) const RESIDENT: u8 = 4;
pub(crate) const READABLE_NOW: u8 = RESIDENT + 1;
pub(crate) const WRITABLE_NOW: u8 = RESIDENT + 2;

/// Frames that a machine may keep resident above the cap: what one instruction and a few of its
/// neighbours touch.
const MIN_FRAMES: usize = 4;

/// What a page allows, the paper's access component of a memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Access {
    None = 0,
    Read = 1,
    Write = 2,
}

/// Why an instruction could not access memory.
#[derive(Debug)]
pub(crate) enum Denied {
    Panic,
    Fault(u32),
    Host(HostFailure),
}

/// Page states and contents, without rules.
///
/// # Safety
/// `read` and `write` must be sound for every address, given that the states below
/// [`READABLE_NOW`] and [`WRITABLE_NOW`] make them return nothing, and that contents of a frame
/// stay in place from `commit` to `release`.
pub unsafe trait Store: Sized {
    /// Pointers that stay valid while the store lives and let the interpreter skip it.
    type View: Copy;

    fn new() -> Result<Self, HostFailure>;
    /// Octets a frame: a power of two, at least a guest page.
    fn frame_len() -> usize;
    fn view(&self) -> Self::View;
    /// The `N` octets at `address` if they lie in one page that can be read now.
    ///
    /// # Safety
    /// The store of `view` must be alive.
    unsafe fn read<const N: usize>(view: Self::View, address: u32) -> Option<[u8; N]>;
    /// Writes `octets` at `address` if they lie in one page that can be written now.
    ///
    /// # Safety
    /// As for `read`, and nothing else may use the store meanwhile.
    unsafe fn write<const N: usize>(view: Self::View, address: u32, octets: [u8; N]) -> bool;
    fn state(&self, page: u32) -> u8;
    fn set_state(&mut self, page: u32, state: u8);
    /// Makes a frame's contents exist, as zeroes.
    fn commit(&mut self, frame: u32);
    /// Contents of a committed frame.
    fn frame(&mut self, frame: u32) -> &mut [u8];
    /// Gives a frame's memory back to the host.
    fn release(&mut self, frame: u32);
    /// Makes a frame's octets zero; its memory may stay with the process.
    fn wipe(&mut self, frame: u32) {
        self.release(frame);
    }
    /// Makes every page inaccessible; all frames have been released.
    fn clear_states(&mut self);
    /// Bytes of host memory used beside the frames, about.
    fn overhead(&self) -> usize;
}

/// Frames of up to so many octets are overwritten when a memory is cleared, not given back: asking the
/// host for them again takes longer, and most services need few.
const KEPT_BYTES: usize = 64 * 1024;

/// A guest memory over some store.
pub struct Memory<S: Store> {
    store: S,
    budget: Arc<Budget>,
    resident: VecDeque<u32>,
    spilled: HashMap<u32, Slot>,
    reserved_overhead: usize,
    denied: Option<Denied>,
    pub(crate) heap: u64,
    pub(crate) heap_limit: u64,
}

impl<S: Store> Memory<S> {
    /// A memory of which nothing is accessible.
    pub fn new(budget: Arc<Budget>) -> Result<Self, HostFailure> {
        let mut memory = Memory {
            store: S::new()?,
            budget,
            resident: VecDeque::new(),
            spilled: HashMap::new(),
            reserved_overhead: 0,
            denied: None,
            heap: 0,
            heap_limit: 1 << 32,
        };
        memory.open()?;
        Ok(memory)
    }

    /// Forgets everything: no page is accessible or resident, the heap is empty.
    pub fn clear(&mut self) {
        for (index, frame) in self.resident.drain(..).enumerate() {
            match (index + 1) * S::frame_len() <= KEPT_BYTES {
                true => self.store.wipe(frame),
                false => self.store.release(frame),
            }
            self.budget.release(S::frame_len());
        }
        for (_, slot) in self.spilled.drain() {
            self.budget.free_slot(slot);
        }
        self.store.clear_states();
        self.budget.release_fixed(self.reserved_overhead);
        self.reserved_overhead = 0;
        self.heap = 0;
        self.heap_limit = 1 << 32;
    }

    /// Readies a cleared memory for use by counting what it occupies.
    pub fn open(&mut self) -> Result<(), HostFailure> {
        self.account_overhead()
    }

    pub(crate) fn view(&self) -> S::View {
        self.store.view()
    }

    /// Sets the access of `count` pages from `first`, as far as they exist; contents stay.
    pub fn set_access(
        &mut self,
        first: u32,
        count: u32,
        access: Access,
    ) -> Result<(), HostFailure> {
        let end = first.saturating_add(count).min(PAGES);
        for page in first.max(RESERVED_PAGES)..end {
            let state = self.store.state(page) & RESIDENT;
            self.store.set_state(page, state | access as u8);
        }
        self.account_overhead()
    }

    /// Fills `count` pages from `first` with zeroes, whatever their access.
    pub fn zero(&mut self, first: u32, count: u32) -> Result<(), HostFailure> {
        let end = first.saturating_add(count).min(PAGES);
        let shift = Self::frame_shift();
        let (low, high) = (first >> shift, end.div_ceil(1 << shift));
        let mut frames: Vec<u32> = self
            .resident
            .iter()
            .chain(self.spilled.keys())
            .copied()
            .collect();
        frames.retain(|frame| (low..high).contains(frame));
        for frame in frames {
            let base = frame << shift;
            let whole = first <= base && base + (1 << shift) <= end;
            if let Some(slot) = self.spilled.get(&frame).copied().filter(|_| whole) {
                self.spilled.remove(&frame);
                self.budget.free_slot(slot);
                continue;
            }
            self.make_resident(frame)?;
            let from = first.max(base) - base;
            let to = end.min(base + (1 << shift)) - base;
            self.store.frame(frame)[from as usize * PAGE_SIZE..to as usize * PAGE_SIZE].fill(0);
        }
        Ok(())
    }

    /// Whether every octet of `address .. address + len` can be read; an empty range can.
    pub fn is_readable(&self, address: u64, len: u64) -> bool {
        self.all_pages(address, len, Access::Read)
    }

    /// Whether every octet of `address .. address + len` can be written; an empty range can.
    pub fn is_writable(&self, address: u64, len: u64) -> bool {
        self.all_pages(address, len, Access::Write)
    }

    fn all_pages(&self, address: u64, len: u64, least: Access) -> bool {
        if len == 0 {
            return true;
        }
        match address.checked_add(len) {
            Some(end) if end <= 1 << 32 => (address >> PAGE_SHIFT..=(end - 1) >> PAGE_SHIFT)
                .all(|page| self.store.state(page as u32) & !RESIDENT >= least as u8),
            _ => false,
        }
    }

    /// Copies guest octets to `out` if all are readable.
    pub fn read(&mut self, address: u64, out: &mut [u8]) -> Result<bool, HostFailure> {
        if !self.is_readable(address, out.len() as u64) {
            return Ok(false);
        }
        let mut done = 0;
        while done < out.len() {
            let at = address as u32 + done as u32;
            let len = (S::frame_len() - at as usize % S::frame_len()).min(out.len() - done);
            if self.is_untouched(at) {
                // What was never written is zero; reading it should not make it resident.
                out[done..done + len].fill(0);
            } else {
                out[done..done + len].copy_from_slice(self.piece(at, len)?);
            }
            done += len;
        }
        Ok(true)
    }

    fn is_untouched(&self, address: u32) -> bool {
        let frame = (address >> PAGE_SHIFT) >> Self::frame_shift();
        self.store.state(address >> PAGE_SHIFT) & RESIDENT == 0
            && !self.spilled.contains_key(&frame)
    }

    /// Copies `data` to the guest if all of the range is writable; else nothing is written.
    pub fn write(&mut self, address: u64, data: &[u8]) -> Result<bool, HostFailure> {
        if !self.is_writable(address, data.len() as u64) {
            return Ok(false);
        }
        self.fill(address as u32, data)?;
        Ok(true)
    }

    /// Copies `data` to the guest whatever the access, as a loader does.
    /// False, and nothing written, if it does not fit below 2^32.
    pub fn initialize(&mut self, address: u64, data: &[u8]) -> Result<bool, HostFailure> {
        match address.checked_add(data.len() as u64) {
            Some(end) if end <= 1 << 32 => self.fill(address as u32, data).map(|()| true),
            _ => Ok(false),
        }
    }

    fn fill(&mut self, address: u32, data: &[u8]) -> Result<(), HostFailure> {
        let mut done = 0;
        while done < data.len() {
            let part = self.piece(address + done as u32, data.len() - done)?;
            let len = part.len();
            part.copy_from_slice(&data[done..done + len]);
            done += len;
        }
        Ok(())
    }

    /// The contents from `address` to the end of its frame, cut at `len`, made resident.
    fn piece(&mut self, address: u32, len: usize) -> Result<&mut [u8], HostFailure> {
        let frame = (address >> PAGE_SHIFT) >> Self::frame_shift();
        let offset = address as usize % S::frame_len();
        self.make_resident(frame)?;
        let end = S::frame_len().min(offset.saturating_add(len));
        Ok(&mut self.store.frame(frame)[offset..end])
    }

    /// An instruction's load of `len <= 8` octets, by the equation of section A.4; nothing where
    /// denied.
    #[cold]
    #[inline(never)]
    pub(crate) fn load_slow(&mut self, address: u32, len: u32) -> Option<u64> {
        let loaded = self.try_load(address, len);
        self.noting(loaded)
    }

    /// An instruction's store of the `len <= 8` low octets of `value`; false where denied.
    #[cold]
    #[inline(never)]
    pub(crate) fn store_slow(&mut self, address: u32, len: u32, value: u64) -> bool {
        let stored = self.try_store(address, len, value);
        self.noting(stored).is_some()
    }

    /// The `sbrk` instruction: grows the heap by `amount` octets and returns its former end, or
    /// zero, changing nothing, when the address space above has no room.
    #[cold]
    #[inline(never)]
    pub(crate) fn sbrk_slow(&mut self, amount: u64) -> Option<u64> {
        let grown = self.sbrk(amount).map_err(Denied::Host);
        self.noting(grown)
    }

    /// Why the last access of an instruction was denied.
    pub(crate) fn take_denied(&mut self) -> Option<Denied> {
        self.denied.take()
    }

    fn noting<T>(&mut self, result: Result<T, Denied>) -> Option<T> {
        result.map_err(|denied| self.denied = Some(denied)).ok()
    }

    fn try_load(&mut self, address: u32, len: u32) -> Result<u64, Denied> {
        self.demand(address, len, Access::Read)?;
        let mut octets = [0u8; 8];
        for (at, octet) in octets[..len as usize].iter_mut().enumerate() {
            let part = self
                .piece(address.wrapping_add(at as u32), 1)
                .map_err(Denied::Host)?;
            *octet = part[0];
        }
        Ok(u64::from_le_bytes(octets))
    }

    fn try_store(&mut self, address: u32, len: u32, value: u64) -> Result<(), Denied> {
        self.demand(address, len, Access::Write)?;
        let octets = &value.to_le_bytes()[..len as usize];
        // Both frames first: the host may fail only while nothing is written yet.
        self.piece(address.wrapping_add(len - 1), 1)
            .map_err(Denied::Host)?;
        self.piece(address, 1).map_err(Denied::Host)?;
        for (at, octet) in octets.iter().enumerate() {
            let part = self
                .piece(address.wrapping_add(at as u32), 1)
                .map_err(Denied::Host)?;
            part[0] = *octet;
        }
        Ok(())
    }

    /// Panics or faults at the first octet that lacks the access, in the order of the indices
    /// before they wrap at 2^32.
    fn demand(&self, address: u32, len: u32, least: Access) -> Result<(), Denied> {
        for at in [address, address.wrapping_add(len - 1)] {
            let page = at >> PAGE_SHIFT;
            if page < RESERVED_PAGES {
                return Err(Denied::Panic);
            }
            if self.store.state(page) & !RESIDENT < least as u8 {
                return Err(Denied::Fault(page << PAGE_SHIFT));
            }
        }
        Ok(())
    }

    fn sbrk(&mut self, amount: u64) -> Result<u64, HostFailure> {
        let old = self.heap;
        if amount == 0 {
            return Ok(old);
        }
        let page_up = |address: u64| address.div_ceil(PAGE_SIZE as u64);
        let new = match old.checked_add(amount) {
            Some(new) if page_up(new) << PAGE_SHIFT <= self.heap_limit => new,
            _ => return Ok(0),
        };
        let (first, end) = (page_up(old), page_up(new));
        self.set_access(first as u32, (end - first) as u32, Access::Write)?;
        self.heap = new;
        Ok(old)
    }

    fn frame_shift() -> u32 {
        (S::frame_len() / PAGE_SIZE).trailing_zeros()
    }

    fn mark(&mut self, frame: u32, resident: u8) {
        let shift = Self::frame_shift();
        for page in frame << shift..(frame + 1) << shift {
            let state = self.store.state(page) & !RESIDENT;
            self.store.set_state(page, state | resident);
        }
    }

    fn make_resident(&mut self, frame: u32) -> Result<(), HostFailure> {
        if self.store.state(frame << Self::frame_shift()) & RESIDENT != 0 {
            return Ok(());
        }
        self.reserve_frame()?;
        self.store.commit(frame);
        if let Some(slot) = self.spilled.get(&frame).copied() {
            if let Err(failure) = self.budget.restore(slot, self.store.frame(frame)) {
                self.store.release(frame);
                self.budget.release(S::frame_len());
                return Err(failure);
            }
            self.spilled.remove(&frame);
        }
        self.resident.push_back(frame);
        self.mark(frame, RESIDENT);
        self.account_overhead()
    }

    /// Counts one more frame, moving this memory's oldest out while the cap is reached.
    fn reserve_frame(&mut self) -> Result<(), HostFailure> {
        while !self.budget.try_reserve(S::frame_len()) {
            if !self.budget.can_spill() {
                return Err(self.budget.exhausted());
            }
            if self.resident.len() <= MIN_FRAMES {
                self.budget.reserve_over(S::frame_len());
                return Ok(());
            }
            self.evict_oldest()?;
        }
        Ok(())
    }

    fn evict_oldest(&mut self) -> Result<(), HostFailure> {
        let Some(frame) = self.resident.pop_front() else {
            return Ok(());
        };
        match self.budget.spill(self.store.frame(frame)) {
            Ok(slot) => self.spilled.insert(frame, slot),
            Err(failure) => {
                self.resident.push_front(frame);
                return Err(failure);
            }
        };
        self.mark(frame, 0);
        self.store.release(frame);
        self.budget.release(S::frame_len());
        Ok(())
    }

    /// Keeps what the store itself occupies on the account; it is small and cannot be spilled.
    fn account_overhead(&mut self) -> Result<(), HostFailure> {
        let now = self.store.overhead() + MIN_FRAMES * S::frame_len();
        if now > self.reserved_overhead {
            self.budget.reserve_fixed(now - self.reserved_overhead)?;
            self.reserved_overhead = now;
        }
        Ok(())
    }
}

impl<S: Store> Drop for Memory<S> {
    fn drop(&mut self) {
        self.clear();
    }
}
