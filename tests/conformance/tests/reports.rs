//! What `nacre run` tells the user about the program that it runs.

use std::path::Path;
use std::process::Command;

use harness::{Guest, Linkage, Outcome, nacre};

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
    // glibc asks for rseq: nobody wants to read that in every run.
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
                "nacre: guest called afs_syscall (system call 183), which is not supported (ENOSYS): x86-64 Linux no longer has it",
            ],
            "{linkage}: {outcome}"
        );
    }
}

#[test]
fn a_crash_names_the_functions_on_the_stack() {
    for linkage in [Linkage::Dynamic, Linkage::NoPie, Linkage::MuslStatic] {
        let outcome = run("death_in_function", linkage);
        assert_eq!(outcome.status, 139, "{outcome}");
        let names: Vec<_> = outcome
            .stderr
            .lines()
            .filter(|line| line.contains("/guest+0x"))
            .filter_map(|line| line.split_whitespace().find(|word| word.contains("+0x")))
            .filter_map(|place| place.split("+0x").next())
            .collect();
        assert!(
            names.starts_with(&["innermost", "known_here_only", "outermost", "main"]),
            "{linkage}: {outcome}"
        );
        let line = |begins: &str| outcome.stderr.lines().any(|line| line.trim().starts_with(begins));
        assert!(line("rip 0000"), "{outcome}");
        assert!(line("code 0x") && line("address 0x0: (not mapped)"), "{outcome}");
    }
    // A stripped library has the names of what it exports.
    let outcome = run("death_abort", Linkage::Dynamic);
    assert!(outcome.stderr.contains(" abort+0x"), "{outcome}");
    assert!(outcome.stderr.contains(" main+0x"), "{outcome}");
}

#[test]
fn a_trace_goes_to_a_file_that_is_named() {
    let guests = Guest::all().unwrap();
    let guest = guests
        .iter()
        .find(|guest| guest.name == "hello" && guest.linkage == Linkage::Dynamic)
        .unwrap();
    let program = guest.build(Path::new(env!("CARGO_TARGET_TMPDIR"))).unwrap();
    let image = guest.image(&program).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let run = |trace: &str| {
        let mut command = Command::new(nacre().unwrap());
        command
            .current_dir(dir.path())
            .args(["run", trace])
            .arg(format!("docker-archive:{}", image.display()));
        Outcome::of(command, b"").unwrap()
    };
    let is_a_line = |text: &str| {
        text.lines()
            .any(|line| line.starts_with('[') && line.contains("write(1, "))
    };
    let outcome = run("--trace=calls");
    assert_eq!(outcome.status, 0, "{outcome}");
    assert!(!is_a_line(&outcome.stderr), "{outcome}");
    let traced = std::fs::read_to_string(dir.path().join("calls")).unwrap();
    assert!(is_a_line(&traced), "{traced}");
    let outcome = run("--trace");
    assert!(is_a_line(&outcome.stderr), "{outcome}");
    let outcome = run("--trace=no/such/place");
    assert_eq!(outcome.status, 125, "{outcome}");
    assert!(
        outcome.stderr.contains("cannot write the trace to no/such/place"),
        "{outcome}"
    );
}

#[test]
fn addresses_that_no_enclave_has_are_named() {
    let outcome = run("address_sanitizer", Linkage::Dynamic);
    assert!(
        outcome
            .stderr
            .contains("nacre: guest asked for memory at address 0x6"),
        "{outcome}"
    );
}

/// In either case the kernel puts libraries where the enclave has to be.
#[test]
fn an_enclave_finds_its_addresses_whatever_the_layout_of_its_host() {
    for layout in [
        &["sh", "-c", "ulimit -s unlimited; exec \"$@\"", "sh"][..],
        &["setarch", "-L"],
    ] {
        let guests = Guest::all().unwrap();
        let guest = guests.iter().find(|guest| guest.name == "hello").unwrap();
        let program = guest.build(Path::new(env!("CARGO_TARGET_TMPDIR"))).unwrap();
        let image = guest.image(&program).unwrap();
        let mut command = std::process::Command::new(layout[0]);
        command
            .args(&layout[1..])
            .arg(harness::nacre().unwrap())
            .arg("run")
            .arg(format!("docker-archive:{}", image.display()));
        let outcome = Outcome::of(command, b"").unwrap();
        assert_eq!(outcome.status, 0, "{layout:?}: {outcome}");
    }
}
