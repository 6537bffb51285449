//! Exceptions: what the enclave is told, and that it goes on as if nothing had happened.

mod tiny_enclave;

use enclave_layout::{EntryReason, IMAGE_BASE, Slot};
use sgx_arch::{ExitInfo, ExitKind};
use sgx_platform::emulator::EncluSites;
use sgx_platform::{AsyncExit, Exit, Thread};
use tiny_enclave::*;

/// Enters `routine`, expects the exception, and goes on `length` bytes behind it.
fn raises(routine: u64, vector: u8, length: u64) -> sgx_arch::GprSgx {
    let enclave = enclave(1, EncluSites::Patched);
    let mut thread = thread(&enclave, 0);
    assert_eq!(
        enter(&mut thread, routine),
        Exit::Async(AsyncExit::Exception(vector))
    );
    let state = ssa(0);
    let kind = if vector == 3 {
        ExitKind::Software
    } else {
        ExitKind::Hardware
    };
    assert_eq!(
        ExitInfo::from_raw(state.exit_info),
        Ok(Some(ExitInfo { vector, kind }))
    );
    assert!(
        (IMAGE_BASE..IMAGE_BASE + 0x2000).contains(&state.rip),
        "{:#x}",
        state.rip
    );
    assert_eq!(
        handle(&mut thread, 0, |state| state.rip + length),
        Exit::Left(DONE)
    );
    state
}

#[test]
fn each_exception_has_its_vector() {
    let _alone = alone();
    raises(tiny_divide::address(), 0, 2);
    raises(tiny_breakpoint::address(), 3, 1);
    raises(tiny_undefined::address(), 6, 2);
}

#[test]
fn floating_point_exceptions_have_theirs() {
    let _alone = alone();
    for (routine, vector, length) in [(tiny_simd::address(), 19, 4), (tiny_x87::address(), 16, 1)] {
        let enclave = enclave(1, EncluSites::Patched);
        let mut thread = thread(&enclave, 0);
        assert_eq!(
            enter(&mut thread, routine),
            Exit::Async(AsyncExit::Exception(vector))
        );
        // The unmasked exception is part of the state that is resumed; behind the instruction nothing waits for it.
        assert_eq!(
            handle(&mut thread, 0, |state| state.rip + length),
            Exit::Left(DONE)
        );
    }
}

#[test]
fn unaligned_accesses_fault_if_the_enclave_wants_so() {
    let _alone = alone();
    let enclave = enclave(1, EncluSites::Patched);
    let mut thread = thread(&enclave, 0);
    assert_eq!(
        enter(&mut thread, tiny_alignment::address()),
        Exit::Async(AsyncExit::Exception(17))
    );
    let mut state = ssa(0);
    state.rip += 4;
    state.rflags &= !0x40000;
    set_ssa(0, state);
    assert_eq!(thread.resume(), Exit::Left(DONE));
}

#[test]
fn page_faults_come_with_address_and_error_code() {
    let _alone = alone();
    let (present, write, user, fetch) = (1, 2, 4, 16);
    let text = IMAGE_BASE;
    let tcs = Slot::new(0).unwrap().tcs();
    for (routine, address, expected) in [
        (tiny_load::address(), 0, user),
        (tiny_load::address(), DYNAMIC + 5, user),
        (tiny_load::address(), tcs, user),
        (tiny_store::address(), DYNAMIC, user | write),
        (tiny_store::address(), text, user | write | present),
        (tiny_store::address(), READ_ONLY, user | write | present),
        (tiny_jump::address(), 0x1234, user | fetch),
        (tiny_jump::address(), READ_ONLY, user | fetch | present),
        (tiny_jump::address(), DATA, user | fetch | present),
        (tiny_jump::address(), 0x7000_0000_0000, user | fetch),
    ] {
        let enclave = enclave(1, EncluSites::Patched);
        if address == DATA || address == READ_ONLY {
            // Bring the page in, so that the fault is one of permissions.
            let _ = word(address);
        }
        let mut thread = thread(&enclave, 0);
        // The routines use RDX, which the host's calling convention leaves as the reason: set it by a resume.
        assert_eq!(
            enter(&mut thread, tiny_undefined::address()),
            Exit::Async(AsyncExit::Exception(6))
        );
        let mut state = ssa(0);
        (state.rip, state.rdx, state.rcx) = (routine, address, state.r15);
        set_ssa(0, state);
        assert_eq!(
            thread.resume(),
            Exit::Async(AsyncExit::Exception(14)),
            "{routine:#x} {address:#x}"
        );
        let (maddr, errcd) = exinfo(0);
        assert_eq!(maddr, address);
        assert_eq!(errcd & !present, expected & !present, "{address:#x}");
        // Whether a page that was never touched is "present" is the host kernel's affair.
        if expected & present != 0 {
            assert_eq!(errcd, expected, "{address:#x}");
        }
        if routine == tiny_jump::address() {
            assert_eq!(ssa(0).rip, address);
        }
    }
}

#[test]
fn addresses_that_are_none_raise_general_protection() {
    let _alone = alone();
    let enclave = enclave(1, EncluSites::Patched);
    let mut thread = thread(&enclave, 0);
    assert_eq!(
        enter(&mut thread, tiny_undefined::address()),
        Exit::Async(AsyncExit::Exception(6))
    );
    let mut state = ssa(0);
    (state.rip, state.rdx, state.rcx) = (tiny_load::address(), 1 << 62, state.r15);
    set_ssa(0, state);
    assert_eq!(thread.resume(), Exit::Async(AsyncExit::Exception(13)));
    assert_eq!(handle(&mut thread, 0, |state| state.rip + 3), Exit::Left(DONE));
}

#[test]
fn every_register_survives() {
    let _alone = alone();
    let enclave = enclave(1, EncluSites::Patched);
    let mut thread = thread(&enclave, 0);
    let pattern = [0x0123_4567_89ab_cdef, 2, 3, 4, 0xfedc_ba98_7654_3210, 6, 7, 8];
    for (at, value) in pattern.into_iter().enumerate() {
        set_word(DATA + at as u64 * 8, value);
    }
    assert_eq!(
        enter(&mut thread, tiny_registers::address()),
        Exit::Async(AsyncExit::Exception(6))
    );
    assert_eq!(handle(&mut thread, 0, |state| state.rip + 2), Exit::Left(DONE));
    let found = |offset: u64, count: u64| {
        (0..count)
            .map(|at| word(DATA + offset + at * 8))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        found(512, 12),
        [0xa, 0xc, 0xd, 0xb, 0x51, 0xd1, 8, 9, 0x10, 0x11, 0x12, 0x13]
    );
    assert_eq!(word(DATA + 608) & 0x401, 0x401, "direction and carry flags");
    assert_eq!(found(640, 8), pattern);
    assert_eq!(found(704, 4), pattern[..4]);
    assert_eq!(word(DATA + 736), 1, "x87 stack");
    let gs = Slot::new(0).unwrap().gs();
    assert_eq!(found(744, 2), [gs, gs]);
}

#[test]
fn no_system_call_reaches_the_kernel() {
    let _alone = alone();
    for routine in [tiny_getpid::address(), tiny_int80::address()] {
        let state = raises(routine, 6, 2);
        assert_eq!(
            state.rax,
            if routine == tiny_getpid::address() { 39 } else { 20 },
            "nothing was called"
        );
    }
}

#[test]
fn frames_run_out_and_come_back() {
    let _alone = alone();
    let enclave = enclave(1, EncluSites::Patched);
    let mut thread = thread(&enclave, 0);
    assert_eq!(thread.resume(), Exit::Refused);
    let undefined = tiny_undefined::address();
    assert_eq!(
        enter(&mut thread, undefined),
        Exit::Async(AsyncExit::Exception(6))
    );
    assert_eq!(
        thread.enter(undefined, EntryReason::Exception),
        Exit::Async(AsyncExit::Exception(6))
    );
    assert_eq!(thread.enter(undefined, EntryReason::Exception), Exit::Refused);
    let inner = thread.debugged().expect("a debug enclave").registers;
    assert_eq!(inner.rip, ssa(0).rip);
}
