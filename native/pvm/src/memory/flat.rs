//! The store of 64-bit hosts: 4 GiB of reserved address space and a flat table of page states.
//!
//! The reservation costs no memory; the host commits a page when it is first touched. Guest
//! protection rests on the table alone, because host pages may be larger than the guest's.

use std::ptr::{null_mut, NonNull};

use super::{Store, PAGES, PAGE_SHIFT, PAGE_SIZE, READABLE_NOW, WRITABLE_NOW};
use crate::budget::HostFailure;

const SPACE: usize = 1 << 32;
/// Page states that share a host page of the smallest size; touching one commits them all.
const CHUNK: u32 = 4096;
/// Up to so many chunks are overwritten when the states are cleared, not given back to the host.
const FEW_CHUNKS: usize = 8;
/// Host page tables and bookkeeping of a small program.
const BASE_OVERHEAD: usize = 32 * 1024;

/// An anonymous mapping, zero until touched and after `discard`.
struct Mapping {
    base: NonNull<u8>,
    len: usize,
}

// SAFETY: the mapping is owned memory; nothing about it is bound to a thread.
unsafe impl Send for Mapping {}

impl Mapping {
    fn new(len: usize) -> Result<Self, HostFailure> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: an anonymous mapping at an address of the host's choice touches nothing else.
        let base = unsafe {
            libc::mmap(
                null_mut(),
                len,
                libc::PROT_READ | libc::PROT_WRITE,
                flags,
                -1,
                0,
            )
        };
        if base == libc::MAP_FAILED {
            let error = std::io::Error::last_os_error();
            return Err(HostFailure(format!(
                "cannot reserve {len} bytes of address space: {error}"
            )));
        }
        // Huge pages would commit 2 MiB for one guest page. A host without them refuses: no matter.
        // SAFETY: the range is the mapping just made.
        unsafe { libc::madvise(base, len, libc::MADV_NOHUGEPAGE) };
        let base = NonNull::new(base.cast()).ok_or_else(|| HostFailure("mapped at zero".into()))?;
        Ok(Mapping { base, len })
    }

    fn discard(&mut self, offset: usize, len: usize) {
        assert!(offset + len <= self.len);
        // SAFETY: the range is inside the mapping, and `&mut self` says that nobody borrows it.
        unsafe {
            let start = self.base.as_ptr().add(offset);
            if libc::madvise(start.cast(), len, libc::MADV_DONTNEED) != 0 {
                start.write_bytes(0, len);
            }
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: made by `mmap` with this length, unmapped once.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.len) };
    }
}

/// Octets a host page, but no less than a guest page.
#[cfg(not(test))]
fn host_page() -> usize {
    static HOST_PAGE: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
    *HOST_PAGE.get_or_init(|| {
        // SAFETY: `sysconf` has no preconditions.
        let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        usize::try_from(size).unwrap_or(PAGE_SIZE).max(PAGE_SIZE)
    })
}

/// Reserved address space, one octet for each guest octet.
pub struct FlatStore {
    space: Mapping,
    states: Mapping,
    touched: [u64; (PAGES / CHUNK / 64) as usize],
}

/// Where octets and states begin.
#[derive(Clone, Copy)]
pub struct FlatView {
    space: *mut u8,
    states: *const u8,
}

// SAFETY: `read` and `write` look up the state of the page that holds the whole access; the table
// has one for each of the 2^20 pages of a 32-bit address, and the space an octet for each address.
unsafe impl Store for FlatStore {
    type View = FlatView;

    fn new() -> Result<Self, HostFailure> {
        let states = Mapping::new(PAGES as usize)?;
        Ok(FlatStore {
            space: Mapping::new(SPACE)?,
            states,
            touched: [0; 4],
        })
    }

    fn frame_len() -> usize {
        // Tests pretend the larger pages that some boards have.
        #[cfg(test)]
        return 4 * PAGE_SIZE;
        #[cfg(not(test))]
        host_page()
    }

    #[inline(always)]
    fn view(&self) -> FlatView {
        FlatView {
            space: self.space.base.as_ptr(),
            states: self.states.base.as_ptr(),
        }
    }

    #[inline(always)]
    unsafe fn read<const N: usize>(view: FlatView, address: u32) -> Option<[u8; N]> {
        // SAFETY: a page number of a 32-bit address is inside the table; N octets that start at
        // most N before a page's end are inside that page, hence inside the space.
        unsafe {
            let state = *view.states.add((address >> PAGE_SHIFT) as usize);
            let inside = N == 1 || address as usize % PAGE_SIZE <= PAGE_SIZE - N;
            if state < READABLE_NOW || !inside {
                return None;
            }
            Some(view.space.add(address as usize).cast::<[u8; N]>().read())
        }
    }

    #[inline(always)]
    unsafe fn write<const N: usize>(view: FlatView, address: u32, octets: [u8; N]) -> bool {
        // SAFETY: as in `read`.
        unsafe {
            let state = *view.states.add((address >> PAGE_SHIFT) as usize);
            let inside = N == 1 || address as usize % PAGE_SIZE <= PAGE_SIZE - N;
            if state < WRITABLE_NOW || !inside {
                return false;
            }
            view.space
                .add(address as usize)
                .cast::<[u8; N]>()
                .write(octets);
            true
        }
    }

    fn state(&self, page: u32) -> u8 {
        assert!(page < PAGES);
        // SAFETY: the table has `PAGES` octets.
        unsafe { *self.states.base.as_ptr().add(page as usize) }
    }

    fn set_state(&mut self, page: u32, state: u8) {
        assert!(page < PAGES);
        let chunk = page / CHUNK;
        self.touched[(chunk / 64) as usize] |= 1 << (chunk % 64);
        // SAFETY: the table has `PAGES` octets, and `&mut self` excludes other users.
        unsafe { *self.states.base.as_ptr().add(page as usize) = state };
    }

    fn commit(&mut self, _frame: u32) {}

    fn frame(&mut self, frame: u32) -> &mut [u8] {
        let offset = frame as usize * Self::frame_len();
        assert!(offset < SPACE);
        // SAFETY: frames divide the space; `&mut self` excludes other users.
        unsafe {
            std::slice::from_raw_parts_mut(self.space.base.as_ptr().add(offset), Self::frame_len())
        }
    }

    fn release(&mut self, frame: u32) {
        self.space
            .discard(frame as usize * Self::frame_len(), Self::frame_len());
    }

    fn wipe(&mut self, frame: u32) {
        self.frame(frame).fill(0);
    }

    fn clear_states(&mut self) {
        let chunks = (0..PAGES / CHUNK).filter(|chunk| {
            let word = self.touched[(chunk / 64) as usize];
            word & 1 << (chunk % 64) != 0
        });
        if chunks.clone().count() > FEW_CHUNKS {
            self.states.discard(0, PAGES as usize);
        } else {
            for chunk in chunks {
                // SAFETY: the table has `PAGES` octets, chunks divide it, and `&mut self` excludes other
                // users.
                unsafe {
                    let start = self.states.base.as_ptr().add((chunk * CHUNK) as usize);
                    start.write_bytes(0, CHUNK as usize);
                }
            }
        }
        self.touched = [0; 4];
    }

    fn overhead(&self) -> usize {
        let chunks: u32 = self.touched.iter().map(|word| word.count_ones()).sum();
        BASE_OVERHEAD + chunks as usize * CHUNK as usize
    }
}
