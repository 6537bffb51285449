//! Threads that the enclave asks for, and how they wake each other.

mod scripted_enclave;

use host_abi::{Exit, HostFd, Interrupt, Park, Spawn, StreamRead, Unpark, Wait};
use scripted_enclave::{FLAG, Script};

const EINTR: i64 = -4;
const ENOSPC: i64 = -28;

/// The exit code, with standard input that never says anything.
fn run(script: Script) -> Option<i32> {
    let mut host = script.host();
    let mut child = host.command.spawn().unwrap();
    let stdin = child.stdin.take();
    let status = child.wait().unwrap();
    drop(stdin);
    status.code()
}

const FOREVER: Park = Park { wait: Wait::FOREVER };

#[test]
fn a_second_thread_runs_and_its_slot_is_used_again() {
    let spawn = |script: Script| {
        script
            .call(Spawn)
            .expect(0, 100)
            .spin_until(FLAG, 1)
            .store(FLAG, 0)
            .call(Park {
                wait: Wait::nanoseconds(20_000_000),
            })
    };
    let script = (0..5).fold(Script::default().thread(), |script, _| spawn(script));
    assert_eq!(run(script.exit(9).thread().store(FLAG, 1).end_thread()), Some(9));
}

#[test]
fn there_are_as_many_threads_as_were_laid_out() {
    let script = Script::default()
        .thread()
        .call(Spawn)
        .expect(0, 100)
        .call(Spawn)
        .expect(ENOSPC, 101)
        .exit(0);
    assert_eq!(run(script.thread().call(FOREVER)), Some(0));
}

#[test]
fn threads_wake_each_other() {
    let rounds = 2000;
    let script = Script::default().thread().call(Spawn).expect(0, 100);
    let script = script
        .call(Unpark { slot: 1 })
        .call(FOREVER)
        .expect(0, 101)
        .repeat(3, rounds)
        .exit(0);
    let script = script
        .thread()
        .call(FOREVER)
        .expect(0, 102)
        .call(Unpark { slot: 0 })
        .repeat(3, rounds);
    assert_eq!(run(script.end_thread()), Some(0));
}

#[test]
fn a_thread_that_reads_is_woken() {
    let read = StreamRead {
        fd: HostFd::STDIN,
        len: 9,
        wait: Wait::FOREVER,
    };
    // The token may come before the read, or in it: both end it.
    let script = Script::default()
        .thread()
        .call(Spawn)
        .expect(0, 100)
        .store(FLAG, 1);
    let script = script.call(read).expect(EINTR, 101).exit(0);
    let script = script.thread().spin_until(FLAG, 1).call(Park {
        wait: Wait::nanoseconds(30_000_000),
    });
    assert_eq!(run(script.call(Unpark { slot: 0 }).end_thread()), Some(0));

    let script = Script::default()
        .thread()
        .call(Unpark { slot: 0 })
        .call(read)
        .expect(EINTR, 101)
        .exit(0);
    assert_eq!(run(script), Some(0));
}

#[test]
fn a_spinning_thread_is_interrupted_and_goes_on() {
    let script = Script::default()
        .thread()
        .call(Spawn)
        .expect(0, 100)
        .store(FLAG, 1)
        .spin_until(FLAG, 2)
        .exit(8);
    let script = script
        .thread()
        .spin_until(FLAG, 1)
        .call(Interrupt { slot: 0 })
        .repeat(1, 1000)
        .store(FLAG, 2);
    assert_eq!(run(script.end_thread()), Some(8));
}

#[test]
fn unknown_threads_cannot_be_woken() {
    let script = Script::default()
        .thread()
        .call(Unpark { slot: 5 })
        .expect(-3, 100);
    assert_eq!(run(script.call(Exit { status: 0 })), Some(0));
}
