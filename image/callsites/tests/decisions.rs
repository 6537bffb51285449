//! Small functions, and what becomes of their system calls.

mod elf_file;
mod original;

use callsite_map::{FileMap, Placement, encode_file};
use callsites::{Counts, Report, scan};
use elf_file::{CODE, CODE_OFFSET, DATA, ElfFile};
use iced_x86::code_asm::*;
use iced_x86::{Code, Instruction, MemoryOperand, Register};

const PLACEMENT: Placement = Placement {
    file: CODE - CODE_OFFSET,
    stubs: 0x1000_0000,
};

fn scanned(file: &ElfFile) -> Report {
    let report = scan(&file.bytes()).unwrap();
    let map = FileMap::parse(encode_file(&report.sites).unwrap()).unwrap();
    original::assert_equivalent(&map, PLACEMENT);
    assert_eq!(map.apply(PLACEMENT, 0, &mut file.bytes()), Ok(0));
    report
}

fn counts(write: impl FnOnce(&mut CodeAssembler)) -> Counts {
    scanned(&ElfFile::function(write)).counts
}

/// The operand `[rip + x]` that is at this address.
fn beside(addr: u64) -> MemoryOperand {
    MemoryOperand::with_base_displ(Register::RIP, addr as i64)
}

fn lea_rcx(addr: u64) -> Instruction {
    Instruction::with2(Code::Lea_r64_m, Register::RCX, beside(addr)).unwrap()
}

const BEFORE: Counts = Counts {
    instruction_before: 1,
    following: 0,
    preceding: 0,
    trapping: 0,
    unproven: 0,
};
const FOLLOWING: Counts = Counts {
    instruction_before: 0,
    following: 1,
    ..BEFORE
};
const PRECEDING: Counts = Counts {
    instruction_before: 0,
    preceding: 1,
    ..BEFORE
};
const TRAPPING: Counts = Counts {
    instruction_before: 0,
    trapping: 1,
    ..BEFORE
};
const UNPROVEN: Counts = Counts {
    instruction_before: 0,
    unproven: 1,
    ..BEFORE
};

#[test]
fn the_number_is_loaded_right_before() {
    let found = counts(|a| {
        a.mov(eax, 39).unwrap();
        a.syscall().unwrap();
        a.ret().unwrap();
    });
    assert_eq!(found, BEFORE);
}

#[test]
fn the_result_is_checked_right_behind() {
    let found = counts(|a| {
        let mut error = a.create_label();
        a.mov(edi, edi).unwrap();
        a.syscall().unwrap();
        a.cmp(rax, -4096).unwrap();
        a.ja(error).unwrap();
        a.ret().unwrap();
        a.set_label(&mut error).unwrap();
        a.mov(eax, -1).unwrap();
        a.ret().unwrap();
    });
    assert_eq!(found, FOLLOWING);
}

#[test]
fn a_return_and_the_padding_behind_the_function_make_room() {
    let mut file = ElfFile::function(|a| {
        a.syscall().unwrap();
        a.ret().unwrap();
    });
    file.code.extend([0x0f, 0x1f, 0x40, 0x00]);
    file.add_function(|a| a.ret().unwrap());
    assert_eq!(scanned(&file).counts, FOLLOWING);
}

#[test]
fn the_next_function_is_never_touched() {
    let mut file = ElfFile::function(|a| {
        a.syscall().unwrap();
        a.ret().unwrap();
    });
    file.code.extend([0x66, 0x90]);
    file.add_function(|a| a.ret().unwrap());
    // 2 + 1 + 2 bytes: just enough.
    assert_eq!(scanned(&file).counts, FOLLOWING);
    file = ElfFile::function(|a| {
        a.syscall().unwrap();
        a.ret().unwrap();
    });
    file.code.extend([0x90]);
    file.add_function(|a| a.ret().unwrap());
    assert_eq!(scanned(&file).counts, TRAPPING);
}

#[test]
fn instructions_before_make_room_for_a_return() {
    // The shape of musl's cancellable system calls.
    let found = counts(|a| {
        a.mov(r9, qword_ptr(rsp + 16)).unwrap();
        a.mov(qword_ptr(rsp + 8), r11).unwrap();
        a.syscall().unwrap();
        a.ret().unwrap();
    });
    assert_eq!(found, BEFORE);
    let found = counts(|a| {
        a.mov(rdx, r8).unwrap();
        a.syscall().unwrap();
        a.ret().unwrap();
    });
    assert_eq!(found, PRECEDING);
}

#[test]
fn a_branch_target_keeps_its_place() {
    // A loop that comes back to the instruction behind: what follows cannot move, what precedes can.
    let found = counts(|a| {
        let mut behind = a.create_label();
        a.mov(rdx, r8).unwrap();
        a.syscall().unwrap();
        a.set_label(&mut behind).unwrap();
        a.dec(rax).unwrap();
        a.jne(behind).unwrap();
        a.ret().unwrap();
    });
    assert_eq!(found, PRECEDING);
    // One that comes back to the system call itself: it must be the first that moves.
    let found = counts(|a| {
        let mut again = a.create_label();
        a.mov(eax, 202).unwrap();
        a.set_label(&mut again).unwrap();
        a.syscall().unwrap();
        a.cmp(rax, -4).unwrap();
        a.je(again).unwrap();
        a.ret().unwrap();
    });
    assert_eq!(found, FOLLOWING);
    // Both: nothing can.
    let found = counts(|a| {
        let (mut again, mut behind) = (a.create_label(), a.create_label());
        a.mov(edx, edx).unwrap();
        a.set_label(&mut again).unwrap();
        a.syscall().unwrap();
        a.set_label(&mut behind).unwrap();
        a.dec(rax).unwrap();
        a.jne(behind).unwrap();
        a.jmp(again).unwrap();
    });
    assert_eq!(found, TRAPPING);
}

#[test]
fn branches_from_other_functions_count() {
    let mut file = ElfFile::function(|a| {
        a.mov(edi, edi).unwrap();
        a.syscall().unwrap();
        a.cmp(rax, -4096).unwrap();
        a.ret().unwrap();
    });
    file.code.extend([0x90; 300]);
    // To `cmp`.
    file.add_function(|a| a.jmp(CODE + 4).unwrap());
    assert_eq!(scanned(&file).counts, TRAPPING);
}

#[test]
fn jump_tables_count() {
    let with_table = |entry: u64| {
        let mut file = ElfFile::function(|a| {
            a.jmp(qword_ptr(rdi * 8 + DATA as i32)).unwrap();
            a.syscall().unwrap();
            a.mov(rdx, r8).unwrap();
            a.ret().unwrap();
        });
        file.data.extend(entry.to_le_bytes());
        scanned(&file).counts
    };
    assert_eq!(with_table(CODE + 7), FOLLOWING);
    assert_eq!(with_table(CODE + 9), TRAPPING);
    let with_distances = |target: u64| {
        let mut file = ElfFile::function(|a| {
            a.add_instruction(lea_rcx(DATA)).unwrap();
            a.movsxd(rax, dword_ptr(rcx + rdi * 4)).unwrap();
            a.add(rax, rcx).unwrap();
            a.jmp(rax).unwrap();
            a.syscall().unwrap();
            a.mov(rdx, r8).unwrap();
            a.ret().unwrap();
        });
        file.data.extend((target.wrapping_sub(DATA) as u32).to_le_bytes());
        scanned(&file).counts
    };
    let syscall = CODE + 7 + 4 + 3 + 2;
    assert_eq!(with_distances(syscall), FOLLOWING);
    assert_eq!(with_distances(syscall + 2), TRAPPING);
}

#[test]
fn a_computed_jump_may_go_anywhere() {
    let found = counts(|a| {
        a.jmp(rax).unwrap();
        a.syscall().unwrap();
        a.mov(rdx, r8).unwrap();
        a.ret().unwrap();
    });
    assert_eq!(found, TRAPPING);
    // But not into an instruction.
    let found = counts(|a| {
        a.jmp(rax).unwrap();
        a.mov(eax, 1).unwrap();
        a.syscall().unwrap();
        a.ret().unwrap();
    });
    assert_eq!(found, BEFORE);
}

#[test]
fn a_call_does_not_move() {
    let found = counts(|a| {
        a.syscall().unwrap();
        a.call(CODE).unwrap();
        a.ret().unwrap();
    });
    assert_eq!(found, TRAPPING);
}

#[test]
fn operands_beside_the_instruction_pointer_move() {
    let found = counts(|a| {
        a.add_instruction(lea_rcx(DATA)).unwrap();
        a.syscall().unwrap();
        a.ret().unwrap();
    });
    assert_eq!(found, BEFORE);
    let found = counts(|a| {
        a.syscall().unwrap();
        let compare = Instruction::with2(Code::Cmp_rm32_imm8, beside(DATA), 1).unwrap();
        a.add_instruction(compare).unwrap();
        a.ret().unwrap();
    });
    assert_eq!(found, FOLLOWING);
}

#[test]
fn immediates_are_not_system_calls() {
    // The trap of ld.so: `c7 44 24 b8 imm32` holds a `mov eax`, and here the immediate the rest.
    let found = counts(|a| {
        a.mov(dword_ptr(rsp - 0x48), 0x050f).unwrap();
        a.mov(eax, 0x050f_050f).unwrap();
        a.ret().unwrap();
    });
    assert_eq!(found, Counts::default());
}

#[test]
fn data_among_the_code_is_left_alone() {
    let mut file = ElfFile::function(|a| {
        a.add_instruction(lea_rcx(CODE + 16)).unwrap();
        a.ret().unwrap();
    });
    file.code.resize(16, 0x90);
    // A table that even begins with a convincing system call.
    file.code.extend([0xb8, 1, 0, 0, 0, 0x0f, 0x05]);
    file.code
        .extend(b"not code, as anyone can see who follows it to its end");
    assert_eq!(scanned(&file).counts, UNPROVEN);
}

#[test]
fn code_without_a_symbol_is_followed() {
    let mut file = ElfFile::default();
    file.add_code(|a| {
        a.call(CODE + 32).unwrap();
        a.ud2().unwrap();
    });
    file.code.resize(32, 0x90);
    file.add_code(|a| {
        a.mov(eax, 60).unwrap();
        a.syscall().unwrap();
        a.ret().unwrap();
    });
    assert_eq!(scanned(&file).counts, BEFORE);
    // Nothing leads there.
    file.code[..7].fill(0x90);
    file.code[7] = 0xc3;
    assert_eq!(scanned(&file).counts, UNPROVEN);
}

#[test]
fn a_signal_return_that_unwinders_know_by_its_bytes_stays() {
    let found = counts(|a| {
        a.db(&[0x48, 0xc7, 0xc0, 15, 0, 0, 0]).unwrap();
        a.syscall().unwrap();
    });
    assert_eq!(found, TRAPPING);
}

#[test]
fn adjacent_system_calls_do_not_share_instructions() {
    let found = counts(|a| {
        for _ in 0..3 {
            a.mov(rdx, r8).unwrap();
            a.syscall().unwrap();
        }
        a.ret().unwrap();
    });
    // The first takes the second's `mov`, the second the third's, and a `ret` alone is no room.
    assert_eq!((found.sites(), found.trapping), (3, 1));
    let found = counts(|a| {
        for _ in 0..3 {
            a.syscall().unwrap();
        }
        a.ret().unwrap();
    });
    assert_eq!(found.trapping, 3);
}

#[test]
fn other_files_have_no_sites() {
    assert!(scan(b"").is_none());
    assert!(scan(b"#!/bin/sh\n").is_none());
    assert!(scan(b"\x7fELF").is_none());
    let file = ElfFile::function(|a| a.syscall().unwrap()).bytes();
    let mut foreign = file.clone();
    foreign[18] = 183;
    assert!(scan(&foreign).is_none());
    assert_eq!(
        scan(&ElfFile::function(|a| a.ret().unwrap()).bytes())
            .unwrap()
            .counts,
        Counts::default()
    );
}

#[test]
fn damaged_files_never_panic() {
    let mut file = ElfFile::function(|a| {
        a.add_instruction(lea_rcx(DATA)).unwrap();
        a.jmp(rax).unwrap();
        a.mov(eax, 39).unwrap();
        a.syscall().unwrap();
        a.ret().unwrap();
    });
    file.data.extend([0xff; 64]);
    let file = file.bytes();
    for len in 0..file.len() {
        let _ = scan(&file[..len]);
    }
    // The headers, in every bit; then all else, in every byte.
    for bit in 0..8 * 0xb0 {
        let mut damaged = file.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let _ = scan(&damaged);
    }
    for at in 0x1000..file.len() {
        for value in [0, 0x7f, 0xff] {
            let mut damaged = file.clone();
            damaged[at] = value;
            let _ = scan(&damaged);
        }
    }
}

#[test]
fn code_that_is_far_apart_takes_no_memory_between() {
    let mut file = ElfFile::function(|a| {
        a.mov(eax, 39).unwrap();
        a.syscall().unwrap();
        a.ret().unwrap();
    });
    file.data = file.code.clone();
    let mut bytes = file.bytes();
    // Without sections, and so without symbols, code is found by descent.
    bytes[40..48].fill(0);
    bytes[60..64].fill(0);
    // The second segment is code, too: PF_R and PF_X, and an address that is half of all away.
    let second = 64 + 56;
    bytes[second + 4] = 5;
    bytes[second + 16..second + 24].copy_from_slice(&(1u64 << 63).to_le_bytes());
    let report = scan(&bytes).unwrap();
    assert_eq!(report.counts.patched(), 1, "{:?}", report.counts);
    assert_eq!(report.counts.unproven, 1, "{:?}", report.counts);
}

#[test]
fn numbers_are_told_where_they_are_constants() {
    let report = scanned(&ElfFile::function(|a| {
        let mut behind = a.create_label();
        a.mov(eax, 425).unwrap();
        a.mov(edi, 8).unwrap();
        a.syscall().unwrap();
        a.xor(eax, eax).unwrap();
        a.test(edi, edi).unwrap();
        a.je(behind).unwrap();
        a.syscall().unwrap();
        a.set_label(&mut behind).unwrap();
        // Not constants: an argument, a byte of a constant, and what another call gave.
        a.mov(eax, edi).unwrap();
        a.syscall().unwrap();
        a.mov(eax, 7).unwrap();
        a.mov(al, 9).unwrap();
        a.syscall().unwrap();
        a.mov(eax, 3).unwrap();
        a.call(rcx).unwrap();
        a.syscall().unwrap();
        a.ret().unwrap();
    }));
    assert_eq!(report.numbers.into_iter().collect::<Vec<_>>(), [0, 425]);
}
