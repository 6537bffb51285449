//! The LibOS's own memory: dlmalloc over pages that are committed as the heap grows.

use core::alloc::{GlobalAlloc, Layout};
use core::sync::atomic::{AtomicU64, Ordering};

use dlmalloc::Dlmalloc;
use enclave_layout::{HEAP_END, HEAP_START, PAGE_SIZE};
use host_abi::PageRange;

use crate::memory;
use crate::sync::SpinLock;

/// The heap grows by at least this much, so that small growth costs few host calls.
const GROWTH: u64 = 512 * 1024;

/// Where the heap's pages come from.
struct Pages;

static TOP: AtomicU64 = AtomicU64::new(HEAP_START);

/// Bytes that the heap has committed.
pub fn committed() -> u64 {
    TOP.load(Ordering::Relaxed) - HEAP_START
}

// SAFETY: `alloc` gives committed pages that nobody else has; nothing is given back.
unsafe impl dlmalloc::Allocator for Pages {
    fn alloc(&self, size: usize) -> (*mut u8, usize, u32) {
        let none = (core::ptr::null_mut(), 0, 0);
        let size = (size as u64).next_multiple_of(PAGE_SIZE).max(GROWTH);
        let start = TOP.load(Ordering::Relaxed);
        let Some(end) = start.checked_add(size).filter(|&end| end <= HEAP_END) else {
            return none;
        };
        let range = PageRange::new(start, size).expect("whole pages");
        if memory::commit(range).is_err() {
            return none;
        }
        // Only one thread at a time is here: the heap's lock is held.
        TOP.store(end, Ordering::Relaxed);
        (start as *mut u8, size as usize, 0)
    }

    fn remap(&self, _: *mut u8, _: usize, _: usize, _: bool) -> *mut u8 {
        core::ptr::null_mut()
    }

    fn free_part(&self, _: *mut u8, _: usize, _: usize) -> bool {
        false
    }

    fn free(&self, _: *mut u8, _: usize) -> bool {
        false
    }

    fn can_release_part(&self, _: u32) -> bool {
        false
    }

    fn allocates_zeros(&self) -> bool {
        true
    }

    fn page_size(&self) -> usize {
        PAGE_SIZE as usize
    }
}

/// The global allocator of the enclave.
///
/// Lock order: innermost. Growth makes a host call under the lock; it is rare, and nobody can go on without
/// memory anyway.
pub struct Heap(SpinLock<Dlmalloc<Pages>>);

impl Heap {
    /// An empty heap.
    pub const fn new() -> Self {
        Self(SpinLock::new(Dlmalloc::new_with_allocator(Pages)))
    }
}

impl Default for Heap {
    fn default() -> Self {
        Self::new()
    }
}

// SAFETY: dlmalloc is a correct allocator, and the lock makes each operation exclusive.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise: a layout that is not empty.
        unsafe { self.0.lock().malloc(layout.size(), layout.align()) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise: allocated here with this layout.
        unsafe { self.0.lock().free(pointer, layout.size(), layout.align()) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as in `alloc`.
        unsafe { self.0.lock().calloc(layout.size(), layout.align()) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as in `dealloc`.
        unsafe {
            self.0
                .lock()
                .realloc(pointer, layout.size(), layout.align(), size)
        }
    }
}
