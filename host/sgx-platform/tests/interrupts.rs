//! Interrupts of a thread in the enclave, in its exception handler, and blocked in the host.

mod tiny_enclave;

use std::os::unix::thread::JoinHandleExt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use enclave_layout::{Acceptance, EntryReason, PageRange};
use sgx_platform::emulator::{Emulated, EncluSites};
use sgx_platform::{AsyncExit, Enclave, Exit, Interrupter, Thread, interruptible};
use tiny_enclave::*;

const INTERRUPTED: Exit = Exit::Async(AsyncExit::Interrupt);

/// Runs `routine` on slot 0 and lets `disturb` interrupt it until it has ended; gives the last exit and how often it
/// was interrupted.
fn disturbed(
    routine: u64,
    prepare: fn(&Emulated),
    disturb: impl FnOnce(Interrupter, &AtomicBool),
) -> (Exit, u32) {
    let enclave = enclave(1, EncluSites::Patched);
    prepare(&enclave);
    let (sender, receiver) = mpsc::channel();
    let has_ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let running = scope.spawn(|| {
            let mut thread = thread(&enclave, 0);
            sender.send(thread.interrupter()).unwrap();
            let mut count = 0;
            let mut exit = enter(&mut thread, routine);
            while exit == INTERRUPTED {
                assert_eq!(ssa(0).exit_info, 0);
                count += 1;
                exit = handle(&mut thread, 0, |state| state.rip);
            }
            has_ended.store(true, Ordering::Relaxed);
            (exit, count)
        });
        disturb(receiver.recv().unwrap(), &has_ended);
        running.join().unwrap()
    })
}

#[test]
fn a_spinning_thread_is_interrupted() {
    let _alone = alone();
    let (exit, count) = disturbed(
        tiny_spin::address(),
        |_| (),
        |interrupter, _| {
            for _ in 0..300 {
                let seen = word(DATA + 8);
                while word(DATA + 8) == seen {
                    std::hint::spin_loop();
                }
                interrupter.interrupt();
                std::thread::sleep(Duration::from_micros(20));
            }
            set_word(DATA, 1);
        },
    );
    assert_eq!(exit, Exit::Left(DONE));
    assert!(count > 30, "{count}");
}

#[test]
fn an_interrupt_in_a_leaf_changes_nothing() {
    let _alone = alone();
    // EMODPE of DATA by the SECINFO at DATA + 64, EACCEPT by the one at DATA + 128, which expects another state.
    let prepare = |_: &Emulated| {
        let words = [
            (8, DATA + 64),
            (16, DATA),
            (24, 100_000),
            (32, DATA + 128),
            (64, 0x203),
            (128, 0x20b),
        ];
        words
            .into_iter()
            .for_each(|(at, value)| set_word(DATA + at, value));
    };
    let (exit, count) = disturbed(tiny_leaf_loop::address(), prepare, |interrupter, has_ended| {
        while !has_ended.load(Ordering::Relaxed) {
            interrupter.interrupt();
            std::thread::sleep(Duration::from_micros(5));
        }
    });
    assert_eq!(exit, Exit::Left(DONE));
    assert!(count > 10, "{count}");
}

#[test]
fn an_interrupt_while_a_page_is_copied_changes_nothing() {
    let _alone = alone();
    const PAGES: u64 = 20_000;
    let prepare = |enclave: &Emulated| {
        let pages = PageRange::new(DYNAMIC, PAGES * 4096).unwrap();
        enclave.commit(pages, Acceptance::Copies).unwrap();
        let words = [
            (8, DATA + 64),
            (16, DYNAMIC),
            (24, PAGES),
            (32, READ_ONLY),
            (64, 0x201),
        ];
        words
            .into_iter()
            .for_each(|(at, value)| set_word(DATA + at, value));
    };
    let (exit, count) = disturbed(tiny_copy_many::address(), prepare, |interrupter, has_ended| {
        while !has_ended.load(Ordering::Relaxed) {
            interrupter.interrupt();
            std::thread::sleep(Duration::from_micros(5));
        }
    });
    assert_eq!(exit, Exit::Left(DONE));
    assert!(count > 10, "{count}");
}

#[test]
fn an_interrupt_during_an_exception_comes_afterwards() {
    let _alone = alone();
    let enclave = enclave(1, EncluSites::Patched);
    let mut thread = thread(&enclave, 0);
    assert_eq!(
        enter(&mut thread, tiny_undefined::address()),
        Exit::Async(AsyncExit::Exception(6))
    );
    thread.interrupter().interrupt();
    assert_eq!(handle(&mut thread, 0, |state| state.rip + 2), INTERRUPTED);
    assert_eq!(ssa(0).exit_info, 0);
    assert_eq!(
        thread.enter(tiny_cssa::address(), EntryReason::Exception),
        Exit::Left(1)
    );
    assert_eq!(thread.resume(), Exit::Left(DONE));
}

#[test]
fn an_interrupt_before_an_entry_is_seen_by_it() {
    let _alone = alone();
    let enclave = enclave(1, EncluSites::Patched);
    let mut thread = thread(&enclave, 0);
    thread.interrupter().interrupt();
    assert_eq!(enter(&mut thread, tiny_cssa::address()), Exit::Left(0));
    assert_eq!(
        enter(&mut thread, tiny_undefined::address()),
        Exit::Async(AsyncExit::Exception(6))
    );
    assert_eq!(handle(&mut thread, 0, |state| state.rip + 2), Exit::Left(DONE));
}

/// `futex(FUTEX_WAIT)`, which nobody wakes, with this token.
fn wait_for_ever(token: &AtomicU32) -> i64 {
    let word = AtomicU32::new(0);
    let arguments = [(&raw const word) as u64, libc::FUTEX_WAIT as u64, 0, 0, 0, 0];
    // SAFETY: a futex on a word that lives.
    unsafe { interruptible::syscall(token, libc::SYS_futex, arguments) }
}

#[test]
fn a_blocked_thread_is_woken_whenever_the_token_comes() {
    let _alone = alone();
    let _enclave = enclave(1, EncluSites::Patched);
    static TOKEN: AtomicU32 = AtomicU32::new(0);
    let (sender, receiver) = mpsc::channel();
    let sleeper = std::thread::spawn(move || {
        for round in 0..2000 {
            TOKEN.store(0, Ordering::SeqCst);
            sender.send(round).unwrap();
            assert_eq!(wait_for_ever(&TOKEN), -i64::from(libc::EINTR));
        }
    });
    for (round, number) in receiver.iter().enumerate() {
        assert_eq!(round, number);
        for _ in 0..round % 97 {
            std::hint::spin_loop();
        }
        TOKEN.store(1, Ordering::SeqCst);
        // SAFETY: the thread is joined below.
        unsafe { libc::pthread_kill(sleeper.as_pthread_t(), libc::SIGRTMIN() + 2) };
    }
    sleeper.join().unwrap();
}

#[test]
fn a_token_that_is_set_already_ends_the_call_at_once() {
    let _alone = alone();
    assert_eq!(wait_for_ever(&AtomicU32::new(1)), -i64::from(libc::EINTR));
}
