//! The report of a program that a signal kills: registers, mapping, and a stack with names.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use enclave_rt::frame::TrapFrame;
use host_abi::MessageKind;

use crate::process::Thread;
use crate::signal::{Signal, SignalInfo};
use crate::{trace, user};

/// How many frames of the stack are shown.
const DEPTH: usize = 32;

/// Prints the report. Without the measured configuration's leave to debug, only what the host sees anyway: which signal it was.
pub(crate) fn report(thread: &Thread, signal: Signal, frame: &TrapFrame, info: &SignalInfo) {
    if !crate::container().debug {
        return;
    }
    let r = &frame.registers;
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{} (thread {}) was killed by signal {}, code {}, address {:#x}",
        thread.program(),
        thread.tid,
        signal.raw(),
        info.code,
        info.fields[0]
    );
    let registers = [
        [
            ("rip", r.rip),
            ("rsp", r.rsp),
            ("rbp", r.rbp),
            ("flags", r.rflags),
        ],
        [("rax", r.rax), ("rbx", r.rbx), ("rcx", r.rcx), ("rdx", r.rdx)],
        [("rsi", r.rsi), ("rdi", r.rdi), ("r8", r.r8), ("r9", r.r9)],
        [("r10", r.r10), ("r11", r.r11), ("r12", r.r12), ("r13", r.r13)],
        [
            ("r14", r.r14),
            ("r15", r.r15),
            ("fs", enclave_rt::processor::fs_base()),
            ("addr", frame.exception.address),
        ],
    ];
    for row in registers {
        for (name, value) in row {
            let _ = write!(text, "  {name:>5} {value:016x}");
        }
        text.push('\n');
    }
    let maps = Maps::parse(&thread.process.space.maps());
    let _ = writeln!(text, "stack:");
    let canonical = thread.process.space.canonical_address(r.rip);
    for (depth, address) in core::iter::once(canonical)
        .chain(callers(frame))
        .take(DEPTH)
        .enumerate()
    {
        let _ = writeln!(text, "  #{depth:<2} {address:016x} {}", maps.describe(address));
    }
    trace::print(MessageKind::Crash, &text);
}

/// Return addresses by frame pointers; code without them is skipped over, as any such walk does.
fn callers(frame: &TrapFrame) -> impl Iterator<Item = u64> {
    let mut pointer = frame.registers.rbp;
    let mut floor = frame.registers.rsp;
    core::iter::from_fn(move || {
        if pointer < floor || !pointer.is_multiple_of(8) {
            return None;
        }
        let [next, address]: [u64; 2] = user::get(pointer).ok()?;
        (floor, pointer) = (pointer + 16, next);
        (address != 0).then_some(address)
    })
}

/// The mappings of a program by address.
struct Maps(Vec<(u64, u64, u64, String)>);

impl Maps {
    fn parse(text: &[u8]) -> Self {
        let line = |line: &str| {
            let mut words = line.split_whitespace();
            let (start, end) = words.next()?.split_once('-')?;
            let hexadecimal = |text: &str| u64::from_str_radix(text, 16).ok();
            let offset = hexadecimal(words.nth(1)?)?;
            let path = words.nth(2).unwrap_or("(anonymous)");
            Some((hexadecimal(start)?, hexadecimal(end)?, offset, String::from(path)))
        };
        Self(String::from_utf8_lossy(text).lines().filter_map(line).collect())
    }

    /// The file and the offset in it: what `addr2line` and `gdb` take.
    fn describe(&self, address: u64) -> String {
        let mapping = self
            .0
            .iter()
            .find(|(start, end, ..)| (*start..*end).contains(&address));
        match mapping {
            Some((start, _, offset, path)) => alloc::format!("{path}+{:#x}", address - start + offset),
            None => String::from("(not mapped)"),
        }
    }
}
