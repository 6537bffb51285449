//! Requirements: the processor and kernel features that the emulator needs.

use std::arch::is_x86_feature_detected as has;

/// What a machine lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// An instruction set that the enclave is compiled for.
    #[error("this processor has no {0}, which the enclave's code needs")]
    Instructions(&'static str),
    /// The kernel does not let programs set FS and GS.
    #[error(
        "this kernel does not allow FSGSBASE instructions (Linux 5.9 or later does, unless booted with nofsgsbase)"
    )]
    FsGsBase,
    /// System calls from the enclave would reach the kernel.
    #[error(
        "this kernel has no Syscall User Dispatch (Linux 5.11 or later; gVisor and seccomp profiles may hide it), so the system calls of a program could escape from the emulated enclave"
    )]
    SyscallUserDispatch,
    /// There is the feature, and an administrator forbids it.
    #[error(
        "this system forbids Syscall User Dispatch; allow it with: sysctl kernel.syscall_user_dispatch=1"
    )]
    SyscallUserDispatchForbidden,
    /// There is no SGX.
    #[error(
        "this machine has no /dev/sgx_enclave: SGX is missing, switched off in the firmware, or not passed into this container (--device /dev/sgx_enclave)"
    )]
    SgxDevice,
    /// There is SGX, and Nacre does not use it yet.
    #[error("Nacre does not support the SGX driver yet; run the enclave emulated")]
    SgxUnsupported,
}

/// Whether the machine can run an emulated enclave.
pub fn emulator() -> Result<(), Missing> {
    let instructions = [
        ("SSE3", has!("sse3")),
        ("SSSE3", has!("ssse3")),
        ("SSE4.1", has!("sse4.1")),
        ("SSE4.2", has!("sse4.2")),
        ("POPCNT", has!("popcnt")),
        ("CMPXCHG16B", has!("cmpxchg16b")),
        ("AES", has!("aes")),
        ("PCLMULQDQ", has!("pclmulqdq")),
        ("SHA", has!("sha")),
        ("RDRAND", has!("rdrand")),
        ("RDSEED", has!("rdseed")),
        ("XSAVE", has!("xsave")),
        ("XSAVEC", has!("xsavec")),
    ];
    if let Some((name, _)) = instructions.into_iter().find(|(_, present)| !present) {
        return Err(Missing::Instructions(name));
    }
    // arch/x86/include/uapi/asm/hwcap2.h
    const HWCAP2_FSGSBASE: u64 = 1 << 1;
    // SAFETY: reads the auxiliary vector.
    let capabilities = unsafe { libc::getauxval(libc::AT_HWCAP2) };
    if capabilities & HWCAP2_FSGSBASE == 0 {
        return Err(Missing::FsGsBase);
    }
    Ok(())
}
