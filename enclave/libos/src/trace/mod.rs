//! The lines of `--trace`: one for each system call that a program makes.

mod names;

use alloc::format;
use alloc::string::String;
use core::fmt::Write;
use core::sync::atomic::{AtomicBool, Ordering};

use host_abi::MessageKind;
use kobject::Result;

use crate::console;
use crate::process::Thread;
use crate::syscall::table::Row;
use crate::user;
use names::Shown;

static ON: AtomicBool = AtomicBool::new(false);

/// Starts tracing: only where the measured configuration allows debugging.
pub(crate) fn start() {
    ON.store(true, Ordering::Relaxed);
}

/// Whether a line per system call is printed.
pub(crate) fn is_on() -> bool {
    ON.load(Ordering::Relaxed)
}

/// Prints a system call that has been answered.
#[cold]
pub(crate) fn line(thread: &Thread, row: Option<&Row>, number: u64, args: &[u64; 6], result: &Result<u64>) {
    let mut line = match row {
        Some(row) => format!("[{}] {}(", thread.tid, row.name),
        None => format!("[{}] syscall_{number}(", thread.tid),
    };
    let kinds = row.map_or("xxxxxx", |row| row.arguments);
    for (index, (kind, &arg)) in kinds.bytes().zip(args).enumerate() {
        let named = row.and_then(|row| names::show(row.name, index, args));
        if named == Some(Shown::Nothing) {
            break;
        }
        if index > 0 {
            line.push_str(", ");
        }
        let next = args.get(index + 1).copied().unwrap_or(0);
        match named {
            Some(Shown::Names(names)) => line.push_str(&names),
            _ => argument(&mut line, kind, arg, next),
        }
    }
    let _ = match result {
        Ok(value) if *value > u64::from(u32::MAX) => writeln!(line, ") = {value:#x}"),
        Ok(value) => writeln!(line, ") = {value}"),
        Err(errno) => writeln!(line, ") = -1 {errno}"),
    };
    console::print(MessageKind::Trace, &line);
}

fn argument(line: &mut String, kind: u8, arg: u64, next: u64) {
    let _ = match (kind, arg) {
        (b'd', _) => write!(line, "{}", arg as i32),
        (b'l', _) => write!(line, "{}", arg.cast_signed()),
        (_, 0) if kind != b'x' => write!(line, "NULL"),
        (b's', _) => match user::get_path(arg) {
            Ok(path) => write!(line, "\"{}\"", path.escape_ascii()),
            Err(_) => write!(line, "{arg:#x}"),
        },
        (b'b', _) => match user::get_bytes(arg, (next as usize).min(32)) {
            Ok(bytes) if next > 32 => write!(line, "\"{}\"...", bytes.escape_ascii()),
            Ok(bytes) => write!(line, "\"{}\"", bytes.escape_ascii()),
            Err(_) => write!(line, "{arg:#x}"),
        },
        _ => write!(line, "{arg:#x}"),
    };
}
