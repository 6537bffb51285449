//! Real programs with their call sites patched do what they did before.
//!
//! The patch is applied to the file, which gets one more segment: the stubs, a routine in the LibOS's place that
//! makes the real system call, and the page that `GS` points to. The result is an ordinary program for Linux.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use callsite_map::{FileMap, Placement, STUB_SIZE, encode_file};
use enclave_layout::GS_SYSCALL_ENTRY;
use iced_x86::code_asm::*;
use iced_x86::{Code, Instruction, MemoryOperand, Register};
use object::LittleEndian as LE;
use object::elf::{self, FileHeader64, ProgramHeader64};
use object::read::elf::{FileHeader as _, ProgramHeader as _};

/// What the patched program's entry answers to `getppid`.
const PARENT: i32 = 4242;

const SYS_RT_SIGRETURN: i32 = 15;
const SYS_CLONE: i32 = 56;
const SYS_FORK: i32 = 57;
const SYS_VFORK: i32 = 58;
const SYS_GETPPID: i32 = 110;
const SYS_ARCH_PRCTL: i32 = 158;
const SYS_CLONE3: i32 = 435;
const ARCH_SET_GS: i32 = 0x1001;
const CLONE_VM: i32 = 0x100;
const CLONE_VFORK: i32 = 0x4000;
const ENOSYS: i64 = 38;

/// In the LibOS's place: continues at `rcx` with the answer of the real system call.
fn write_entry(a: &mut CodeAssembler) -> Result<(), IcedError> {
    let mut labels: [CodeLabel; 5] = std::array::from_fn(|_| a.create_label());
    let [own, unknown, sigreturn, clone, child] = &mut labels;
    let mut make = a.create_label();
    let mut vfork = a.create_label();
    let mut borrow = a.create_label();
    a.cmp(eax, SYS_GETPPID)?;
    a.je(*own)?;
    a.cmp(eax, SYS_CLONE3)?;
    a.je(*unknown)?;
    a.cmp(eax, SYS_RT_SIGRETURN)?;
    a.je(*sigreturn)?;
    a.cmp(eax, SYS_CLONE)?;
    a.je(*clone)?;
    a.cmp(eax, SYS_VFORK)?;
    a.je(vfork)?;
    a.set_label(&mut make)?;
    // Where to go on is kept below the red zone, since the instruction overwrites rcx.
    a.lea(rsp, qword_ptr(rsp - 128))?;
    a.push(rcx)?;
    a.syscall()?;
    a.pop(rcx)?;
    a.lea(rsp, qword_ptr(rsp + 128))?;
    a.jmp(rcx)?;
    a.set_label(own)?;
    a.mov(eax, PARENT)?;
    a.jmp(rcx)?;
    a.set_label(unknown)?;
    a.mov(rax, -ENOSYS)?;
    a.jmp(rcx)?;
    a.set_label(sigreturn)?;
    a.syscall()?;
    a.ud2()?;
    // A child that borrows the parent's stack would overwrite what is kept there: it gets its own.
    a.set_label(&mut vfork)?;
    a.mov(eax, SYS_FORK)?;
    a.jmp(make)?;
    a.set_label(&mut borrow)?;
    a.and(edi, !(CLONE_VM | CLONE_VFORK))?;
    a.jmp(make)?;
    // A thread begins on a new stack: where it goes on is kept there as well.
    a.set_label(clone)?;
    a.test(rsi, rsi)?;
    a.je(borrow)?;
    a.mov(qword_ptr(rsi - 8), rcx)?;
    a.lea(rsp, qword_ptr(rsp - 128))?;
    a.push(rcx)?;
    a.syscall()?;
    a.test(eax, eax)?;
    a.je(*child)?;
    a.pop(rcx)?;
    a.lea(rsp, qword_ptr(rsp + 128))?;
    a.jmp(rcx)?;
    a.set_label(child)?;
    a.mov(rcx, qword_ptr(rsp - 8))?;
    a.jmp(rcx)
}

/// The added segment: stubs, then the entry routine, then where the program starts, then the page of `GS`.
struct Segment {
    bytes: Vec<u8>,
    start: u64,
}

fn segment(addr: u64, stubs: &[[u8; STUB_SIZE]], program_start: u64) -> Segment {
    let entry = addr + (stubs.len() * STUB_SIZE) as u64;
    let gs_page = (entry + 0x1000).next_multiple_of(0x1000);
    let mut a = CodeAssembler::new(64).unwrap();
    write_entry(&mut a).unwrap();
    let mut start = a.create_label();
    a.set_label(&mut start).unwrap();
    // The page holds the entry's address, which is known only here.
    a.push(rdx).unwrap();
    for (register, addr) in [(Register::RSI, gs_page), (Register::RCX, entry)] {
        let operand = MemoryOperand::with_base_displ(Register::RIP, addr as i64);
        a.add_instruction(Instruction::with2(Code::Lea_r64_m, register, operand).unwrap())
            .unwrap();
    }
    a.mov(qword_ptr(rsi + GS_SYSCALL_ENTRY), rcx).unwrap();
    a.mov(edi, ARCH_SET_GS).unwrap();
    a.mov(eax, SYS_ARCH_PRCTL).unwrap();
    a.syscall().unwrap();
    a.pop(rdx).unwrap();
    a.jmp(program_start).unwrap();
    let options = iced_x86::BlockEncoderOptions::RETURN_NEW_INSTRUCTION_OFFSETS;
    let assembled = a.assemble_options(entry, options).unwrap();
    let start = assembled.label_ip(&start).unwrap();
    let mut bytes = stubs.concat();
    bytes.extend(assembled.inner.code_buffer);
    bytes.resize((gs_page + 0x1000 - addr) as usize, 0);
    Segment { bytes, start }
}

/// The program with all its sites patched, and how many there are.
fn patch(program: &[u8]) -> (Vec<u8>, u64) {
    let report = callsites::scan(program).unwrap();
    let map = FileMap::parse(encode_file(&report.sites).unwrap()).unwrap();
    let header = FileHeader64::<LE>::parse(program).unwrap();
    let segments = header.program_headers(LE, program).unwrap();
    let loads = || {
        segments
            .iter()
            .filter(|segment| segment.p_type(LE) == elf::PT_LOAD)
    };
    let end = loads()
        .map(|load| load.p_vaddr(LE) + load.p_memsz(LE))
        .max()
        .unwrap();
    let addr = end.next_multiple_of(0x1000) + 0x10_0000;
    let code = loads()
        .find(|load| load.p_flags(LE).0 & elf::PF_X.0 != 0)
        .unwrap();
    let placement = Placement {
        file: code.p_vaddr(LE) - code.p_offset(LE),
        stubs: addr,
    };

    let mut stubs = vec![[0; STUB_SIZE]; map.len()];
    map.emit_stubs(placement, 0, &mut stubs);
    let segment = segment(addr, &stubs, header.e_entry.get(LE));
    let mut out = program.to_vec();
    assert_eq!(map.apply(placement, 0, &mut out), Ok(0));
    out.resize(out.len().next_multiple_of(0x1000), 0);
    let offset = out.len() as u64;
    out.extend(&segment.bytes);
    // The header of a segment that nothing needs makes room for the new one.
    let spare = |kind| segments.iter().position(|segment| segment.p_type(LE) == kind);
    let spare = spare(elf::PT_NOTE).or_else(|| spare(elf::PT_GNU_STACK)).unwrap();
    let at = header.e_phoff.get(LE) as usize + spare * size_of::<ProgramHeader64<LE>>();
    let read_write_execute = 7_u64 << 32;
    let len = segment.bytes.len() as u64;
    let words = [1 | read_write_execute, offset, addr, addr, len, len, 0x1000];
    out[at..at + 56].copy_from_slice(&words.map(u64::to_le_bytes).concat());
    out[24..32].copy_from_slice(&segment.start.to_le_bytes());
    (out, report.counts.patched())
}

/// Runs a program as it is and patched; returns what both printed.
fn run_both(program: &Path, folder: &Path, arguments: &[&str]) -> (Output, Output) {
    let (patched, sites) = patch(&fs::read(program).unwrap());
    assert!(sites > 20, "{sites} sites in {program:?}");
    let path = folder.join("patched").join(program.file_name().unwrap());
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, patched).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let run = |program: &Path| {
        Command::new(program)
            .args(arguments)
            .current_dir(folder)
            .output()
            .unwrap()
    };
    (run(program), run(&path))
}

fn guest(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/guest")
        .join(name)
}

/// Compiles a guest to `program` in `folder` and compares, unless the compiler is not installed.
fn guest_runs_the_same(folder: &Path, compiler: &mut Command) {
    let program = folder.join("program");
    match compiler.status() {
        Ok(status) => assert!(status.success(), "{compiler:?}"),
        Err(_) => return eprintln!("skipped: {compiler:?} is not installed"),
    }
    let (original, patched) = run_both(&program, folder, &["one", "two"]);
    assert_eq!(
        String::from_utf8_lossy(&original.stdout),
        String::from_utf8_lossy(&patched.stdout)
    );
    assert_eq!(
        (original.status.code(), patched.status.code()),
        (Some(42), Some(42))
    );
    assert_eq!(String::from_utf8_lossy(&patched.stderr), format!("{PARENT}\n"));
}

fn c_guest_runs_the_same(compiler: &str, flags: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(compiler);
    command
        .args(["-O2", "-pthread", "-o"])
        .arg(folder.path().join("program"))
        .arg(guest("program.c"));
    guest_runs_the_same(folder.path(), command.args(flags));
}

#[test]
fn static_glibc() {
    c_guest_runs_the_same("gcc", &["-static", "-no-pie"]);
}

#[test]
fn static_glibc_without_symbols() {
    c_guest_runs_the_same("gcc", &["-static", "-no-pie", "-s"]);
}

#[test]
fn static_glibc_at_any_address() {
    c_guest_runs_the_same("gcc", &["-static-pie", "-fPIE"]);
}

#[test]
fn static_musl() {
    c_guest_runs_the_same("musl-gcc", &["-static", "-no-pie"]);
}

#[test]
fn static_musl_without_symbols() {
    c_guest_runs_the_same("musl-gcc", &["-static", "-no-pie", "-s"]);
}

#[test]
fn go() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("go");
    command
        .env("CGO_ENABLED", "0")
        .args(["build", "-ldflags", "-s -w", "-o"]);
    command
        .arg(folder.path().join("program"))
        .arg(guest("program.go"));
    guest_runs_the_same(folder.path(), &mut command);
}

#[test]
fn busybox() {
    let busybox = Path::new("/bin/busybox");
    if !fs::read(busybox)
        .is_ok_and(|file| callsites::scan(&file).is_some_and(|found| found.counts.sites() > 100))
    {
        eprintln!("skipped: no static busybox is installed");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let script = "for i in 3 1 2; do echo $i; done | sort | tr 1-3 a-c; date -d @0 -u; ls -d /usr; \
                  (sleep 0.1; exit 5) & wait $!; echo $?; md5sum /etc/passwd | cut -c 1-32; exit 9";
    let (original, patched) = run_both(busybox, folder.path(), &["sh", "-c", script]);
    assert_eq!(original, patched);
    assert_eq!(patched.status.code(), Some(9));
}
