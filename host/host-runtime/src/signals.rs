//! Signals to this process, which are passed on to the container.
//!
//! A thread of its own waits for them, so no handler runs. What has come is kept in a mask that the enclave gets with the
//! next entry of any thread; one that is blocked is woken for it, or else one that runs is interrupted.

use std::io;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use enclave_config::HostSignals;
use sgx_platform::interruptible;

use crate::{control, kernel, terminal};

/// What the container gets; everything else keeps its meaning for the host's process.
static PASSED: AtomicU64 = AtomicU64::new(0);

/// Signals that cannot be passed on: nobody can wait for them, or the emulated enclave uses them.
fn is_own(signal: libc::c_int) -> bool {
    const OWN: [libc::c_int; 8] = [
        libc::SIGKILL,
        libc::SIGSTOP,
        libc::SIGILL,
        libc::SIGTRAP,
        libc::SIGBUS,
        libc::SIGFPE,
        libc::SIGSEGV,
        libc::SIGSYS,
    ];
    // Between the last ordinary signal and the first real-time one lie the C library's.
    let is_of_c_library = signal > libc::SIGSYS && signal < libc::SIGRTMIN();
    OWN.contains(&signal) || is_of_c_library || signal == interruptible::signal()
}

/// How soon it is tried again, if no thread has taken a signal with it.
const RETRY: Duration = Duration::from_millis(5);

/// Signals that no thread of the enclave has been told of: bit `n - 1` is signal `n`.
#[derive(Debug, Default)]
pub(crate) struct Pending(AtomicU64);

impl Pending {
    /// Adds some.
    pub(crate) fn add(&self, signals: u64) {
        self.0.fetch_or(signals, Ordering::AcqRel);
    }

    /// Takes all of them.
    pub(crate) fn take(&self) -> u64 {
        // Most of the time there is nothing, and an exchange would cost more than the look.
        match self.0.load(Ordering::Relaxed) {
            0 => 0,
            _ => self.0.swap(0, Ordering::AcqRel),
        }
    }
}

fn forwarded() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: initialises the set.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: initialised above.
    let mut set = unsafe { set.assume_init() };
    let passed = HostSignals::from_bits(PASSED.load(Ordering::Relaxed));
    for signal in (1..=64).filter(|&signal| passed.has(signal) && !is_own(signal.into())) {
        // SAFETY: a valid set and signal.
        unsafe { libc::sigaddset(&mut set, signal.into()) };
    }
    set
}

/// Blocks the signals that the container takes, in the calling thread and all that it starts; and ignores SIGPIPE.
pub(crate) fn block(taken: HostSignals) -> io::Result<()> {
    PASSED.store(taken.bits(), Ordering::Relaxed);
    // SAFETY: a valid set.
    let error = unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &forwarded(), std::ptr::null_mut()) };
    if error != 0 {
        return Err(io::Error::from_raw_os_error(error));
    }
    // SAFETY: no handler is installed.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    Ok(())
}

/// Who gets the signals.
pub(crate) trait Listener: Sync {
    /// Makes some thread of the enclave enter soon.
    fn tell(&self);

    /// How many times the enclave has delivered signals.
    fn deliveries(&self) -> u64;

    /// Ends the process.
    fn give_up(&self) -> !;
}

/// A signal by which somebody asks the container to end, which has not been delivered.
struct Asked {
    since: Instant,
    /// What the listener counted then.
    deliveries: u64,
}

/// How long an enclave may take to deliver such a signal; `docker stop` waits as long for the end.
const PATIENCE: Duration = Duration::from_secs(10);
/// After this time, a second such signal is no accident.
const IMPATIENCE: Duration = Duration::from_secs(1);
/// How soon it is looked again whether it has.
const LOOK: Duration = Duration::from_millis(100);

/// Starts the thread that waits.
///
/// An enclave that has lost its way delivers nothing, and the signals that would end any other process are blocked here. So this
/// process ends when SIGTERM or SIGINT has not been delivered after [`PATIENCE`], or comes again after [`IMPATIENCE`] and was not.
pub(crate) fn forward(pending: &'static Pending, listener: &'static impl Listener) -> io::Result<()> {
    let body = move || {
        let set = forwarded();
        let mut asked: Option<Asked> = None;
        loop {
            asked = asked.filter(|asked| listener.deliveries() == asked.deliveries);
            if asked
                .as_ref()
                .is_some_and(|asked| asked.since.elapsed() > PATIENCE)
            {
                listener.give_up();
            }
            let is_pending = pending.0.load(Ordering::Acquire) != 0;
            let limit = match (is_pending, &asked) {
                (true, _) => Some(RETRY),
                (false, Some(_)) => Some(LOOK),
                (false, None) => None,
            };
            let limit = limit.map(|limit| kernel::timespec(limit.as_nanos() as u64));
            let args = [
                (&raw const set) as u64,
                0,
                kernel::timespec_address(limit.as_ref()),
                size_of::<u64>() as u64,
                0,
                0,
            ];
            // SAFETY: the kernel reads the first word of the set, and the limit.
            let signal = unsafe { kernel::syscall(libc::SYS_rt_sigtimedwait, args) };
            if matches!(signal as libc::c_int, libc::SIGTERM | libc::SIGINT) {
                let deliveries = listener.deliveries();
                let unheard = asked.filter(|asked| asked.deliveries == deliveries);
                if unheard
                    .as_ref()
                    .is_some_and(|asked| asked.since.elapsed() > IMPATIENCE)
                {
                    listener.give_up();
                }
                asked = unheard.or_else(|| {
                    Some(Asked {
                        since: Instant::now(),
                        deliveries,
                    })
                });
            }
            if signal > 0 {
                pending.0.fetch_or(1 << (signal - 1), Ordering::AcqRel);
            }
            if pending.0.load(Ordering::Acquire) != 0 {
                listener.tell();
            }
        }
    };
    std::thread::Builder::new()
        .name("signals".into())
        .stack_size(64 * 1024)
        .spawn(body)?;
    Ok(())
}

/// Ends the process as this status says (as `wait` gives it).
pub(crate) fn end_process(status: u16) -> ! {
    terminal::restore();
    control::remove();
    let signal = libc::c_int::from(status & 0x7f);
    if signal != 0 {
        let none = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        // SAFETY: a valid limit. A dump of the host's memory would be of no use.
        unsafe { libc::setrlimit(libc::RLIMIT_CORE, &none) };
        // SAFETY: the default action.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
        let mut set = forwarded();
        // SAFETY: a valid set; an invalid signal is refused.
        unsafe { libc::sigaddset(&mut set, signal) };
        // SAFETY: a valid set.
        unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &set, std::ptr::null_mut()) };
        // SAFETY: to this process.
        unsafe { libc::raise(signal) };
        // The signal's default is not to end the process.
        // SAFETY: ends it.
        unsafe { libc::_exit(128 + signal) }
    }
    // SAFETY: ends the process. Other threads are in the enclave: nothing of theirs can be dropped.
    unsafe { libc::_exit((status >> 8).into()) }
}
