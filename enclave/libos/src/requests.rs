//! What somebody on the host asks of a running container: to run a program in it (`nacre exec`), and which processes there are
//! (`nacre top`). **Only where the measured configuration allows debugging**: elsewhere [`allow`] does nothing, and without it nothing
//! here does anything, whatever the host announces.
//!
//! A host announces a request by a signal at an entry. A thread of its own takes it then, so that no thread of a program waits for it.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use enclave_config::Config;
use enclave_rt::frame::TrapFrame;
use enclave_rt::{call, entry, thread};
use host_abi::{AnswerRequest, HostFd, Request, STAGING_SIZE, TakeRequest, Wish};
use kobject::{Description, Errno, Once, Result, SpinLock};
use libos_fs::Context;
use libos_io::{Stream, Terminal};
use linux_abi::OpenFlags;

use crate::boot::{self, Refusal};
use crate::process::descriptors::OnExec;
use crate::process::exit::Status;
use crate::process::{Process, Thread, exec, limits, table};
use crate::terminal::bridge::Bridge;

/// What a program is run with that somebody asks for: as the image's own.
struct Allowed {
    context: Context,
    environment: Vec<Vec<u8>>,
}

static ALLOWED: Once<Allowed> = Once::new();

/// The terminals of programs that were asked for, by the requests' numbers.
static BRIDGES: SpinLock<BTreeMap<u64, Arc<Bridge>>> = SpinLock::new(BTreeMap::new());

/// Most programs that were asked for and have a terminal.
const MAX_BRIDGES: usize = 64;

/// Exit code of what cannot be run, as container engines have it.
const CANNOT_RUN: u8 = 126;

/// Lets the host ask, if the configuration allows debugging.
pub(crate) fn allow(config: &Config, context: &Context, environment: Vec<Vec<u8>>) {
    if config.debug {
        ALLOWED.get_or_make(|| Allowed {
            context: context.clone(),
            environment,
        });
    }
}

/// The host says that there is a request.
pub(crate) fn announced() {
    if ALLOWED.get().is_some() {
        // Without a thread the request waits until it is announced again.
        let _ = thread::spawn(Box::new(take_all));
    }
}

/// Takes requests until there are none.
fn take_all() {
    while let Some(request) = take() {
        let number = request.number;
        match request.wish {
            Wish::ListProcesses => answer(number, Status::exited(0), &processes()),
            Wish::Resize => {
                let bridge = BRIDGES.lock().get(&number).cloned();
                if let Some(bridge) = bridge {
                    bridge.follow_size();
                }
            }
            Wish::Execute { .. } => {
                if let Err(errno) = thread::spawn(Box::new(move || execute(request))) {
                    let text = format!(
                        "every thread of the enclave is in use ({errno}): convert with a larger --threads"
                    );
                    answer(number, Status::exited(CANNOT_RUN), &text);
                }
            }
        }
    }
}

fn take() -> Option<Request> {
    let len = call::call(&TakeRequest).ok()?;
    let mut bytes = alloc::vec![0; len];
    call::staging().part(0, len).read(&mut bytes);
    Request::decode(&bytes).ok()
}

fn answer(number: u64, status: Status, text: &str) {
    let bytes = text.as_bytes();
    let bytes = bytes.get(..bytes.len().min(STAGING_SIZE)).unwrap_or_default();
    call::staging().write(bytes);
    let _ = call::call(&AnswerRequest {
        number,
        status: status.raw(),
        len: bytes.len(),
    });
}

/// The calling thread becomes the first one of a program, or answers why not.
fn execute(request: Request) {
    let number = request.number;
    match begin(request) {
        Ok(mut frame) => entry::enter_program(&mut frame),
        Err(refusal) => {
            close(number);
            answer(number, Status::exited(refusal.code), &refusal.line);
        }
    }
}

/// Makes the program's process, and loads it. Nothing of what it holds is left on the stack.
fn begin(request: Request) -> core::result::Result<TrapFrame, Refusal> {
    let number = request.number;
    let (
        Wish::Execute {
            args,
            env,
            terminal,
            streams,
        },
        Some(allowed),
    ) = (request.wish, ALLOWED.get())
    else {
        return Err(Refusal::program(b"", b"", Errno::EINVAL));
    };
    // Whatever happens, they are closed.
    let [input, output, error] = streams;
    let lent = [
        lend(input, HostFd::STDIN),
        lend(output, HostFd::STDOUT),
        lend(error, HostFd::STDERR),
    ];
    let context = &allowed.context;
    let program = args.first().cloned().unwrap_or_default();
    let mut environment = allowed.environment.clone();
    environment.extend(env);
    let path = boot::search(context, &program, &environment)
        .map_err(|errno| Refusal::program(&program, &program, errno))?;
    let request = exec::Request {
        path: path.clone(),
        file: None,
        arguments: args,
        environment,
    };
    let prepared = exec::prepare(context, request)
        .map_err(|failure| Refusal::program(&path, &failure.file, failure.errno))?;
    let failed = |errno| Refusal::program(&path, &path, errno);
    let space = prepared.space(crate::container().memory).map_err(failed)?;
    let pid = table::new_number();
    let process = Process::first(pid, space.clone(), context.clone());
    let thread = Thread::first(process.clone());
    process.add_thread(thread.clone());
    space.admit(&thread.pin);
    table::add(process.clone());
    thread.begin();
    let opened = match terminal {
        true => open_terminal(number, &process, lent),
        false => open_streams(&process, lent),
    };
    let frame = opened.and_then(|()| exec::start(&thread, prepared));
    match frame {
        Ok(frame) => {
            process.request.store(number, Ordering::Release);
            Ok(frame)
        }
        Err(errno) => {
            process.close_descriptors(0, u32::MAX);
            process.remove_thread(pid);
            table::remove(pid);
            space.unpin(&thread.pin);
            space.dismiss(&thread.pin);
            Err(failed(errno))
        }
    }
}

/// A stream that the host lends; `None` if it is closed, or an answer makes no sense.
fn lend(fd: HostFd, role: HostFd) -> Option<Arc<Stream>> {
    let terminal = Arc::new(Terminal {
        foreground: 0.into(),
        session: 0.into(),
    });
    Stream::lent(fd, role, terminal).ok().flatten()
}

fn add(process: &Process, file: &Arc<Description>, fd: u32) -> Result<()> {
    process
        .descriptors
        .with(|table| table.add(file, OnExec::Keep, fd, limits::MAX_FILES))
        .map(drop)
}

fn open_streams(process: &Process, lent: [Option<Arc<Stream>>; 3]) -> Result<()> {
    for (fd, stream) in (0..).zip(lent) {
        let Some(stream) = stream else { continue };
        let flags = if stream.is_terminal() {
            OpenFlags::O_RDWR
        } else {
            direction(fd)
        };
        let path = format!("/dev/fd/{fd}");
        add(process, &Description::new(stream, flags, path.as_bytes()), fd)?;
    }
    Ok(())
}

fn direction(fd: u32) -> OpenFlags {
    if fd == HostFd::STDIN.raw() {
        OpenFlags::empty()
    } else {
        OpenFlags::O_WRONLY
    }
}

fn open_terminal(number: u64, process: &Process, lent: [Option<Arc<Stream>>; 3]) -> Result<()> {
    let [Some(input), Some(output), _] = lent else {
        return Err(Errno::EBADF);
    };
    if BRIDGES.lock().len() >= MAX_BRIDGES {
        return Err(Errno::ENOSPC);
    }
    let bridge = Bridge::new(input, output)?;
    let slave = bridge.open()?;
    bridge.start()?;
    BRIDGES.lock().insert(number, bridge);
    for fd in [HostFd::STDIN, HostFd::STDOUT, HostFd::STDERR] {
        add(process, &slave, fd.raw())?;
    }
    Ok(())
}

/// The terminal of a request's program is not used any more.
fn close(number: u64) {
    let bridge = BRIDGES.lock().remove(&number);
    if let Some(bridge) = bridge {
        bridge.end();
    }
}

/// A process has ended: if it was asked for, who asked is told how.
pub(crate) fn ended(process: &Process, status: Status) {
    let number = process.request.swap(0, Ordering::AcqRel);
    if number != 0 {
        close(number);
        answer(number, status, "");
    }
}

/// The table of `nacre top`, and what turns have cost. The host adds what it counts.
fn processes() -> String {
    let mut text = String::from("  PID  PPID   UID STATE THREADS     MEMORY  COMMAND\n");
    for process in table::processes() {
        let threads = process.threads();
        let is_running = threads.iter().any(|thread| !thread.is_outside());
        let state = match () {
            () if process.is_zombie.load(Ordering::Acquire) => "ended",
            () if process.stop.is_stopped() => "stopped",
            () if is_running => "runs",
            () => "waits",
        };
        let (_, resident) = process.space().size();
        let arguments = process.image.lock().arguments.clone();
        let words: Vec<String> = arguments
            .iter()
            .map(|word| format!("{}", word.escape_ascii()))
            .collect();
        text += &format!(
            "{:>5} {:>5} {:>5} {state:<7} {:>5} {:>6} KiB  {}\n",
            process.pid,
            process.parent(),
            process.uid(),
            threads.len(),
            resident / 1024,
            words.join(" "),
        );
    }
    let costs = libos_mm::turn_costs();
    text += &format!(
        "{} turns so far, which exchanged {} pages\n",
        costs.turns, costs.exchanged
    );
    text
}
