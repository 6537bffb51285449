//! The stack that a program begins with: arguments, environment, auxiliary vector (System V ABI, 3.4.1).

use alloc::vec::Vec;

use enclave_layout::PAGE_SIZE;
use enclave_rt::processor;
use host_abi::Protection;
use kobject::{Errno, Result};
use libos_mm::{AddressSpace, Backing, STACK_NAME};
use linux_abi::time::USER_HZ;
use linux_abi::{AuxiliaryKey, MapFlags};

use super::elf::Program;
use crate::process::limits::MAX_ARGUMENTS;
use crate::signal::frame;
use crate::{time, user};

/// What is put on the stack.
pub(super) struct Contents<'a> {
    pub(super) arguments: &'a [Vec<u8>],
    pub(super) environment: &'a [Vec<u8>],
    /// The path that was asked for.
    pub(super) name: &'a [u8],
    pub(super) identities: [u32; 4],
    pub(super) program: &'a Program,
    pub(super) interpreter_base: u64,
    /// RLIMIT_STACK.
    pub(super) stack_limit: u64,
}

/// A stack that is ready.
pub(super) struct Stack {
    pub(super) pointer: u64,
    /// The auxiliary vector, for /proc.
    pub(super) auxiliary: Vec<u8>,
}

/// What stays unmapped below the stack, so that an overflow meets nothing else (Linux's stack_guard_gap).
const GUARD_SIZE: u64 = 1 << 20;

/// Least size of a stack, in bytes: the arguments have to fit.
const MIN_SIZE: u64 = 4 * MAX_ARGUMENTS as u64;

/// Up to this size, in bytes, memory is set aside for a stack (Linux's limit unless somebody sets another).
const USUAL_SIZE: u64 = 8 << 20;

/// The size of a program's stack under this limit. It cannot grow later, since other memory may lie below it; but what was never
/// touched is addresses only.
fn size(limit: u64) -> u64 {
    let most = crate::container().memory.max(MIN_SIZE);
    limit.clamp(MIN_SIZE, most).next_multiple_of(PAGE_SIZE)
}

/// E2BIG if arguments and environment take more than they may, with a pointer and a zero byte each.
pub(super) fn check_size(arguments: &[Vec<u8>], environment: &[Vec<u8>]) -> Result<()> {
    let strings = arguments.iter().chain(environment);
    let size: usize = strings.map(|string| string.len() + 9).sum();
    if size > MAX_ARGUMENTS {
        return Err(Errno::E2BIG);
    }
    Ok(())
}

/// Builds it; [`check_size`] has been asked.
pub(super) fn build(space: &AddressSpace, contents: &Contents<'_>) -> Result<Stack> {
    let size = size(contents.stack_limit);
    let guard = space.map(
        0,
        GUARD_SIZE + size,
        Protection::NONE,
        MapFlags::MAP_NORESERVE,
        Backing::Anonymous,
        b"",
    )?;
    // Without a limit it may become as large as all memory, which is not set aside for it.
    let unreserved = match size {
        ..=USUAL_SIZE => MapFlags::empty(),
        _ => MapFlags::MAP_NORESERVE,
    };
    let bottom = space.map(
        guard + GUARD_SIZE,
        size,
        Protection::READ_WRITE,
        MapFlags::MAP_STACK | MapFlags::MAP_FIXED | unreserved,
        Backing::Anonymous,
        STACK_NAME,
    )?;
    let mut writer = Writer {
        next: bottom + size - 16,
    };

    let name = writer.string(contents.name)?;
    let mut environment = Vec::new();
    for string in contents.environment.iter().rev() {
        environment.push(writer.string(string)?);
    }
    let mut arguments = Vec::new();
    for string in contents.arguments.iter().rev() {
        arguments.push(writer.string(string)?);
    }
    let platform = writer.string(b"x86_64")?;
    let mut random = [0; 16];
    processor::random(&mut random);
    let random = writer.bytes(&random)?;

    let program = contents.program;
    let [uid, euid, gid, egid] = contents.identities.map(u64::from);
    let auxiliary = [
        (AuxiliaryKey::AT_SYSINFO_EHDR, time::vdso::map(space)?),
        (
            AuxiliaryKey::AT_HWCAP,
            crate::container().processor.capabilities(),
        ),
        (AuxiliaryKey::AT_PAGESZ, PAGE_SIZE),
        (AuxiliaryKey::AT_CLKTCK, USER_HZ),
        (AuxiliaryKey::AT_PHDR, program.headers),
        (AuxiliaryKey::AT_PHENT, 56),
        (AuxiliaryKey::AT_PHNUM, program.header_count),
        (AuxiliaryKey::AT_BASE, contents.interpreter_base),
        (AuxiliaryKey::AT_FLAGS, 0),
        (AuxiliaryKey::AT_ENTRY, program.entry),
        (AuxiliaryKey::AT_UID, uid),
        (AuxiliaryKey::AT_EUID, euid),
        (AuxiliaryKey::AT_GID, gid),
        (AuxiliaryKey::AT_EGID, egid),
        // Whoever began it acts as somebody else; nobody gains capabilities but user 0.
        (AuxiliaryKey::AT_SECURE, (uid != euid || gid != egid).into()),
        (AuxiliaryKey::AT_RANDOM, random),
        // Not HWCAP2_FSGSBASE: GS is the LibOS's own, and a program that writes it ends the enclave.
        (AuxiliaryKey::AT_HWCAP2, 0),
        (AuxiliaryKey::AT_EXECFN, name),
        (AuxiliaryKey::AT_PLATFORM, platform),
        (AuxiliaryKey::AT_MINSIGSTKSZ, frame::minimum_stack()),
        (AuxiliaryKey::AT_NULL, 0),
    ];

    let mut words = alloc::vec![arguments.len() as u64];
    words.extend(arguments.iter().rev());
    words.push(0);
    words.extend(environment.iter().rev());
    words.push(0);
    words.extend(auxiliary.iter().flat_map(|&(key, value)| [key.0, value]));
    let pointer = (writer.next - words.len() as u64 * 8) & !15;
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    user::put_bytes(pointer, &bytes)?;
    let auxiliary = bytes
        .get(bytes.len() - auxiliary.len() * 16..)
        .unwrap_or_default()
        .to_vec();
    Ok(Stack { pointer, auxiliary })
}

/// Writes downwards.
struct Writer {
    next: u64,
}

impl Writer {
    fn bytes(&mut self, bytes: &[u8]) -> Result<u64> {
        self.next -= bytes.len() as u64;
        user::put_bytes(self.next, bytes)?;
        Ok(self.next)
    }

    fn string(&mut self, string: &[u8]) -> Result<u64> {
        self.bytes(&[0])?;
        self.bytes(string)
    }
}
