//! Compares stubs with the instructions that they replace.

use callsite_map::{FileMap, Kind, Patch, Placement, STUB_SIZE};
use iced_x86::{Code, Decoder, DecoderOptions, Instruction, OpKind, Register};

const GS_SYSCALL_ENTRY: u64 = enclave_layout::GS_SYSCALL_ENTRY as u64;

/// Checks that the stub of every patch does what the original instructions do, and that the site jumps there.
pub fn assert_equivalent(map: &FileMap<Vec<u8>>, placement: Placement) {
    for (index, patch) in map.patches() {
        let site = placement.file.wrapping_add(patch.offset());
        let stub = placement.stubs + (index * STUB_SIZE) as u64;
        let jump = decode(&patch.replacement(site, stub).unwrap(), site);
        assert_eq!(jump[0].code(), Code::Jmp_rel32_64);
        assert_eq!(jump[0].near_branch_target(), stub);
        assert_stub(&patch, site, stub);
    }
}

fn assert_stub(patch: &Patch<'_>, site: u64, stub: u64) {
    let mut bytes = [0; STUB_SIZE];
    patch.emit_stub(stub, site, &mut bytes).unwrap();
    assert!(bytes[patch.stub_len()..].iter().all(|byte| *byte == 0xcc));
    let emitted = decode(&bytes[..patch.stub_len()], stub);
    let mut emitted = emitted.iter();
    let originals = decode(patch.original(), site);
    assert_eq!(originals.len(), patch.steps().count(), "at {site:#x}");
    let run_end = site + patch.original().len() as u64;
    let mut ended = false;
    for (number, (step, original)) in patch.steps().zip(&originals).enumerate() {
        assert_eq!(step.bytes.len(), original.len(), "at {site:#x}");
        assert!(!original.is_invalid());
        if step.kind == Kind::Dead {
            assert!(ended);
            continue;
        }
        let new = emitted.next().expect("an instruction is missing");
        if original.code() == Code::Syscall {
            assert_eq!((new.code(), new.op0_register()), (Code::Lea_r64_m, Register::RCX));
            let entry = emitted.next().unwrap();
            assert_eq!(entry.code(), Code::Jmp_rm64);
            assert_eq!(
                (entry.memory_segment(), entry.memory_displacement64()),
                (Register::GS, GS_SYSCALL_ENTRY)
            );
            assert_eq!(
                (entry.memory_base(), entry.memory_index()),
                (Register::None, Register::None)
            );
            let is_last = number + 1 == originals.len();
            let continuation = if is_last { run_end } else { entry.next_ip() };
            assert_eq!(new.ip_rel_memory_address(), continuation);
            ended = is_last;
        } else {
            assert_same(original, new);
            ended |= matches!(step.kind, Kind::CopyEnd | Kind::Jump);
        }
    }
    if !ended {
        let back = emitted.next().expect("no way back");
        assert_eq!(
            (back.code(), back.near_branch_target()),
            (Code::Jmp_rel32_64, run_end)
        );
    }
    assert!(emitted.next().is_none());
}

/// The same operation on the same operands, wherever they are.
fn assert_same(original: &Instruction, new: &Instruction) {
    assert_eq!(original.mnemonic(), new.mnemonic());
    if original.op0_kind() == OpKind::NearBranch64 && original.op_count() == 1 {
        assert_eq!(original.near_branch_target(), new.near_branch_target());
        return;
    }
    assert_eq!(original.code(), new.code());
    assert_eq!(original.len(), new.len());
    let mut moved = *new;
    moved.set_ip(original.ip());
    // Of a RIP-relative operand this is the address itself, so equality is what is wanted.
    assert_eq!(*original, moved, "{original:?}");
}

fn decode(bytes: &[u8], addr: u64) -> Vec<Instruction> {
    Decoder::with_ip(64, bytes, addr, DecoderOptions::NONE)
        .into_iter()
        .collect()
}
