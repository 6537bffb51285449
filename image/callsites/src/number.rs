//! Finds the number of a system call, where the code before its `syscall` says it plainly.

use iced_x86::{FlowControl, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register};

use crate::code::Function;

/// How many instructions before the `syscall` are looked at.
const REACH: usize = 24;

/// The constant that is in `eax` at the `syscall` at `index` of a function, if no branch lies between. Control may still
/// arrive from elsewhere with another number: this is for advice, and no decision depends on it.
pub(crate) fn before(function: &Function, index: usize) -> Option<u32> {
    let before = function.instructions.get(..index)?;
    let mut factory = InstructionInfoFactory::new();
    for instruction in before.iter().rev().take(REACH) {
        match instruction.flow_control() {
            FlowControl::Next | FlowControl::ConditionalBranch => {}
            _ => return None,
        }
        let writes = factory.info(instruction).used_registers().iter().any(|used| {
            used.register().full_register() == Register::RAX
                && matches!(
                    used.access(),
                    OpAccess::Write | OpAccess::CondWrite | OpAccess::ReadWrite | OpAccess::ReadCondWrite
                )
        });
        if !writes {
            continue;
        }
        let is_whole = matches!(instruction.op0_register(), Register::EAX | Register::RAX);
        return match (instruction.mnemonic(), instruction.op1_kind()) {
            (Mnemonic::Mov, OpKind::Immediate32 | OpKind::Immediate32to64 | OpKind::Immediate64)
                if is_whole =>
            {
                u32::try_from(instruction.immediate(1)).ok()
            }
            (Mnemonic::Xor | Mnemonic::Sub, OpKind::Register)
                if is_whole && instruction.op1_register() == instruction.op0_register() =>
            {
                Some(0)
            }
            _ => None,
        };
    }
    None
}
