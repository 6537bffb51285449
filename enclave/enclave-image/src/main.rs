//! The enclave binary: it links the LibOS at its fixed base and hands control to it.
//!
//! What a freestanding program has to bring itself: memory routines, the allocator, and what happens on a panic.
#![no_std]
#![no_main]

mod memory_routines;

use core::fmt::Write;

use enclave_rt::heap::Heap;
use host_abi::{Message, MessageKind};

enclave_rt::kernel!(libos::KERNEL);

#[global_allocator]
static HEAP: Heap = Heap::new();

/// A line on the stack: the heap may be what has failed.
struct Line {
    bytes: [u8; 512],
    len: usize,
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        for &byte in text.as_bytes() {
            if let Some(place) = self.bytes.get_mut(self.len) {
                *place = byte;
                self.len += 1;
            }
        }
        Ok(())
    }
}

/// Where a panic was, as `file:line`.
struct Place<'a>(&'a core::panic::PanicInfo<'a>);

impl core::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.0.location() {
            Some(place) => write!(f, "{}:{}", place.file(), place.line()),
            None => f.write_str("an unknown place"),
        }
    }
}

/// A panic is a mistake of ours or a host that broke its side; either way the enclave ends: no thread that the host enters goes on.
///
/// What is formatted into a message may be a program's data, or its addresses. So the host gets it only where the measured
/// configuration allows debugging, and otherwise where the panic was and the words that the code has.
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    let mut line = Line {
        bytes: [0; 512],
        len: 0,
    };
    let words = info.message();
    let _ = match (enclave_rt::measured::allows_debugging(), words.as_str()) {
        (true, _) => writeln!(line, "{info}"),
        (false, Some(words)) => writeln!(line, "panicked at {}: {words}", Place(info)),
        (false, None) => writeln!(line, "panicked at {}", Place(info)),
    };
    if let Some(bytes) = line.bytes.get(..line.len) {
        enclave_rt::call::staging().write(bytes);
    }
    let _ = enclave_rt::call::call(&Message {
        kind: MessageKind::Panic,
        len: line.len,
    });
    enclave_rt::thread::refuse_entries();
    loop {
        // SIGABRT, as `wait` gives it.
        let _ = enclave_rt::call::call(&host_abi::Exit { status: 6 });
    }
}

/// Names that the precompiled `core` refers to for unwinding, which this binary does not do.
mod unwinding {
    #[unsafe(no_mangle)]
    extern "C" fn rust_eh_personality() -> ! {
        panic!("no unwinding in the enclave")
    }

    #[unsafe(no_mangle)]
    extern "C" fn _Unwind_Resume() -> ! {
        panic!("no unwinding in the enclave")
    }
}
