//! Host threads at TCSs, and the loop around an enclave's entries.
//!
//! A host thread stays with the slot that it was made for: when the enclave's thread there ends, it waits for the next.

use std::convert::Infallible;
use std::fs::File;
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use enclave_layout::{EntryReason, ExitReason, PAGE_SIZE};
use host_abi::{
    AREA_SIZE, Answer, CallCode, Exit as ExitCall, HostFd, OUTBOX_OFFSET, RECORD_SIZE, Record, STAGING_OFFSET,
};
use sgx_platform::{AsyncExit, Enclave, Exit, PlatformError, Thread};

use crate::backlog::Backlog;
use crate::control::Requests;
use crate::kernel;
use crate::outbox::{Outbox, Watcher};
use crate::rootfs::RootfsMapping;
use crate::serve::{Ahead, Host, Quoting, Staging};
use crate::signals::{self, Pending};
use crate::stats::{self, Counts, EnclaveReport};
use crate::wake::Waker;

/// Bytes of a host thread's stack; the enclave's threads have their own.
const STACK_SIZE: usize = 256 * 1024;

/// How long a container that has ended waits for the network to take what it had sent.
const LAST_SENDING: Duration = Duration::from_secs(5);

/// A running enclave and all that serves it. It lives as long as the process.
pub(crate) struct Runtime<E> {
    pub(crate) enclave: E,
    pub(crate) host: Box<dyn Host>,
    pub(crate) slots: Vec<Slot>,
    pub(crate) rootfs: RootfsMapping,
    pub(crate) quoting: Quoting,
    pub(crate) ahead: Ahead,
    pub(crate) watcher: Watcher,
    pub(crate) backlog: Backlog,
    pub(crate) signals: Pending,
    pub(crate) requests: Requests,
    pub(crate) report: EnclaveReport,
    /// Where lines about system calls go, if not to standard error.
    pub(crate) trace_file: Option<File>,
    pub(crate) print_stats: bool,
    pub(crate) pool: Mutex<Pool>,
}

/// Which slots are free.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    /// Slots whose host thread waits.
    idle: Vec<usize>,
    /// Slots below this have a host thread.
    pub(crate) used: usize,
}

/// What belongs to one TCS.
pub(crate) struct Slot {
    tcs: u64,
    area: CallArea,
    pub(crate) waker: Waker,
    pub(crate) counts: Counts,
    outbox: Outbox,
    /// 1: the waiting host thread is to enter.
    start: AtomicU32,
}

/// A call area: memory that the enclave writes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallArea(u64);

impl CallArea {
    /// # Safety
    /// `address` is that of [`AREA_SIZE`] bytes, mapped for as long as the process lives.
    pub(crate) unsafe fn new(address: u64) -> Self {
        Self(address)
    }

    /// The staging buffer.
    pub(crate) fn staging(self) -> Staging {
        // SAFETY: the rest of the area.
        unsafe { Staging::new(self.0 + STAGING_OFFSET as u64) }
    }

    fn outbox(self) -> Outbox {
        // SAFETY: the last part of the area.
        unsafe { Outbox::new(self.0 + OUTBOX_OFFSET as u64) }
    }

    fn record(self) -> *mut Record {
        std::ptr::with_exposed_provenance_mut(self.0 as usize)
    }

    fn read(self) -> (u64, [u64; 6]) {
        let record = self.record();
        // SAFETY: within the area, aligned; volatile, since the enclave may write at any time.
        let code = unsafe { (&raw const (*record).code).read_volatile() };
        // SAFETY: as above.
        (code, unsafe { (&raw const (*record).args).read_volatile() })
    }

    fn write(self, answer: Answer) {
        let record = self.record();
        // SAFETY: as above.
        unsafe { (&raw mut (*record).value).write_volatile(answer.value) };
        // SAFETY: as above.
        unsafe { (&raw mut (*record).extra).write_volatile(answer.extra) };
    }

    /// See [`Record::deliveries`].
    fn deliveries(self) -> u64 {
        // SAFETY: as above.
        unsafe { (&raw const (*self.record()).deliveries).read_volatile() }
    }

    fn set_signals(self, signals: u64) {
        // SAFETY: as above.
        unsafe { (&raw mut (*self.record()).signals).write_volatile(signals) };
    }
}

const _: () = assert!(RECORD_SIZE <= STAGING_OFFSET && AREA_SIZE.is_multiple_of(PAGE_SIZE as usize));

impl Slot {
    pub(crate) fn new(tcs: u64, area: CallArea) -> Self {
        Self {
            tcs,
            area,
            waker: Waker::default(),
            counts: Counts::default(),
            outbox: area.outbox(),
            start: AtomicU32::new(0),
        }
    }

    pub(crate) fn area(&self) -> CallArea {
        self.area
    }

    fn wait_for_start(&self) {
        while self.start.swap(0, Ordering::Acquire) == 0 {
            let operation = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
            let args = [self.start.as_ptr() as u64, operation as u64, 0, 0, 0, 0];
            // SAFETY: a futex on a word that lives.
            unsafe { kernel::syscall(libc::SYS_futex, args) };
        }
    }

    fn start(&self) {
        self.start.store(1, Ordering::Release);
        let operation = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
        let args = [self.start.as_ptr() as u64, operation as u64, 1, 0, 0, 0];
        // SAFETY: as above.
        unsafe { kernel::syscall(libc::SYS_futex, args) };
    }
}

impl<E: Enclave> Runtime<E> {
    /// Lends the calling thread to the enclave as its first one; and for ever, since there is no way back.
    pub(crate) fn lend_main_thread(&'static self) -> Result<Infallible, PlatformError> {
        if let Ok(mut pool) = self.pool.lock() {
            pool.used = 1;
        }
        self.serve_slot(0)
    }

    /// Starts one more thread in the enclave.
    pub(crate) fn spawn(&'static self) -> i64 {
        let Ok(mut pool) = self.pool.lock() else {
            return kernel::error(libc::EIO);
        };
        if let Some(slot) = pool.idle.pop() {
            self.slots[slot].start();
            return 0;
        }
        let slot = pool.used;
        if slot == self.slots.len() {
            return kernel::error(libc::ENOSPC);
        }
        let body = move || {
            let Err(error) = self.serve_slot(slot);
            fatal(&format!("a thread cannot enter the enclave: {error}"))
        };
        match std::thread::Builder::new().stack_size(STACK_SIZE).spawn(body) {
            Ok(_) => {
                pool.used += 1;
                0
            }
            Err(error) => kernel::error(error.raw_os_error().unwrap_or(libc::EAGAIN)),
        }
    }

    fn serve_slot(&'static self, number: usize) -> Result<Infallible, PlatformError> {
        let slot = &self.slots[number];
        let mut thread = self.enclave.thread(slot.tcs)?;
        slot.waker.set_interrupter(thread.interrupter());
        loop {
            self.run_thread(number, slot, &mut thread);
            if let Ok(mut pool) = self.pool.lock() {
                pool.idle.push(number);
            }
            slot.wait_for_start();
        }
    }

    /// Enters until the enclave's thread ends.
    fn run_thread(&'static self, number: usize, slot: &Slot, thread: &mut impl Thread) {
        let area = slot.area;
        let enter_with = |thread: &mut _, reason, signals| {
            if signals != 0 {
                // The enclave may be about to block in its next call, and look at the signals only when it is back.
                slot.waker.wake();
            }
            area.set_signals(self.host.signals(signals));
            slot.counts.enter();
            Thread::enter(thread, self.host.call_area(area.0), reason)
        };
        let enter = |thread: &mut _, reason| enter_with(thread, reason, self.signals.take());
        // A thread that begins looks at no signals: others take them.
        let mut exit = enter_with(thread, EntryReason::Normal, 0);
        loop {
            exit = match exit {
                Exit::Left(reason) => match ExitReason::from_raw(reason) {
                    Some(ExitReason::HostCall) => {
                        self.serve_call(number, slot);
                        enter(thread, EntryReason::Normal)
                    }
                    Some(ExitReason::ThreadEnd) => {
                        slot.outbox
                            .empty(&self.watcher, &|fd, at, len| self.send(fd, at, len));
                        return;
                    }
                    Some(ExitReason::Resume) => {
                        slot.counts.resume();
                        thread.resume()
                    }
                    None => fatal("the enclave left for a reason that does not exist"),
                },
                Exit::Async(cause) => {
                    match cause {
                        AsyncExit::Interrupt => slot.counts.interrupt(),
                        AsyncExit::Exception(vector) => slot.counts.exception(vector),
                    }
                    enter(thread, EntryReason::Exception)
                }
                Exit::Refused => match thread.debugged() {
                    Some(state) => fatal(&format!(
                        "the enclave failed while it handled an exception: rip {:#x} rsp {:#x} address {:#x}",
                        state.registers.rip, state.registers.rsp, state.address
                    )),
                    None => fatal("the enclave failed while it handled an exception"),
                },
            };
        }
    }

    fn serve_call(&'static self, number: usize, slot: &Slot) {
        slot.outbox
            .empty(&self.watcher, &|fd, at, len| self.send(fd, at, len));
        let (code, args) = slot.area.read();
        let staging = slot.area.staging();
        let answer = match CallCode::from_raw(code) {
            Some(code) => {
                slot.counts.call(code);
                let mut honest = || self.answer(number, code, args, staging);
                self.host.answer(code, args, staging, &mut honest)
            }
            None => Answer {
                value: kernel::error(libc::ENOSYS),
                extra: [0; 2],
            },
        };
        slot.area.write(answer);
    }

    /// Sends a posted piece that lies at an address; what became of it.
    fn send(&self, fd: HostFd, address: u64, len: usize) -> i64 {
        // SAFETY: a piece lies in an outbox, which is mapped for ever.
        let result = unsafe { self.backlog.send(fd, address, len) };
        self.host.sent(result)
    }

    /// Sends what the thread in a slot has posted.
    pub(crate) fn flush(&self, slot: usize) {
        if let Some(slot) = self.slots.get(slot) {
            slot.outbox.send(&|fd, at, len| self.send(fd, at, len));
        }
    }

    /// A small piece is sent by a call of its own.
    pub(crate) fn note_send(&'static self) {
        let used = || self.pool.lock().map_or(0, |pool| pool.used);
        let watch = move || {
            self.watcher.watch(
                &self.backlog,
                || self.slots[..used()].iter().map(|slot| &slot.outbox),
                &|fd, at, len| self.send(fd, at, len),
            );
        };
        self.watcher.note_send(|| Watcher::spawn(watch));
    }

    /// Ends the process as the container has ended.
    pub(crate) fn end(&self, call: ExitCall) -> ! {
        let used = self.pool.lock().map_or(0, |pool| pool.used);
        (0..used).for_each(|slot| self.flush(slot));
        self.backlog.drain(LAST_SENDING);
        if self.print_stats {
            eprint!(
                "{}",
                stats::table(self.slots[..used].iter().map(|slot| &slot.counts), &self.report)
            );
        }
        signals::end_process(call.status)
    }

    /// Makes some thread of the enclave enter soon.
    pub(crate) fn tell_any(&self) {
        let used = self.pool.lock().map_or(0, |pool| pool.used);
        let threads = &self.slots[..used];
        if !threads.iter().any(|slot| slot.waker.wake_if_blocked()) {
            threads.iter().for_each(|slot| slot.waker.interrupt());
        }
    }
}

impl<E: Enclave> signals::Listener for Runtime<E> {
    fn tell(&self) {
        self.tell_any();
    }

    fn deliveries(&self) -> u64 {
        let used = self.pool.lock().map_or(0, |pool| pool.used);
        let slots = self.slots[..used].iter();
        slots.map(|slot| slot.area.deliveries()).max().unwrap_or(0)
    }

    fn give_up(&self) -> ! {
        fatal("the enclave does not deliver the signals that it gets, so it is ended")
    }
}

/// Ends the process: nothing can be done for this enclave.
fn fatal(what: &str) -> ! {
    crate::terminal::restore();
    crate::control::remove();
    eprintln!("nacre: {what}");
    // 70 is EX_SOFTWARE of sysexits.h.
    // SAFETY: ends the process.
    unsafe { libc::_exit(70) }
}

/// Maps the call areas of `count` threads.
pub(crate) fn map_areas(count: usize) -> io::Result<Vec<CallArea>> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    let len = count * AREA_SIZE;
    // SAFETY: a new mapping.
    let start = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            len,
            libc::PROT_READ | libc::PROT_WRITE,
            flags,
            -1,
            0,
        )
    };
    if start == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    let start = start.expose_provenance() as u64;
    // SAFETY: each is a part of the mapping, which is never unmapped.
    Ok((0..count)
        .map(|index| unsafe { CallArea::new(start + (index * AREA_SIZE) as u64) })
        .collect())
}
