//! Whoever waits is seen by whoever would wake it: `kobject`'s census.

#[path = "../../../enclave/kobject/src/census.rs"]
mod census;

use census::Census;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU32, Ordering};
use loom::thread;

/// As `futex_wait` and `futex_wake` use it: the word is changed by a plain store.
#[test]
fn a_waiter_sees_the_change_or_is_seen() {
    loom::model(|| {
        let census = Arc::new(Census::new());
        let word = Arc::new(AtomicU32::new(1));
        let waker = thread::spawn({
            let (census, word) = (census.clone(), word.clone());
            move || {
                word.store(0, Ordering::Relaxed);
                census.is_empty()
            }
        });
        census.enter();
        let sleeps = word.load(Ordering::Relaxed) == 1;
        let finds_nobody = waker.join().unwrap();
        assert!(!(sleeps && finds_nobody), "it would sleep for ever");
        census.leave();
        assert!(census.is_empty());
    });
}
