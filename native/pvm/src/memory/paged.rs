//! The store of hosts without room for 4 GiB of address space: a table of tables of pages.

use super::{Store, PAGES, PAGE_SHIFT, PAGE_SIZE, READABLE_NOW, WRITABLE_NOW};
use crate::budget::HostFailure;

const LEAF: usize = 1024;

type Page = [u8; PAGE_SIZE];

struct Leaf {
    states: [u8; LEAF],
    pages: [*mut Page; LEAF],
}

/// What directory entries without pages of their own point to; never written.
static EMPTY: Empty = Empty(Leaf {
    states: [0; LEAF],
    pages: [std::ptr::null_mut(); LEAF],
});

struct Empty(Leaf);
// SAFETY: immutable for ever, its pointers are null.
unsafe impl Sync for Empty {}

/// Two levels of 1024 entries.
pub struct PagedStore {
    directory: Box<[*mut Leaf; LEAF]>,
    leaves: usize,
}

// SAFETY: leaves and pages are owned through the directory alone.
unsafe impl Send for PagedStore {}

/// Where the directory begins.
#[derive(Clone, Copy)]
pub struct PagedView(*const *mut Leaf);

fn empty() -> *mut Leaf {
    (&raw const EMPTY.0).cast_mut()
}

fn split(page: u32) -> (usize, usize) {
    assert!(page < PAGES);
    (page as usize / LEAF, page as usize % LEAF)
}

impl PagedStore {
    fn leaf_mut(&mut self, index: usize) -> &mut Leaf {
        if std::ptr::eq(self.directory[index], empty()) {
            let fresh = Leaf {
                states: [0; LEAF],
                pages: [std::ptr::null_mut(); LEAF],
            };
            self.directory[index] = Box::into_raw(Box::new(fresh));
            self.leaves += 1;
        }
        // SAFETY: not the shared empty leaf, so a leaf that this directory alone owns.
        unsafe { &mut *self.directory[index] }
    }
}

impl PagedView {
    /// State and contents of the page of `address`.
    ///
    /// # Safety
    /// The store must be alive.
    #[inline(always)]
    unsafe fn lookup(self, address: u32) -> (u8, *mut Page) {
        // SAFETY: the upper ten bits index the directory, whose entries always point to leaves;
        // the middle ten index the leaf.
        unsafe {
            let leaf = *self.0.add((address >> 22) as usize);
            let page = (address >> PAGE_SHIFT) as usize % LEAF;
            ((*leaf).states[page], (*leaf).pages[page])
        }
    }
}

// SAFETY: a state that allows access carries the resident flag, which is set only between `commit`
// and `release`, while the page pointer owns a page; accesses that leave the page are refused.
unsafe impl Store for PagedStore {
    type View = PagedView;

    fn new() -> Result<Self, HostFailure> {
        Ok(PagedStore {
            directory: Box::new([empty(); LEAF]),
            leaves: 0,
        })
    }

    fn frame_len() -> usize {
        PAGE_SIZE
    }

    #[inline(always)]
    fn view(&self) -> PagedView {
        PagedView(self.directory.as_ptr())
    }

    #[inline(always)]
    unsafe fn read<const N: usize>(view: PagedView, address: u32) -> Option<[u8; N]> {
        // SAFETY: the page pointer is only followed when the state says it is resident, and N
        // octets that start at most N before its end are inside it.
        unsafe {
            let (state, page) = view.lookup(address);
            let offset = address as usize % PAGE_SIZE;
            if state < READABLE_NOW || (N > 1 && offset > PAGE_SIZE - N) {
                return None;
            }
            Some(page.cast::<u8>().add(offset).cast::<[u8; N]>().read())
        }
    }

    #[inline(always)]
    unsafe fn write<const N: usize>(view: PagedView, address: u32, octets: [u8; N]) -> bool {
        // SAFETY: as in `read`.
        unsafe {
            let (state, page) = view.lookup(address);
            let offset = address as usize % PAGE_SIZE;
            if state < WRITABLE_NOW || (N > 1 && offset > PAGE_SIZE - N) {
                return false;
            }
            page.cast::<u8>()
                .add(offset)
                .cast::<[u8; N]>()
                .write(octets);
            true
        }
    }

    fn state(&self, page: u32) -> u8 {
        let (leaf, page) = split(page);
        // SAFETY: directory entries always point to leaves.
        unsafe { (*self.directory[leaf]).states[page] }
    }

    fn set_state(&mut self, page: u32, state: u8) {
        let (leaf, page) = split(page);
        self.leaf_mut(leaf).states[page] = state;
    }

    fn commit(&mut self, frame: u32) {
        let (leaf, page) = split(frame);
        let slot = &mut self.leaf_mut(leaf).pages[page];
        assert!(slot.is_null());
        *slot = Box::into_raw(Box::new([0; PAGE_SIZE]));
    }

    fn frame(&mut self, frame: u32) -> &mut [u8] {
        let (leaf, page) = split(frame);
        let page = self.leaf_mut(leaf).pages[page];
        assert!(!page.is_null());
        // SAFETY: a page that `commit` made and this store alone owns.
        unsafe { &mut *page }
    }

    fn release(&mut self, frame: u32) {
        let (leaf, page) = split(frame);
        let slot = &mut self.leaf_mut(leaf).pages[page];
        if !slot.is_null() {
            // SAFETY: made by `Box::into_raw` in `commit`; the slot forgets it.
            drop(unsafe { Box::from_raw(std::mem::replace(slot, std::ptr::null_mut())) });
        }
    }

    fn clear_states(&mut self) {
        if self.leaves == 0 {
            return;
        }
        for entry in self.directory.iter_mut() {
            if !std::ptr::eq(*entry, empty()) {
                // SAFETY: made by `Box::into_raw` in `leaf_mut`; the entry forgets it. Its pages
                // have been released.
                drop(unsafe { Box::from_raw(std::mem::replace(entry, empty())) });
            }
        }
        self.leaves = 0;
    }

    fn overhead(&self) -> usize {
        std::mem::size_of_val(&*self.directory) + self.leaves * std::mem::size_of::<Leaf>()
    }
}

impl Drop for PagedStore {
    fn drop(&mut self) {
        self.clear_states();
    }
}
