//! The cost of entering and leaving an emulated enclave: `cargo bench -p sgx-platform`.

#[path = "../tests/tiny_enclave/mod.rs"]
mod tiny_enclave;

use std::time::Instant;

use enclave_layout::EntryReason;
use enclave_layout::{Acceptance, PageRange};
use sgx_arch::SecInfo;
use sgx_platform::emulator::EncluSites;
use sgx_platform::{AsyncExit, Enclave, Exit, Thread};
use tiny_enclave::*;

fn main() {
    crossing();
    trap();
    accepted_page();
}

/// The best of many batches, in ns for each of `rounds`: the machine may have other work.
fn best(rounds: u32, mut batch: impl FnMut()) -> f64 {
    let times = (0..100).map(|_| {
        let start = Instant::now();
        batch();
        start.elapsed().as_nanos()
    });
    times.min().unwrap_or_default() as f64 / f64::from(rounds)
}

fn crossing() {
    const ROUNDS: u32 = 100_000;
    let _alone = alone();
    let enclave = enclave(1, EncluSites::Patched);
    let mut thread = thread(&enclave, 0);
    let routine = tiny_cssa::address();
    let time = best(ROUNDS, || {
        for _ in 0..ROUNDS {
            assert_eq!(thread.enter(routine, EntryReason::Normal), Exit::Left(0));
        }
    });
    println!("enter and exit: {time:.1} ns");
}

fn trap() {
    const ROUNDS: u32 = 1000;
    let _alone = alone();
    let enclave = enclave(1, EncluSites::Patched);
    let mut thread = thread(&enclave, 0);
    for (name, routine) in [
        ("ud2", tiny_undefined::address()),
        ("syscall", tiny_getpid::address()),
    ] {
        assert_eq!(enter(&mut thread, routine), Exit::Async(AsyncExit::Exception(6)));
        let time = best(ROUNDS, || {
            for _ in 0..ROUNDS {
                assert_eq!(
                    thread.enter(tiny_resume::address(), EntryReason::Exception),
                    Exit::Left(2)
                );
                assert_eq!(thread.resume(), Exit::Async(AsyncExit::Exception(6)));
            }
        });
        println!("{name} to handler and back: {time:.0} ns");
        assert_eq!(handle(&mut thread, 0, |state| state.rip + 2), Exit::Left(DONE));
    }
}

fn accepted_page() {
    const PAGES: u64 = 1 << 20;
    const INFO: u64 = DATA + 1024;
    const REGULAR: u64 = 0x200;
    let _alone = alone();
    let enclave = enclave(1, EncluSites::Patched);
    let mut thread = thread(&enclave, 0);
    set_word(INFO, REGULAR | SecInfo::R | SecInfo::W | SecInfo::PENDING);
    for (at, value) in [(8, INFO), (16, DYNAMIC), (24, PAGES)] {
        set_word(DATA + at, value);
    }
    let per_page = |start: Instant| start.elapsed().as_nanos() as f64 / PAGES as f64;
    let start = Instant::now();
    let range = PageRange::new(DYNAMIC, PAGES * 4096).expect("a range of pages");
    enclave.commit(range, Acceptance::Zeros).expect("there is memory");
    println!("commit: {:.2} ns per page", per_page(start));
    let start = Instant::now();
    assert_eq!(enter(&mut thread, tiny_accept_many::address()), Exit::Left(DONE));
    println!("EACCEPT: {:.2} ns per page", per_page(start));
}
