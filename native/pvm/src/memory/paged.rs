//! The store of hosts without room for 4 GiB of address space: a table of tables of pages.

use super::{Store, PAGES, PAGE_SHIFT, PAGE_SIZE, READABLE_NOW, WRITABLE_NOW};
use crate::budget::HostFailure;

const LEAF: usize = 1024;

type Page = [u8; PAGE_SIZE];
type Pages = [*mut Page; LEAF];

/// States of 1024 pages, and where their contents are once one of them has any.
struct Leaf {
    states: [u8; LEAF],
    pages: *mut Pages,
}

/// What entries without a table of their own point to; never written.
struct Empty {
    leaf: Leaf,
    pages: Pages,
}

// SAFETY: immutable for ever; its pointers are null or lead to itself.
unsafe impl Sync for Empty {}

static EMPTY: Empty = Empty {
    leaf: Leaf {
        states: [0; LEAF],
        pages: (&raw const EMPTY.pages).cast_mut(),
    },
    pages: [std::ptr::null_mut(); LEAF],
};

/// Two levels of 1024 entries.
pub struct PagedStore {
    directory: Box<[*mut Leaf; LEAF]>,
    overhead: usize,
}

// SAFETY: leaves and pages are owned through the directory alone.
unsafe impl Send for PagedStore {}

/// Where the directory begins.
#[derive(Clone, Copy)]
pub struct PagedView(*const *mut Leaf);

fn empty_leaf() -> *mut Leaf {
    (&raw const EMPTY.leaf).cast_mut()
}

fn empty_pages() -> *mut Pages {
    (&raw const EMPTY.pages).cast_mut()
}

fn split(page: u32) -> (usize, usize) {
    assert!(page < PAGES);
    (page as usize / LEAF, page as usize % LEAF)
}

impl PagedStore {
    fn leaf_mut(&mut self, index: usize) -> &mut Leaf {
        if std::ptr::eq(self.directory[index], empty_leaf()) {
            self.directory[index] = Box::into_raw(Box::new(Leaf {
                states: [0; LEAF],
                pages: empty_pages(),
            }));
            self.overhead += std::mem::size_of::<Leaf>();
        }
        // SAFETY: not the shared empty leaf, so a leaf that this directory alone owns.
        unsafe { &mut *self.directory[index] }
    }

    fn slot_mut(&mut self, page: u32) -> &mut *mut Page {
        let (index, page) = split(page);
        if std::ptr::eq(self.leaf_mut(index).pages, empty_pages()) {
            self.leaf_mut(index).pages = Box::into_raw(Box::new([std::ptr::null_mut(); LEAF]));
            self.overhead += std::mem::size_of::<Pages>();
        }
        // SAFETY: no longer the shared table, so one that this leaf alone owns.
        unsafe { &mut (*self.leaf_mut(index).pages)[page] }
    }
}

impl PagedView {
    /// The state of the page of `address`, and a pointer to it that is good if it is resident.
    ///
    /// # Safety
    /// The store must be alive.
    #[inline(always)]
    unsafe fn lookup(self, address: u32) -> (u8, *const *mut Page) {
        // SAFETY: the upper ten bits index the directory, whose entries always point to leaves;
        // the middle ten index both tables of a leaf.
        unsafe {
            let leaf = *self.0.add((address >> 22) as usize);
            let page = (address >> PAGE_SHIFT) as usize % LEAF;
            let slot = (*leaf).pages.cast::<*mut Page>().add(page);
            ((*leaf).states[page], slot.cast_const())
        }
    }
}

// SAFETY: a state that allows access carries the resident flag, which is set only between `commit`
// and `release`, while the page pointer owns a page; accesses that leave the page are refused.
unsafe impl Store for PagedStore {
    type View = PagedView;

    fn new() -> Result<Self, HostFailure> {
        Ok(PagedStore {
            directory: Box::new([empty_leaf(); LEAF]),
            overhead: 0,
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
            let (state, slot) = view.lookup(address);
            let offset = address as usize % PAGE_SIZE;
            if state < READABLE_NOW || (N > 1 && offset > PAGE_SIZE - N) {
                return None;
            }
            Some((*slot).cast::<u8>().add(offset).cast::<[u8; N]>().read())
        }
    }

    #[inline(always)]
    unsafe fn write<const N: usize>(view: PagedView, address: u32, octets: [u8; N]) -> bool {
        // SAFETY: as in `read`.
        unsafe {
            let (state, slot) = view.lookup(address);
            let offset = address as usize % PAGE_SIZE;
            if state < WRITABLE_NOW || (N > 1 && offset > PAGE_SIZE - N) {
                return false;
            }
            (*slot)
                .cast::<u8>()
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
        let slot = self.slot_mut(frame);
        assert!(slot.is_null());
        *slot = Box::into_raw(Box::new([0; PAGE_SIZE]));
    }

    fn frame(&mut self, frame: u32) -> &mut [u8] {
        let page = *self.slot_mut(frame);
        assert!(!page.is_null());
        // SAFETY: a page that `commit` made and this store alone owns.
        unsafe { &mut *page }
    }

    fn release(&mut self, frame: u32) {
        let slot = self.slot_mut(frame);
        if !slot.is_null() {
            // SAFETY: made by `Box::into_raw` in `commit`; the slot forgets it.
            drop(unsafe { Box::from_raw(std::mem::replace(slot, std::ptr::null_mut())) });
        }
    }

    fn clear_states(&mut self) {
        if self.overhead == 0 {
            return;
        }
        for entry in self.directory.iter_mut() {
            if std::ptr::eq(*entry, empty_leaf()) {
                continue;
            }
            // SAFETY: made by `Box::into_raw` in `leaf_mut`; the entry forgets it.
            let leaf = unsafe { Box::from_raw(std::mem::replace(entry, empty_leaf())) };
            if !std::ptr::eq(leaf.pages, empty_pages()) {
                // SAFETY: made by `Box::into_raw` in `slot_mut`; its pages have been released.
                drop(unsafe { Box::from_raw(leaf.pages) });
            }
        }
        self.overhead = 0;
    }

    fn overhead(&self) -> usize {
        std::mem::size_of_val(&*self.directory) + self.overhead
    }
}

impl Drop for PagedStore {
    fn drop(&mut self) {
        self.clear_states();
    }
}
