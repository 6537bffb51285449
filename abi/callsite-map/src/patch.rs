//! A patch: the instructions at one call site that move into its stub.

use crate::stub::{self, JUMP_LEN, STUB_SIZE};
use crate::{Kind, MapError, OutOfReach, Step};

/// One site: a run of original instructions with one `syscall` among them, and what becomes of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patch<'a> {
    offset: u64,
    /// One tag per step (see [`Step`]).
    tags: &'a [u8],
    /// The steps' original bytes, one behind the other.
    code: &'a [u8],
}

impl<'a> Patch<'a> {
    /// Checks everything that emission relies on: the lengths add up, exactly one `syscall` that control reaches,
    /// at least [`JUMP_LEN`] bytes, nothing but padding behind an end, and no more than a stub holds.
    pub(crate) fn new(offset: u64, tags: &'a [u8], code: &'a [u8]) -> Result<Self, MapError> {
        let patch = Self { offset, tags, code };
        let mut len = 0;
        let mut syscalls = 0;
        let mut ended = false;
        for tag in tags {
            let (_, step_len) = Step::from_tag(*tag).ok_or(MapError::Patch("an unknown kind of step"))?;
            len += step_len;
        }
        if len != code.len() {
            return Err(MapError::Patch("its steps and its bytes differ in length"));
        }
        let mut end_of_step = 0;
        for step in patch.steps() {
            end_of_step += step.bytes.len();
            if !step.is_consistent() {
                return Err(MapError::Patch("a step's bytes are not what its kind says"));
            }
            if ended != (step.kind == Kind::Dead) {
                return Err(MapError::Patch(
                    "an instruction behind an end, or padding before it",
                ));
            }
            if step
                .branch_target(end_of_step)
                .is_some_and(|to| (1..JUMP_LEN as i64).contains(&to))
            {
                return Err(MapError::Patch("a branch into the bytes that are overwritten"));
            }
            syscalls += usize::from(step.kind == Kind::Syscall);
            ended |= step.kind.is_end();
        }
        if syscalls != 1 {
            return Err(MapError::Patch("not exactly one system call"));
        }
        if len < JUMP_LEN {
            return Err(MapError::Patch("it is shorter than a jump"));
        }
        if patch.stub_len() > STUB_SIZE {
            return Err(MapError::Patch("its stub is too long"));
        }
        offset.checked_add(len as u64).ok_or(MapError::TooLarge)?;
        Ok(patch)
    }

    /// File offset of the first overwritten byte.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The original bytes of the run; its first [`JUMP_LEN`] bytes are overwritten, the others are left alone.
    pub fn original(&self) -> &'a [u8] {
        self.code
    }

    /// The original instructions, in order.
    pub fn steps(&self) -> impl Iterator<Item = Step<'a>> + Clone + use<'a> {
        let mut code = self.code;
        self.tags.iter().map_while(move |tag| {
            let (kind, len) = Step::from_tag(*tag)?;
            let (bytes, rest) = code.split_at_checked(len)?;
            code = rest;
            Some(Step { kind, bytes })
        })
    }

    pub(crate) fn tags(&self) -> &'a [u8] {
        self.tags
    }

    /// Bytes of the stub that are in use, of [`STUB_SIZE`].
    pub fn stub_len(&self) -> usize {
        stub::layout(*self)
            .map(|placed| placed.step.stub_len())
            .sum::<usize>()
            + stub::tail_len(*self)
    }

    /// Writes the stub: the moved instructions for a stub at `stub_addr` and a site at `site_addr`, the rest
    /// filled with `int3`.
    ///
    /// # Errors
    /// Something that the stub refers to is further away than 2 GiB; nothing of `out` is meaningful then.
    pub fn emit_stub(
        &self,
        stub_addr: u64,
        site_addr: u64,
        out: &mut [u8; STUB_SIZE],
    ) -> Result<(), OutOfReach> {
        stub::emit(*self, stub_addr, site_addr, out)
    }

    /// What the first bytes of the site become: a jump to the stub.
    ///
    /// # Errors
    /// The stub is further away than 2 GiB.
    pub fn replacement(&self, site_addr: u64, stub_addr: u64) -> Result<[u8; JUMP_LEN], OutOfReach> {
        stub::jump(site_addr, stub_addr)
    }

    /// Which original instruction, as an offset from the site, an offset in the stub stands for. Inside the way
    /// into the LibOS that is the `syscall`; behind it, what follows the `syscall`.
    pub fn canonical(&self, stub_offset: usize) -> Option<usize> {
        for placed in stub::layout(*self) {
            if stub_offset < placed.at + placed.step.stub_len() {
                return Some(placed.original);
            }
        }
        // The jump back.
        (stub_offset < self.stub_len()).then_some(self.code.len())
    }

    /// Where in the stub an original instruction, given as an offset from the site, is. `None` for what is not
    /// an instruction of the run, and for its first one: a jump there is served by the site itself.
    pub fn resume(&self, original: usize) -> Option<usize> {
        let mut placed = stub::layout(*self).skip(1);
        placed
            .find(|placed| placed.original == original && placed.step.kind != Kind::Dead)
            .map(|placed| placed.at)
    }
}
