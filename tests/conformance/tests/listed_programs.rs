//! Some programs of `tests/programs`: small ones, of ecosystems that no other test runs. `cargo xtask programs` runs
//! all of them.

use harness::nacre;
use harness::programs::{Verdict, program};

/// Runs it natively and in the enclave.
fn agrees(name: &str) {
    let comparison = program(name).unwrap().compare(&nacre().unwrap()).unwrap();
    match comparison.verdict {
        Verdict::Same => {}
        Verdict::Differs(how, in_full) => panic!("{name} {how}\n{in_full}"),
    }
}

/// It reserves 256 GiB, and maps its code twice from a memory file.
#[test]
fn dotnet() {
    agrees(".NET 8");
}

/// OpenBLAS chooses its code by CPUID, and starts a thread for each processor.
#[test]
fn numpy() {
    agrees("NumPy");
}

/// It reads how processors and caches lie from `/sys`, then binds itself to each and asks CPUID.
#[test]
fn hwloc() {
    agrees("hwloc");
}

/// Two processes share a map of 1 TiB.
#[test]
fn lmdb() {
    agrees("LMDB");
}

/// It asks `/proc` and `/sys` for nearly all that they have.
#[test]
fn psutil() {
    agrees("psutil");
}
