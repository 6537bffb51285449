//! Whatever is patched does what it did: random functions, and the libraries of this machine.

mod elf_file;
mod original;

use std::fs;

use callsite_map::{FileMap, JUMP_LEN, Placement, encode_file};
use callsites::{Report, scan};
use elf_file::{CODE, CODE_OFFSET, DATA, ElfFile};
use iced_x86::code_asm::*;
use iced_x86::{Code, Decoder, DecoderOptions, Instruction, MemoryOperand, OpKind, Register};
use proptest::prelude::*;

/// One line of a random function.
#[derive(Clone, Debug)]
enum Line {
    Syscall,
    Number(u32),
    Move,
    Store,
    Check,
    Return,
    Nop(u8),
    Load(u32),
    Compare(u32),
    Call,
    /// To the line with this number, if there is one.
    Branch(usize),
    Jump(usize),
    Loop(usize),
    TailCall,
}

fn line() -> impl Strategy<Value = Line> {
    prop_oneof![
        4 => Just(Line::Syscall),
        2 => (0..450_u32).prop_map(Line::Number),
        2 => Just(Line::Move),
        1 => Just(Line::Store),
        2 => Just(Line::Check),
        1 => Just(Line::Return),
        1 => (1..9_u8).prop_map(Line::Nop),
        1 => (0..4096_u32).prop_map(Line::Load),
        1 => (0..4096_u32).prop_map(Line::Compare),
        1 => Just(Line::Call),
        1 => (0..40_usize).prop_map(Line::Branch),
        1 => (0..40_usize).prop_map(Line::Jump),
        1 => (0..40_usize).prop_map(Line::Loop),
        1 => Just(Line::TailCall),
    ]
}

fn write(a: &mut CodeAssembler, lines: &[Line]) {
    let beside =
        |offset: &u32| MemoryOperand::with_base_displ(Register::RIP, (DATA + u64::from(*offset)) as i64);
    let mut labels: Vec<CodeLabel> = lines.iter().map(|_| a.create_label()).collect();
    let label = |labels: &[CodeLabel], to: usize| labels[to % labels.len()];
    for (number, line) in lines.iter().enumerate() {
        a.set_label(&mut labels[number]).unwrap();
        match line {
            Line::Syscall => a.syscall(),
            Line::Number(number) => a.mov(eax, *number),
            Line::Move => a.mov(rdx, r8),
            Line::Store => a.mov(qword_ptr(rsp + 8), r11),
            Line::Check => a.cmp(rax, -4096),
            Line::Return => a.ret(),
            Line::Nop(len) => a.nops_with_size(usize::from(*len)),
            Line::Load(at) => {
                a.add_instruction(Instruction::with2(Code::Mov_r64_rm64, Register::RDI, beside(at)).unwrap())
            }
            Line::Compare(at) => {
                a.add_instruction(Instruction::with2(Code::Cmp_rm32_imm8, beside(at), 1).unwrap())
            }
            Line::Call => a.call(CODE),
            Line::Branch(to) => a.jne(label(&labels, *to)),
            Line::Jump(to) => a.jmp(label(&labels, *to)),
            // Its displacement has 8 bits; the function may be too long for that.
            Line::Loop(to) if lines.len() < 12 => a.loop_(label(&labels, *to)),
            Line::Loop(_) => a.dec(ecx),
            Line::TailCall => a.jmp(CODE + 0x10_0000),
        }
        .unwrap();
    }
}

fn map(report: &Report) -> FileMap<Vec<u8>> {
    FileMap::parse(encode_file(&report.sites).unwrap()).unwrap()
}

proptest! {
    #[test]
    fn random_functions(
        before in prop::collection::vec(line(), 1..30),
        lines in prop::collection::vec(line(), 1..30),
        stubs in -0x7000_0000_i64..0x7000_0000,
    ) {
        let mut file = ElfFile::function(|a| write(a, &before));
        file.add_function(|a| write(a, &lines));
        file.data.resize(8192, 0);
        let report = scan(&file.bytes()).unwrap();
        let sites = before.iter().chain(&lines).filter(|line| matches!(line, Line::Syscall)).count() as u64;
        prop_assert_eq!(report.counts.sites() + report.counts.unproven, sites);
        let map = map(&report);
        prop_assert_eq!(map.len() as u64, report.counts.patched());
        let placement = Placement { file: (CODE - CODE_OFFSET) + (1 << 35), stubs: (1_u64 << 35).wrapping_add_signed(stubs) };
        original::assert_equivalent(&map, placement);
        // Nothing goes into the middle of a jump, and functions begin where they did.
        let decoded = Decoder::with_ip(64, &file.code, CODE, DecoderOptions::NONE);
        let arrivals: Vec<u64> = decoded
            .into_iter()
            .filter(|instruction| instruction.op0_kind() == OpKind::NearBranch64)
            .map(|instruction| instruction.near_branch_target())
            .chain(file.functions.iter().map(|(offset, _)| CODE + offset))
            .collect();
        for (_, patch) in map.patches() {
            let site = patch.offset() + CODE - CODE_OFFSET;
            let middle = site + 1..site + JUMP_LEN as u64;
            prop_assert!(!arrivals.iter().any(|addr| middle.contains(addr)));
        }
    }
}

/// What a file of this machine must reach: at least so many sites, and at most so many that trap.
const FILES: [(&str, u64, u64); 8] = [
    ("/lib/x86_64-linux-gnu/libc.so.6", 400, 0),
    ("/lib64/ld-linux-x86-64.so.2", 30, 0),
    // The one is the signal return.
    ("/lib/ld-musl-x86_64.so.1", 400, 1),
    ("/bin/busybox", 0, 8),
    ("/lib/x86_64-linux-gnu/libpthread.so.0", 0, 0),
    ("/usr/bin/python3", 0, 0),
    ("/usr/bin/redis-server", 0, 0),
    ("/usr/lib/x86_64-linux-gnu/libcrypto.so.3", 0, 0),
];

#[test]
fn the_libraries_of_this_machine() {
    for (path, sites, trapping) in FILES {
        let Ok(file) = fs::read(path) else {
            eprintln!("skipped: {path} is not there");
            continue;
        };
        let report = scan(&file).unwrap();
        let counts = report.counts;
        assert!(
            counts.sites() >= sites && counts.trapping <= trapping,
            "{path}: {counts:?}"
        );
        let encoded = encode_file(&report.sites).unwrap();
        assert!(encoded.len() < 16 << 10, "{path}: {} bytes of map", encoded.len());
        let map = map(&report);
        for (base, stubs) in [(0x7000_0000, 0x1000_0000), (0x1_0000_0000, 0x1_7000_0000)] {
            original::assert_equivalent(&map, Placement { file: base, stubs });
        }
        assert_eq!(
            map.apply(
                Placement {
                    file: 0,
                    stubs: 1 << 30
                },
                0,
                &mut file.clone()
            ),
            Ok(0)
        );
    }
}

/// Bytes of tables in OpenSSL's code look like the instruction.
#[test]
fn tables_in_libcrypto_are_not_patched() {
    let Ok(file) = fs::read("/usr/lib/x86_64-linux-gnu/libcrypto.so.3") else {
        return;
    };
    assert_eq!(scan(&file).unwrap().counts.sites(), 0);
}
