//! What `nacre run` tells the user about the program that it runs.

use std::path::Path;

use conformance::{Guest, Linkage, Outcome};

fn run(name: &str, linkage: Linkage) -> Outcome {
    let guests = Guest::all().unwrap();
    let guest = guests
        .iter()
        .find(|guest| guest.name == name && guest.linkage == linkage)
        .unwrap();
    let program = guest.build(Path::new(env!("CARGO_TARGET_TMPDIR"))).unwrap();
    Outcome::enclave(guest, &guest.image(&program).unwrap()).unwrap()
}

#[test]
fn each_unsupported_system_call_is_named_once() {
    // musl asks for membarrier, glibc for rseq: nobody wants to read that in every run.
    for linkage in [Linkage::Dynamic, Linkage::MuslStatic] {
        let outcome = run("unknown_calls", linkage);
        let named: Vec<_> = outcome
            .stderr
            .lines()
            .filter(|line| line.contains("ENOSYS"))
            .collect();
        assert_eq!(
            named,
            [
                "nacre: guest made unknown system call 999 (ENOSYS)",
                "nacre: guest made unknown system call 400 (ENOSYS)",
                "nacre: guest made unknown system call -1 (ENOSYS)",
                "nacre: guest called afs_syscall (system call 183), which is not supported (ENOSYS): not on x86-64 Linux any more",
                "nacre: guest called io_uring_setup (system call 425), which is not supported (ENOSYS): not yet; programs fall back to epoll",
            ],
            "{linkage}: {outcome}"
        );
    }
}
