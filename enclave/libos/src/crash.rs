//! The report of a program that a signal kills: registers, mapping, and a stack with names.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Write;

use enclave_rt::frame::TrapFrame;
use host_abi::MessageKind;
use kobject::Description;
use libos_fs::{At, OpenHow};
use linux_abi::{OpenFlags, Signal};

use crate::loader::symbols::{self, Place};
use crate::process::Thread;
use crate::process::table::INIT;
use crate::signal::SignalInfo;
use crate::{console, user};

/// How many frames of the stack are shown.
const DEPTH: usize = 32;
/// How many words of the stack are looked at.
const WORDS: u64 = 2048;

/// Prints the report. Without the measured configuration's leave to debug, only what the host sees anyway: that the container's first
/// program ends, and by which signal.
pub(crate) fn report(thread: &Thread, signal: Signal, frame: &TrapFrame, info: &SignalInfo) {
    if !crate::container().debug {
        if thread.process.pid == INIT {
            let line = format!(
                "{} was killed by signal {}: convert with --debug for a report\n",
                thread.program(),
                signal.raw()
            );
            console::print(MessageKind::Notice, &line);
        }
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
    let maps = Maps::parse(&thread.process.space().maps());
    let canonical = thread.process.space().canonical_address(r.rip);
    for (name, address) in [("code", canonical), ("address", info.fields[0])] {
        let mapping = maps.find(address).map_or("(not mapped)", |mapping| &mapping.line);
        let _ = writeln!(text, "{name} {address:#x}: {mapping}");
    }
    text.push_str("stack (? is a guess):\n");
    let mut frames = alloc::vec![Caller {
        address: canonical,
        is_sure: true
    }];
    frames.extend(callers(frame, &maps).take(DEPTH));
    let places = places(&maps, &frames);
    for (depth, (frame, place)) in frames.iter().zip(places).enumerate() {
        let mark = if frame.is_sure { ' ' } else { '?' };
        let function = match place {
            Some(Place { function, distance }) => {
                format!("{}+{distance:#x} ", function.escape_ascii())
            }
            None => String::new(),
        };
        let address = frame.address;
        let _ = writeln!(
            text,
            " {mark}#{depth:<2} {address:016x} {function}{}",
            maps.describe(address)
        );
    }
    console::print(MessageKind::Crash, &text);
}

/// An address in a function that had called another one, or the one that crashed.
struct Caller {
    address: u64,
    /// Found by frame pointers.
    is_sure: bool,
}

/// Return addresses on the stack, innermost first. Most code has no frame pointers, and to read unwind tables is not the
/// LibOS's business: so all that follows a call and is on the stack is shown, and what frame pointers lead to is marked.
fn callers(frame: &TrapFrame, maps: &Maps) -> impl Iterator<Item = Caller> {
    let stack = frame.registers.rsp & !7;
    let mut pointer = frame.registers.rbp;
    (0..WORDS)
        .map_while(move |word| {
            let at = stack.checked_add(word * 8)?;
            let address = user::get::<u64>(at).ok()?;
            let is_sure = at == pointer.wrapping_add(8) && pointer >= stack;
            if is_sure {
                pointer = user::get(pointer).ok()?;
            }
            Some((address, is_sure))
        })
        .filter(|&(address, is_sure)| is_sure || maps.is_code(address) && follows_call(address))
        .map(|(address, is_sure)| Caller { address, is_sure })
}

/// Whether the instruction before is a call: `E8` with a distance of four bytes, or one form of `FF /2`.
fn follows_call(address: u64) -> bool {
    let Some(Ok(before)) = address.checked_sub(7).map(user::get::<[u8; 7]>) else {
        return false;
    };
    let is_indirect =
        |len: usize| matches!(before.get(7 - len..), Some(&[0xff, modrm, ..]) if modrm & 0x38 == 0x10);
    before[2] == 0xe8 || [2, 3, 4, 6, 7].into_iter().any(is_indirect)
}

/// The functions of all frames: each file is read once.
fn places(maps: &Maps, frames: &[Caller]) -> Vec<Option<Place>> {
    let mut places: Vec<Option<Place>> = frames.iter().map(|_| None).collect();
    // A return address may lie behind a function's end, if what it called does not return.
    let position = |(depth, frame): (usize, &Caller)| {
        let at = frame.address.wrapping_sub(u64::from(depth > 0));
        let mapping = maps.find(at)?;
        Some((depth, &mapping.path, at - mapping.start + mapping.offset))
    };
    let positions: Vec<_> = frames.iter().enumerate().filter_map(position).collect();
    let paths: BTreeSet<_> = positions.iter().map(|&(_, path, _)| path).collect();
    for path in paths.into_iter().filter(|path| path.starts_with('/')) {
        let (depths, offsets): (Vec<_>, Vec<_>) = positions
            .iter()
            .filter(|&&(_, of, _)| of == path)
            .map(|&(depth, _, offset)| (depth, offset))
            .unzip();
        // Without names there is still file and offset.
        let found = open(path).and_then(|file| symbols::functions(&file, &offsets));
        for (depth, place) in depths.into_iter().zip(found.unwrap_or_default()) {
            // The address itself, not the one before it.
            let place = place.map(|place| Place {
                distance: place.distance + u64::from(depth > 0),
                ..place
            });
            if let Some(slot) = places.get_mut(depth) {
                *slot = place;
            }
        }
    }
    places
}

fn open(path: &str) -> kobject::Result<Arc<Description>> {
    let vfs = crate::container().vfs();
    // Something else may be there meanwhile, which must not be waited for.
    let how = OpenHow::open(OpenFlags::O_NONBLOCK.bits(), 0)?;
    vfs.open(&vfs.root_context(), At::Cwd, path.as_bytes(), how)
}

/// The mappings of a program by address.
struct Maps(Vec<MapLine>);

/// A line of /proc/self/maps.
struct MapLine {
    start: u64,
    end: u64,
    offset: u64,
    is_code: bool,
    path: String,
    line: String,
}

impl Maps {
    fn parse(text: &[u8]) -> Self {
        let parse = |line: &str| {
            // Addresses, permissions, offset, device, inode, path (which may hold blanks).
            let mut words = line.splitn(6, ' ');
            let (start, end) = words.next()?.split_once('-')?;
            let permissions = words.next()?;
            let hexadecimal = |text: &str| u64::from_str_radix(text, 16).ok();
            let offset = hexadecimal(words.next()?)?;
            let path = words.nth(2).map_or("", str::trim_start);
            Some(MapLine {
                start: hexadecimal(start)?,
                end: hexadecimal(end)?,
                offset,
                is_code: permissions.contains('x'),
                path: String::from(if path.is_empty() { "(anonymous)" } else { path }),
                line: String::from(line),
            })
        };
        Self(String::from_utf8_lossy(text).lines().filter_map(parse).collect())
    }

    fn find(&self, address: u64) -> Option<&MapLine> {
        let holds = |mapping: &&MapLine| (mapping.start..mapping.end).contains(&address);
        self.0.iter().find(holds)
    }

    fn is_code(&self, address: u64) -> bool {
        self.find(address).is_some_and(|mapping| mapping.is_code)
    }

    /// The file and the offset in it: what `addr2line` and `gdb` take.
    fn describe(&self, address: u64) -> String {
        match self.find(address) {
            Some(mapping) => format!("{}+{:#x}", mapping.path, address - mapping.start + mapping.offset),
            None => String::from("(not mapped)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_maps_are_understood() {
        let text = b"00401000-00479000 r-xp 00001000 fe:01 7                    /a b\n7f0000-7f1000 rw-p 00000000 00:00 0 \n";
        let maps = Maps::parse(text);
        assert_eq!(maps.describe(0x401010), "/a b+0x1010");
        assert!(maps.is_code(0x478fff) && !maps.is_code(0x479000) && !maps.is_code(0x7f0000));
        assert_eq!(maps.describe(0x7f0008), "(anonymous)+0x8");
        assert_eq!(maps.describe(0), "(not mapped)");
    }
}
