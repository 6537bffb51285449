//! Instructions that need a wrapper. CPUID is not among them: it is illegal in an enclave.

use core::arch::asm;

/// Base of `GS`: the calling thread's area.
pub fn gs_base() -> u64 {
    let base: u64;
    // SAFETY: reads a register.
    unsafe { asm!("rdgsbase {}", out(reg) base, options(nomem, nostack, preserves_flags)) };
    base
}

/// Base of `FS`: the program's thread pointer.
pub fn fs_base() -> u64 {
    let base: u64;
    // SAFETY: reads a register.
    unsafe { asm!("rdfsbase {}", out(reg) base, options(nomem, nostack, preserves_flags)) };
    base
}

/// Sets the program's thread pointer. The LibOS itself never uses `FS`.
pub fn set_fs_base(base: u64) {
    // SAFETY: no LibOS code addresses memory through FS.
    unsafe { asm!("wrfsbase {}", in(reg) base, options(nomem, nostack, preserves_flags)) };
}

/// The time-stamp counter, read after all earlier instructions have completed.
pub fn timestamp() -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: RDTSC is legal in an enclave on processors with SGX2.
    unsafe {
        asm!("lfence", "rdtsc", out("eax") low, out("edx") high, options(nomem, nostack, preserves_flags));
    }
    u64::from(high) << 32 | u64::from(low)
}

fn xgetbv(index: u32) -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: XGETBV is legal in an enclave; index 1 exists on every processor with XSAVEC.
    unsafe {
        asm!("xgetbv", in("ecx") index, out("eax") low, out("edx") high,
            options(nomem, nostack, preserves_flags));
    }
    u64::from(high) << 32 | u64::from(low)
}

/// The state components that an enclave may have: x87, SSE, AVX and AVX-512. Their image fits into one SSA frame, and nothing
/// else is part of a program's state: no protection keys, which are the host's own, and no AMX.
pub const COMPONENTS: u64 = 0b1110_0111;

/// The state components that the enclave has. On silicon XCR0 is XFRM inside; in the emulator it is the host's, which may have more.
pub fn components() -> u64 {
    xgetbv(0) & COMPONENTS
}

/// The state components that are not in their initial state.
pub fn xinuse() -> u64 {
    xgetbv(1) & COMPONENTS
}

/// Bytes that hold an XSAVE image in standard form with the enclave's components. On a processor without MPX it may be
/// shorter; CPUID, which would tell, is the host's word.
pub fn xsave_size() -> usize {
    // SDM vol. 1, 13.4.3.
    match components() {
        components if components & 0xe0 != 0 => 2688,
        components if components & 0x4 != 0 => 832,
        _ => 576,
    }
}

/// Fills `out` with random bytes of the processor (RDRAND).
///
/// # Panics
/// When the processor's generator has failed: nothing may go on with predictable numbers.
pub fn random(out: &mut [u8]) {
    for chunk in out.chunks_mut(8) {
        let word = random_word().to_le_bytes();
        chunk.copy_from_slice(&word[..chunk.len()]);
    }
}

/// A random word of the processor.
///
/// # Panics
/// As [`random`] does.
pub fn random_word() -> u64 {
    // Ten tries are what Intel's guide on the generator asks for; some more cost nothing.
    for _ in 0..64 {
        let (word, done): (u64, u8);
        // SAFETY: RDRAND is legal in an enclave.
        unsafe { asm!("rdrand {}", "setc {}", out(reg) word, out(reg_byte) done, options(nomem, nostack)) };
        if done == 1 {
            return word;
        }
        core::hint::spin_loop();
    }
    panic!("the processor's random-number generator has failed")
}
