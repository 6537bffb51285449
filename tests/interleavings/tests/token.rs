//! A wake-up is never lost: `enclave-rt`'s token of a thread.

#[path = "../../../enclave/enclave-rt/src/token.rs"]
mod token;

use loom::sync::atomic::{AtomicU32, Ordering};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;

use token::{Begin, Token};

/// The host: a thread blocks until another has it woken.
struct Host {
    woken: Mutex<bool>,
    changed: Condvar,
}

impl Host {
    fn new() -> Self {
        Self {
            woken: Mutex::new(false),
            changed: Condvar::new(),
        }
    }

    fn park(&self) {
        let mut woken = self.woken.lock().unwrap();
        while !*woken {
            woken = self.changed.wait(woken).unwrap();
        }
        *woken = false;
    }

    fn unpark(&self) {
        *self.woken.lock().unwrap() = true;
        self.changed.notify_one();
    }
}

/// One thread waits for flags that others set, each its own: as a `Waiter` waits for what `WaitQueue`s tell it.
#[test]
fn no_wake_up_is_lost() {
    let mut model = loom::model::Builder::new();
    // Three threads have too many orders for all; a lost wake-up needs one preemption, or two.
    model.preemption_bound = Some(3);
    model.check(|| {
        let token = Arc::new(Token::new());
        let host = Arc::new(Host::new());
        let flags = [(); 2].map(|()| Arc::new(AtomicU32::new(0)));
        let wakers = flags.clone().map(|flag| {
            let (token, host) = (token.clone(), host.clone());
            thread::spawn(move || {
                flag.store(1, Ordering::Release);
                if token.leave() {
                    host.unpark();
                }
            })
        });
        // A wake-up that is lost is a deadlock, which loom reports.
        for flag in &flags {
            while flag.load(Ordering::Acquire) == 0 {
                if token.begin_block() == Begin::Block {
                    host.park();
                    token.end_block();
                }
            }
        }
        for waker in wakers {
            waker.join().unwrap();
        }
        assert!(!token.is_blocked());
    });
}
