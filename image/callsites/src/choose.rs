//! Decides how one `syscall` is replaced.

use callsite_map::{JUMP_LEN, Kind, Sites, Step};
use iced_x86::{Code, Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic};

use crate::code::{self, Function};
use crate::elf::Image;
use crate::targets::Targets;

/// How a `syscall` is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// The instruction before it is as long as a jump and makes room; the `syscall` itself stays.
    InstructionBefore,
    /// It and instructions behind it move.
    Following,
    /// Instructions before it (and perhaps behind it) and itself move.
    Preceding,
}

/// Most instructions that move on either side.
const REACH: usize = 4;

/// How the `syscall` at `index` of a function is replaced: added to `sites`. `None`: it stays, and traps.
pub(crate) fn choose(
    image: &Image<'_>,
    function: &Function,
    index: usize,
    targets: &Targets,
    sites: &mut Sites,
) -> Option<Form> {
    let site = function.instructions.get(index)?;
    if is_recognised_by_its_bytes(image, function, site) {
        return None;
    }
    let before = movable_before(function, index);
    let behind = movable_behind(image, function, index);
    let is_target = targets.contains(site.ip());
    // A jump onto the `syscall` would trap for ever if only the instruction before it was replaced.
    if !is_target && let Some(previous) = before.last().filter(|last| last.len() >= JUMP_LEN) {
        let run = Run {
            first: previous.ip(),
            instructions: &[*previous, *site],
        };
        if run.add(image, function, targets, sites) {
            return Some(Form::InstructionBefore);
        }
    }
    for taken_before in 0..=before.len() {
        let (_, taken) = before.split_at(before.len() - taken_before);
        let mut run: Vec<Instruction> = taken.iter().copied().chain([*site]).collect();
        let mut following = behind.iter();
        while len(&run) < JUMP_LEN
            && let Some(next) = following.next()
        {
            run.push(*next);
        }
        let first = run.first()?.ip();
        if (Run {
            first,
            instructions: &run,
        })
        .add(image, function, targets, sites)
        {
            return Some(match taken {
                [] => Form::Following,
                [one] if one.len() >= JUMP_LEN => Form::InstructionBefore,
                _ => Form::Preceding,
            });
        }
    }
    None
}

fn len(instructions: &[Instruction]) -> usize {
    instructions.iter().map(Instruction::len).sum()
}

/// Instructions in a row that would move.
struct Run<'a> {
    first: u64,
    instructions: &'a [Instruction],
}

impl Run<'_> {
    /// Adds the run to the map if that is safe. Refusals cost speed only, so every doubt is one.
    fn add(&self, image: &Image<'_>, function: &Function, targets: &Targets, sites: &mut Sites) -> bool {
        let overwritten = self.first + 1..self.first + JUMP_LEN as u64;
        if len(self.instructions) < JUMP_LEN || overwritten.clone().any(|addr| targets.contains(addr)) {
            return false;
        }
        // Control that may arrive at any instruction does not arrive inside one.
        if function.is_open && self.instructions.iter().any(|i| overwritten.contains(&i.ip())) {
            return false;
        }
        self.steps(image)
            .is_some_and(|(offset, steps)| sites.push(offset, &steps).is_ok())
    }

    /// The file offset and the steps.
    fn steps<'f>(&self, image: &Image<'f>) -> Option<(u64, Vec<Step<'f>>)> {
        let region = image.code_at(self.first)?;
        let mut bytes = image.code_bytes(self.first..self.first + len(self.instructions) as u64)?;
        let mut ended = false;
        let mut steps = Vec::new();
        for instruction in self.instructions {
            let (own, rest) = bytes.split_at_checked(instruction.len())?;
            bytes = rest;
            let kind = if ended {
                Kind::Dead
            } else {
                kind(instruction, own)?
            };
            ended |= matches!(kind, Kind::CopyEnd | Kind::Jump);
            steps.push(Step { kind, bytes: own });
        }
        Some((region.offset + (self.first - region.addr), steps))
    }
}

/// The instructions before a site that can move, the nearest one last: without gaps, and control passes through.
fn movable_before(function: &Function, index: usize) -> &[Instruction] {
    let instructions = &function.instructions;
    let mut first = index;
    while first > 0 && index - first < REACH {
        let (previous, next) = (&instructions[first - 1], &instructions[first]);
        if previous.next_ip() != next.ip()
            || code::is_end(previous)
            || matches!(
                previous.flow_control(),
                FlowControl::Call | FlowControl::IndirectCall
            )
        {
            break;
        }
        first -= 1;
    }
    &instructions[first..index]
}

/// The instructions behind a site that can move, the nearest one first. Behind an end there may be padding.
fn movable_behind(image: &Image<'_>, function: &Function, index: usize) -> Vec<Instruction> {
    let mut next_ip = function.instructions[index].next_ip();
    let mut behind = Vec::new();
    let mut ended = false;
    for instruction in &function.instructions[index + 1..] {
        if ended || instruction.ip() != next_ip || behind.len() == REACH {
            break;
        }
        behind.push(*instruction);
        next_ip = instruction.next_ip();
        ended = matches!(
            instruction.flow_control(),
            FlowControl::Return | FlowControl::UnconditionalBranch | FlowControl::IndirectBranch
        );
    }
    // The function's last instruction: what comes behind is padding, or the next function, which is a target.
    let Some(bytes) = image
        .code_at(next_ip)
        .and_then(|region| region.bytes_from(next_ip))
    else {
        return behind;
    };
    let mut decoder = Decoder::with_ip(64, bytes, next_ip, DecoderOptions::NONE);
    while behind.len() < REACH && (ended || index + 1 + behind.len() == function.instructions.len()) {
        let instruction = decoder.decode();
        if !code::is_padding(&instruction) {
            break;
        }
        behind.push(instruction);
    }
    behind
}

/// What becomes of an instruction; `None` if it cannot move.
fn kind(instruction: &Instruction, bytes: &[u8]) -> Option<Kind> {
    if instruction.is_invalid() {
        return None;
    }
    if instruction.code() == Code::Syscall {
        return (bytes == [0x0f, 0x05]).then_some(Kind::Syscall);
    }
    match (instruction.flow_control(), bytes) {
        (FlowControl::Next | FlowControl::Exception, _) if instruction.is_ip_rel_memory_operand() => {
            rip_relative(instruction, bytes)
        }
        (FlowControl::Next | FlowControl::Exception, _) | (FlowControl::Interrupt, [0xcc]) => {
            Some(Kind::Copy)
        }
        (FlowControl::Return, _) if instruction.mnemonic() == Mnemonic::Ret => Some(Kind::CopyEnd),
        (FlowControl::IndirectBranch, _) if !instruction.is_ip_rel_memory_operand() => Some(Kind::CopyEnd),
        (FlowControl::UnconditionalBranch, [0xeb, _] | [0xe9, _, _, _, _]) => Some(Kind::Jump),
        (FlowControl::ConditionalBranch, [0x70..=0x7f, _] | [0x0f, 0x80..=0x8f, _, _, _, _]) => {
            Some(Kind::Branch)
        }
        // A call would leave the stub's address on the stack for unwinders to stumble over; `loop` and `jrcxz`
        // have no long form; the rest is not found beside a system call.
        _ => None,
    }
}

fn rip_relative(instruction: &Instruction, bytes: &[u8]) -> Option<Kind> {
    let mut decoder = Decoder::with_ip(64, bytes, instruction.ip(), DecoderOptions::NONE);
    let decoded = decoder.decode();
    let offsets = decoder.get_constant_offsets(&decoded);
    // With an address-size prefix it is EIP-relative: cut off at 4 GiB, wherever the stub is.
    let is_rip = instruction.memory_base() == iced_x86::Register::RIP;
    if !is_rip || offsets.displacement_size() != 4 {
        return None;
    }
    match bytes.len() - offsets.displacement_offset() - 4 {
        0 => Some(Kind::RipRelative),
        1 => Some(Kind::RipRelativeImm8),
        2 => Some(Kind::RipRelativeImm16),
        4 => Some(Kind::RipRelativeImm32),
        _ => None,
    }
}

/// The code that a signal handler returns to, where only its bytes tell: without a frame description, libgcc and
/// gdb know it by `mov rax, 15; syscall` and could not unwind through a handler if those bytes changed.
fn is_recognised_by_its_bytes(image: &Image<'_>, function: &Function, site: &Instruction) -> bool {
    let start = site.ip().wrapping_sub(SIGNAL_RETURN.len() as u64 - 2);
    !function.has_frame
        && image
            .code_bytes(start..site.next_ip())
            .is_some_and(|bytes| bytes == SIGNAL_RETURN)
}

/// `mov rax, 15; syscall`.
pub(crate) const SIGNAL_RETURN: [u8; 9] = [0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05];
