//! A host that steps through an enclave. The setting is one of the process, so these tests have a process of their own.

mod tiny_enclave;

use sgx_platform::emulator::{EmulatedThread, EncluSites, hostile};
use sgx_platform::{AsyncExit, Exit};
use tiny_enclave::*;

/// Goes on until the thread is not interrupted; gives how it stopped then, and adds how often it was.
fn settled(thread: &mut EmulatedThread, mut exit: Exit, interrupts: &mut u32) -> Exit {
    while exit == Exit::Async(AsyncExit::Interrupt) {
        *interrupts += 1;
        exit = handle(thread, 0, |state| state.rip);
    }
    exit
}

#[test]
fn cpuid_is_undefined_and_interrupts_come_anywhere() {
    let _alone = alone();
    hostile::step_through(1_000_000);
    let enclave = enclave(1, EncluSites::Patched);
    let mut thread = thread(&enclave, 0);
    let mut interrupts = 0;
    for _ in 0..1000 {
        let exit = enter(&mut thread, tiny_cpuid::address());
        let exit = settled(&mut thread, exit, &mut interrupts);
        assert_eq!(exit, Exit::Async(AsyncExit::Exception(6)));
        let exit = handle(&mut thread, 0, |state| state.rip + 2);
        assert_eq!(settled(&mut thread, exit, &mut interrupts), Exit::Left(DONE));
    }
    // Some 20 instructions each time, and one interrupt in 61.
    assert!((100..2000).contains(&interrupts), "{interrupts}");
}
