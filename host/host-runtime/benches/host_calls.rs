//! The cost of host calls: `cargo bench -p host-runtime`.

#[path = "../tests/scripted_enclave/mod.rs"]
mod scripted_enclave;

use host_abi::{Park, Spawn, Unpark, Wait};
use scripted_enclave::Script;

const FOREVER: Park = Park { wait: Wait::FOREVER };

fn main() {
    let timed = |script: Script| {
        let start = std::time::Instant::now();
        assert!(script.host().command.status().expect("it starts").success());
        start.elapsed().as_nanos() as f64
    };
    let base = timed(Script::default().thread().exit(0));
    println!("start and end of a process: {:.2} ms", base / 1e6);
    let rounds = 2_000_000;
    let empty = Script::default()
        .thread()
        .call(Unpark { slot: 9 })
        .repeat(1, rounds)
        .exit(0);
    println!(
        "an empty host call: {:.0} ns",
        (timed(empty) - base) / rounds as f64
    );
    let rounds = 100_000;
    let script = Script::default().thread().call(Spawn);
    let script = script
        .call(Unpark { slot: 1 })
        .call(FOREVER)
        .repeat(2, rounds)
        .exit(0);
    let script = script
        .thread()
        .call(FOREVER)
        .call(Unpark { slot: 0 })
        .repeat(2, rounds)
        .end_thread();
    println!(
        "to another thread and back: {:.0} ns",
        (timed(script) - base) / rounds as f64
    );
}
