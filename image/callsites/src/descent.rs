//! Finds code that no table describes: musl, whose functions have no frame descriptions, and assembly without
//! any.
//!
//! Starting from what is known to be code (the entry point, symbols, functions that tables describe), it follows
//! branches, calls, jump tables and addresses of code that appear in instructions and data. An address that
//! appears somewhere is only a hint: it may be that of a table among the code. So a function counts only if *all*
//! that can be reached from its start, up to returns, is sound: valid instructions that compilers use, that do not
//! overlap others. Tables do not survive that: their bytes soon decode to something that no program holds.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic};

use crate::code::{self, Function};
use crate::elf::{Image, Region};
use crate::targets;

/// Most instructions of one function; what is longer is given up.
const MAX_FUNCTION_INSTRUCTIONS: usize = 1 << 16;

/// Code found where no table describes any.
pub(crate) struct Descent<'a> {
    image: &'a Image<'a>,
    /// What each byte of the machine code is known to be: address and bytes of each region, in ascending order. Not one
    /// piece, since a hostile file may say that its regions lie any distance apart.
    regions: Vec<(u64, Vec<Byte>)>,
    /// Functions that contain a `syscall`.
    pub(crate) functions: Vec<Function>,
    /// Data that code may refer to, in ascending order: where one table begins, the one before it ends.
    tables: Vec<u64>,
    queue: Vec<u64>,
    seen: HashSet<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Byte {
    /// Not to be looked at: described by a table, padding, or no machine code.
    Settled,
    Unknown,
    Start,
    Inside,
}

impl<'a> Descent<'a> {
    /// Looks for code in `parts` of the machine code, starting from `roots`, from what the code of `described`
    /// functions and all data refer to, and from where described functions run into a part.
    pub(crate) fn run(
        image: &'a Image<'a>,
        parts: &[Range<u64>],
        roots: impl Iterator<Item = u64>,
        described: impl Iterator<Item = Range<u64>>,
    ) -> Self {
        let settled = |region: &Region<'_>| (region.addr, vec![Byte::Settled; region.bytes.len()]);
        let mut descent = Self {
            image,
            regions: image.code.iter().map(settled).collect(),
            functions: Vec::new(),
            tables: tables(image),
            queue: Vec::new(),
            seen: HashSet::new(),
        };
        for addr in parts.iter().cloned().flatten() {
            descent.set(addr, Byte::Unknown);
        }
        for root in roots {
            descent.enqueue(root);
        }
        for load in &image.loads {
            let skip = (load.addr.wrapping_neg() % 8) as usize;
            for word in load.bytes.get(skip..).unwrap_or_default().as_chunks::<8>().0 {
                descent.enqueue(u64::from_le_bytes(*word));
            }
        }
        for range in described {
            if descent.may_refer(range.clone()) {
                let instructions = code::decode_all(image, range).unwrap_or_default();
                for instruction in &instructions {
                    descent.follow(instruction);
                }
                // glibc's `clone` is described only up to where there is no caller to unwind to any more.
                if let Some(last) = instructions.last().filter(|last| runs_on(last)) {
                    descent.enqueue(last.next_ip());
                }
            }
        }
        while let Some(root) = descent.queue.pop() {
            descent.function(root);
        }
        descent
    }

    /// The ranges inside instructions that were found, from the second byte to the last.
    pub(crate) fn interiors(&self, range: Range<u64>) -> Vec<Range<u64>> {
        range
            .filter(|addr| self.byte(*addr) == Byte::Inside)
            .map(|addr| addr..addr + 1)
            .collect()
    }

    /// Whether a range of code runs into unknown bytes or holds anything that could be a reference to some: a fast
    /// look at every position, before it is worth decoding.
    fn may_refer(&self, range: Range<u64>) -> bool {
        let Some(bytes) = self.image.code_bytes(range.clone()) else {
            return false;
        };
        let is_unknown = |addr| self.byte(addr) == Byte::Unknown;
        is_unknown(range.end)
            || targets::near_references(bytes, range.start).any(is_unknown)
            || (self.image.is_fixed && targets::absolute_references(bytes).any(is_unknown))
    }

    fn byte(&self, addr: u64) -> Byte {
        let (region, at) = self.place(addr);
        let bytes = region.and_then(|region| self.regions.get(region));
        bytes
            .and_then(|(_, bytes)| bytes.get(at).copied())
            .unwrap_or(Byte::Settled)
    }

    fn set(&mut self, addr: u64, byte: Byte) {
        let (region, at) = self.place(addr);
        let bytes = region.and_then(|region| self.regions.get_mut(region));
        if let Some(known) = bytes.and_then(|(_, bytes)| bytes.get_mut(at)) {
            *known = byte;
        }
    }

    /// The last region that begins at or below an address, and how far behind its beginning the address is.
    fn place(&self, addr: u64) -> (Option<usize>, usize) {
        let region = self
            .regions
            .partition_point(|(start, _)| *start <= addr)
            .checked_sub(1);
        let start = region
            .and_then(|region| self.regions.get(region))
            .map_or(0, |(start, _)| *start);
        (region, usize::try_from(addr - start).unwrap_or(usize::MAX))
    }

    fn enqueue(&mut self, addr: u64) {
        if self.byte(addr) == Byte::Unknown && self.seen.insert(addr) {
            self.queue.push(addr);
        }
    }

    /// Notes other functions that an instruction refers to.
    fn follow(&mut self, instruction: &Instruction) {
        if let Some(target) = code::branch_target(instruction) {
            self.enqueue(target);
        }
        if let Some(addr) = code::referenced_address(instruction, self.image.is_fixed) {
            self.enqueue(addr);
        }
    }

    /// Follows one function; keeps it if it is sound.
    fn function(&mut self, root: u64) {
        if self.byte(root) != Byte::Unknown {
            return;
        }
        let Some(trace) = self.trace(root) else { return };
        for instruction in trace.instructions.values() {
            self.set(instruction.ip(), Byte::Start);
            for inside in instruction.ip() + 1..instruction.next_ip() {
                self.set(inside, Byte::Inside);
            }
        }
        for instruction in trace.instructions.values() {
            self.follow(instruction);
        }
        if trace
            .instructions
            .values()
            .any(|instruction| instruction.mnemonic() == Mnemonic::Syscall)
        {
            let instructions = trace.instructions.into_values().collect();
            self.functions.push(Function::new(self.image, instructions));
        }
    }

    /// Everything that control reaches from `root` inside the function.
    fn trace(&self, root: u64) -> Option<Trace> {
        let mut trace = Trace::default();
        let mut pending = vec![root];
        loop {
            while let Some(ip) = pending.pop() {
                self.straight_line(ip, &mut trace, &mut pending)?;
            }
            let instructions: Vec<_> = trace.instructions.values().copied().collect();
            let is_inside = |addr| self.byte(addr) != Byte::Settled;
            let end = |table| {
                let behind = self.tables.partition_point(|other| *other <= table);
                self.tables.get(behind).copied().unwrap_or(u64::MAX)
            };
            let entries = code::jump_tables(self.image, &instructions, is_inside, end).concat();
            if entries == trace.table_entries {
                return Some(trace);
            }
            pending.extend(&entries);
            trace.table_entries = entries;
        }
    }

    /// Follows control from `ip` up to where it leaves or joins what is known. `None`: this is not code.
    fn straight_line(&self, mut ip: u64, trace: &mut Trace, pending: &mut Vec<u64>) -> Option<()> {
        loop {
            if trace.instructions.contains_key(&ip) {
                return Some(());
            }
            let region = self.image.code_at(ip)?;
            match self.byte(ip) {
                Byte::Settled | Byte::Start => return Some(()),
                Byte::Inside => return None,
                Byte::Unknown => {}
            }
            let bytes = region.bytes_from(ip)?;
            let instruction = Decoder::with_ip(64, bytes, ip, DecoderOptions::NONE).decode();
            if !is_plausible(&instruction, bytes) || trace.instructions.len() >= MAX_FUNCTION_INSTRUCTIONS {
                return None;
            }
            let interior = ip + 1..instruction.next_ip();
            let overlaps_known = interior.clone().any(|addr| self.byte(addr) != Byte::Unknown);
            let before = trace.instructions.range(..ip).next_back();
            let overlaps_own = before.is_some_and(|(_, before)| before.next_ip() > ip)
                || trace.instructions.range(interior).next().is_some();
            if overlaps_known || overlaps_own {
                return None;
            }
            trace.instructions.insert(ip, instruction);
            match instruction.flow_control() {
                FlowControl::ConditionalBranch => pending.push(code::branch_target(&instruction)?),
                // A jump to where nothing of this function is: most likely another function, followed as one.
                FlowControl::UnconditionalBranch if self.is_own(root_of(trace), &instruction) => {
                    pending.push(code::branch_target(&instruction)?);
                }
                _ => {}
            }
            if code::is_end(&instruction) {
                return Some(());
            }
            ip = instruction.next_ip();
        }
    }

    /// Whether a jump stays in its function: forwards, and not to what is known to be another one's start.
    fn is_own(&self, root: u64, jump: &Instruction) -> bool {
        code::branch_target(jump).is_some_and(|target| target >= root && !self.seen.contains(&target))
    }
}

/// Everything outside the machine code whose address a `lea` might compute.
fn tables(image: &Image<'_>) -> Vec<u64> {
    let mut tables: Vec<u64> = image
        .code
        .iter()
        .flat_map(|region| targets::lea_references(region.bytes, region.addr))
        .filter(|addr| image.code_at(*addr).is_none())
        .collect();
    tables.sort_unstable();
    tables.dedup();
    tables
}

/// Whether control passes from the last instruction of a described function to what lies behind. A call there is
/// one that does not return.
fn runs_on(last: &Instruction) -> bool {
    !code::is_end(last)
        && !code::is_padding(last)
        && !matches!(last.flow_control(), FlowControl::Call | FlowControl::IndirectCall)
}

#[derive(Default)]
struct Trace {
    instructions: BTreeMap<u64, Instruction>,
    table_entries: Vec<u64>,
}

fn root_of(trace: &Trace) -> u64 {
    trace.instructions.keys().next().copied().unwrap_or_default()
}

/// Whether programs hold such an instruction where control passes: not what text and numbers decode to.
fn is_plausible(instruction: &Instruction, bytes: &[u8]) -> bool {
    if instruction.is_invalid() || bytes.starts_with(&[0, 0]) {
        return false;
    }
    let may_be_privileged = instruction.code() == iced_x86::Code::Hlt;
    if instruction.is_privileged() && !may_be_privileged {
        return false;
    }
    !matches!(
        instruction.mnemonic(),
        Mnemonic::In
            | Mnemonic::Insb
            | Mnemonic::Insd
            | Mnemonic::Insw
            | Mnemonic::Out
            | Mnemonic::Outsb
            | Mnemonic::Outsd
            | Mnemonic::Outsw
            | Mnemonic::Enter
            | Mnemonic::Xlatb
            | Mnemonic::Retf
            | Mnemonic::Iret
            | Mnemonic::Iretd
            | Mnemonic::Iretq
            | Mnemonic::Cli
            | Mnemonic::Sti
            | Mnemonic::Int1
            | Mnemonic::Sysenter
            | Mnemonic::Sysexit
    ) && instruction.flow_control() != FlowControl::XbeginXabortXend
        && !matches!(
            instruction.code(),
            iced_x86::Code::Jmp_m1616
                | iced_x86::Code::Jmp_m1632
                | iced_x86::Code::Jmp_m1664
                | iced_x86::Code::Call_m1616
                | iced_x86::Code::Call_m1632
                | iced_x86::Code::Call_m1664
        )
}
