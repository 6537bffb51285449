//! The call-site map: which `syscall` instructions of an ELF file become jumps, and how.
//!
//! `nacre convert` disassembles each ELF file of an image and writes down what the LibOS needs to replace a
//! `syscall` by a jump, so that no disassembler is part of the trusted base. The LibOS applies the map while it
//! populates an executable mapping of the file, before any thread can run there. A site that the map lacks, or
//! that cannot be patched where the program put it, traps: slower, and just as correct.
//!
//! # What a patch is
//! A [`Patch`] names a run of whole instructions, at least five bytes long, with one `syscall` among them. They
//! are copied into a *stub* of [`STUB_SIZE`] bytes within 2 GiB, where the `syscall` becomes
//! ```text
//!     lea  rcx, [rip + continuation]      ; as the instruction itself leaves the next RIP in rcx
//!     jmp  gs:[GS_SYSCALL_ENTRY]          ; into the LibOS
//! ```
//! and what refers to its own address is adjusted; the first five bytes of the run become a jump to the stub.
//! *Nothing else is overwritten*: a run of `mov eax, imm32` and `syscall` keeps its `0f 05`, and a jump onto any
//! instruction of the run at or behind the sixth byte executes the original. The scanner proves that nothing
//! jumps between the first and the sixth byte.
//!
//! The program never sees a stub. [`FileMap::canonical`] says which original instruction an address in a stub
//! stands for (signal frames, `/proc`, musl's and glibc's cancellation checks look at it), and
//! [`FileMap::resume`] goes back: the original address of an instruction that was overwritten continues in the
//! stub. A program that jumps to such an address by itself, without `rt_sigreturn`, is not served.
//!
//! # Key types
//! - [`FileMap`]: the map of one file, as the LibOS reads it; [`Placement`]: where the file is mapped;
//! - [`Patch`], [`Step`]: one site;
//! - [`encode_file`], [`Sites`]: the writer's side;
//! - [`Container`]: the maps of all files of an image in one blob, found by inode number.
//!
//! # Neighbours
//! `image/callsites` finds the sites and writes the maps, `enclave/libos-mm` applies them.
//!
//! # Trust
//! The blob lies in the verified root file system, so it is as trustworthy as the image's own code. The readers
//! check every bound nevertheless, allocate nothing, and refuse what is not in canonical form: a bug of the
//! writer shall be one clear error.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

extern crate alloc;

mod container;
mod error;
mod file;
mod patch;
mod step;
mod stub;

pub use container::{Container, FindError, ReadAt, encode_container};
pub use error::MapError;
pub use file::{FileMap, Placement, Sites, encode_file};
pub use patch::Patch;
pub use step::{Kind, Step};
pub use stub::{JUMP_LEN, OutOfReach, STUB_SIZE};
