//! `nacre explain IMAGE`: what it finds in images with one thing wrong each, and that it finds nothing in one without.

mod support;

use std::fs;
use std::process::Command;

use oci_image::{ContainerConfig, Empty, Healthcheck, ImageConfig, ImageRef, LayerFile, NewImage};
use serde_json::Value;
use support::Workplace;

/// A file of an image: path, mode, bytes.
type File<'a> = (&'a str, u32, &'a [u8]);

/// Ends at once; the only system call is exit_group(2).
const BARE: &str = r#"void _start(void) { __asm__ volatile("mov $231, %eax; xor %edi, %edi; syscall"); }"#;
const STATIC: &[&str] = &["-static-pie", "-nostdlib", "-fPIE"];

fn explain(place: &Workplace, config: ContainerConfig, files: &[File<'_>], args: &[&str]) -> (Value, i32) {
    let target: ImageRef = format!("oci-archive:{}", place.path("image.tar").display())
        .parse()
        .unwrap();
    let files = files
        .iter()
        .map(|(path, mode, bytes)| LayerFile::from_bytes(path, *mode, bytes));
    let image = NewImage {
        config: ImageConfig {
            config,
            ..ImageConfig::default()
        },
        annotations: Default::default(),
        files: files.collect(),
    };
    oci_image::write(&target, image, &mut |_| ()).unwrap();
    let output = place.nacre(["explain", "image.tar", "--json"].iter().chain(args));
    let report = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    (report, output.status.code().unwrap())
}

fn running(words: &[&str]) -> ContainerConfig {
    ContainerConfig {
        entrypoint: words.iter().map(|word| (*word).to_owned()).collect(),
        ..ContainerConfig::default()
    }
}

/// What the C compiler makes of a source text.
fn compiled(place: &Workplace, source: &str, flags: &[&str]) -> Vec<u8> {
    fs::write(place.path("program.c"), source).unwrap();
    let status = Command::new("gcc")
        .current_dir(place.path(""))
        .args(["-O1", "-w", "-o", "program", "program.c"])
        .args(flags)
        .status()
        .unwrap();
    assert!(status.success(), "{source}");
    fs::read(place.path("program")).unwrap()
}

/// The findings as severity, subject and problem.
fn findings(report: &Value) -> Vec<(&str, &str, &str)> {
    let findings = report["findings"].as_array().unwrap().iter();
    findings
        .map(|finding| {
            let text = |key: &str| finding[key].as_str().unwrap();
            assert!(!text("advice").is_empty());
            (text("severity"), text("subject"), text("problem"))
        })
        .collect()
}

/// The only finding, and that it is why the container cannot start.
fn refused(place: &Workplace, config: ContainerConfig, files: &[File<'_>]) -> (String, String) {
    let (report, status) = explain(place, config, files, &[]);
    let [("cannot-start", subject, problem)] = findings(&report)[..] else {
        panic!("{report:#}")
    };
    assert_eq!(status, 1, "{report:#}");
    (subject.to_owned(), problem.to_owned())
}

#[test]
fn a_program_that_needs_nothing_starts() {
    let place = Workplace::new();
    let program = compiled(&place, BARE, STATIC);
    let files: &[File<'_>] = &[("bin/app", 0o755, &program)];
    let (report, status) = explain(&place, running(&["app"]), files, &["--enclave-size", "64M"]);
    assert_eq!((findings(&report), status), (vec![], 0), "{report:#}");
    assert_eq!(report["starts"], serde_json::json!(["/bin/app"]));
    assert_eq!(report["files"][0]["linkage"], "static");
    assert_eq!(report["resources"]["memory"], 64 << 20);
    let sites = |key: &str| report["files"][0][key].as_u64().unwrap();
    assert_eq!(sites("patched") + sites("trapping") + sites("unproven"), 1);

    let text = place.succeed(["explain", "image.tar"]);
    assert!(text.contains("file            /bin/app: static"), "{text}");
    assert!(!text.contains("CANNOT START"), "{text}");
    assert_eq!(
        place.names(),
        ["image.tar", "program", "program.c"],
        "nothing is left behind"
    );
}

#[test]
fn a_missing_interpreter_and_a_missing_library_are_named() {
    let place = Workplace::new();
    let hello = "int main() { return 0; }";
    let program = compiled(&place, hello, &["-Wl,--dynamic-linker=/lib/ld-none.so.1"]);
    let libc = fs::read("/lib/x86_64-linux-gnu/libc.so.6").unwrap();
    let loader = fs::read("/lib64/ld-linux-x86-64.so.2").unwrap();
    let (subject, problem) = refused(
        &place,
        running(&["/app"]),
        &[
            ("app", 0o755, &program),
            ("lib/libc.so.6", 0o755, &libc),
            ("lib/ld-linux-x86-64.so.2", 0o755, &loader),
            ("lib64/ld-linux-x86-64.so.2", 0o755, &loader),
        ],
    );
    assert_eq!(subject, "/app");
    assert!(problem.contains("interpreter /lib/ld-none.so.1"), "{problem}");

    let program = compiled(&place, hello, &[]);
    let files: &[File<'_>] = &[
        ("app", 0o755, &program),
        ("lib64/ld-linux-x86-64.so.2", 0o755, &loader),
    ];
    let (subject, problem) = refused(&place, running(&["/app"]), files);
    assert_eq!(subject, "/app");
    assert!(problem.contains("libc.so.6"), "{problem}");
}

#[test]
fn scripts_are_followed_to_their_program() {
    let place = Workplace::new();
    let program = compiled(&place, BARE, STATIC);
    let by_env = b"#!/usr/bin/env sh -x\n";
    let (subject, problem) = refused(
        &place,
        running(&["/entry"]),
        &[("entry", 0o755, b"#!/bin/none\necho\n")],
    );
    assert_eq!(subject, "/entry");
    assert!(problem.contains("/bin/none: it is not in the image"), "{problem}");

    for (entry, words) in [
        (&b"#!/bin/sh\r\necho\n"[..], "carriage return"),
        (b"#!\n", "names no interpreter"),
        (b"#!/entry\n", "too many times"),
        (b"echo\n", "exec format error"),
    ] {
        let files: &[File<'_>] = &[("entry", 0o755, entry), ("bin/sh", 0o755, &program)];
        let (_, problem) = refused(&place, running(&["/entry"]), files);
        assert!(problem.contains(words), "{problem}");
    }
    let files: &[File<'_>] = &[("entry", 0o644, by_env), ("bin/sh", 0o755, &program)];
    let (_, problem) = refused(&place, running(&["/entry"]), files);
    assert!(problem.contains("mode 0644"), "{problem}");
    let (_, problem) = refused(&place, running(&["nothing"]), files);
    assert!(problem.contains("no program nothing in PATH"), "{problem}");
    let (_, problem) = refused(&place, running(&[]), files);
    assert!(problem.contains("names no program"), "{problem}");

    // Two scripts, one after the other, then a program that env(1) finds.
    let files: &[File<'_>] = &[
        ("entry", 0o755, b"#!/inner\n"),
        ("inner", 0o755, b"#! /usr/bin/env app\n"),
        ("usr/bin/env", 0o755, &program),
        ("usr/local/bin/app", 0o755, &program),
    ];
    let (report, status) = explain(&place, running(&["/entry"]), files, &[]);
    assert_eq!((findings(&report), status), (vec![], 0), "{report:#}");
    assert_eq!(
        report["starts"],
        serde_json::json!(["/entry", "/inner", "/usr/bin/env", "/usr/local/bin/app"])
    );
}

#[test]
fn address_sanitizer_and_other_machines_cannot_run() {
    let place = Workplace::new();
    let program = compiled(&place, BARE, STATIC);
    let sanitized = compiled(
        &place,
        "int main() { return 0; }",
        &["-fsanitize=address", "-static-libasan"],
    );
    let mut arm = program.clone();
    // e_machine, elf(5): EM_AARCH64.
    arm[18..20].copy_from_slice(&183u16.to_le_bytes());
    let files: &[File<'_>] = &[
        ("app", 0o755, &program),
        ("arm", 0o755, &arm),
        ("sanitized", 0o755, &sanitized),
    ];
    let (report, status) = explain(&place, running(&["/app"]), files, &[]);
    let found = findings(&report);
    let has = |severity: &str, subject: &str, words: &str| {
        found
            .iter()
            .any(|(s, path, problem)| (*s, *path) == (severity, subject) && problem.contains(words))
    };
    assert!(has("cannot-run", "/arm", "64-bit Arm"), "{report:#}");
    assert!(has("cannot-run", "/sanitized", "AddressSanitizer"), "{report:#}");
    // The container itself starts.
    assert_eq!(status, 0);

    let (report, status) = explain(&place, running(&["/sanitized"]), files, &[]);
    let found = findings(&report);
    let is_refused = |(severity, path, problem): &(&str, &str, &str)| {
        (*severity, *path) == ("cannot-start", "/sanitized") && problem.contains("AddressSanitizer")
    };
    assert!(found.iter().any(is_refused) && status == 1, "{report:#}");
}

#[test]
fn unsupported_system_calls_are_found_by_number_and_by_name() {
    let place = Workplace::new();
    // userfaultfd(2); read(2) is supported, and its number is written as xor.
    let by_number = compiled(
        &place,
        r#"void _start(void) { __asm__ volatile("mov $323, %eax; syscall; xor %eax, %eax; syscall"); }"#,
        STATIC,
    );
    let by_name = compiled(
        &place,
        "int main() { syslog(0, \"\"); return process_vm_readv(0, 0, 0, 0, 0, 0); }",
        &[],
    );
    let libc = fs::read("/lib/x86_64-linux-gnu/libc.so.6").unwrap();
    let loader = fs::read("/lib64/ld-linux-x86-64.so.2").unwrap();
    let files: &[File<'_>] = &[
        ("by-name", 0o755, &by_name),
        ("by-number", 0o755, &by_number),
        ("lib/libc.so.6", 0o755, &libc),
        ("lib64/ld-linux-x86-64.so.2", 0o755, &loader),
    ];
    let (report, status) = explain(&place, running(&["/by-name"]), files, &[]);
    let calls: Vec<_> = report["unsupported"]
        .as_array()
        .unwrap()
        .iter()
        .map(|call| (call["name"].as_str().unwrap(), call["files"].clone()))
        .collect();
    // The C library has many more, which nobody asks for.
    assert_eq!(
        calls,
        [
            ("process_vm_readv", serde_json::json!(["/by-name"])),
            ("userfaultfd", serde_json::json!(["/by-number"]))
        ]
    );
    let severities: Vec<_> = findings(&report)
        .iter()
        .map(|(severity, subject, _)| (severity.to_string(), subject.to_string()))
        .collect();
    assert_eq!(
        severities,
        [
            ("may-fail".to_owned(), "userfaultfd".to_owned()),
            ("note".to_owned(), "process_vm_readv".to_owned())
        ]
    );
    assert_eq!(status, 0);
}

#[test]
fn settings_without_effect_are_told() {
    let place = Workplace::new();
    let program = compiled(&place, BARE, STATIC);
    let fixed = compiled(&place, BARE, &["-static", "-no-pie", "-nostdlib"]);
    let config = ContainerConfig {
        volumes: [("/data".to_owned(), Empty {})].into(),
        healthcheck: Some(Healthcheck {
            test: vec!["CMD".into(), "/check".into()],
            ..Healthcheck::default()
        }),
        stop_signal: "SIGKILL".into(),
        ..running(&["/bin/sh", "-c", "app --serve"])
    };
    let files: &[File<'_>] = &[("bin/sh", 0o755, &program), ("bin/fixed", 0o755, &fixed)];
    let (report, status) = explain(&place, config, files, &[]);
    let mut found: Vec<_> = findings(&report)
        .iter()
        .map(|(severity, subject, _)| {
            assert_eq!(*severity, "note");
            *subject
        })
        .collect();
    found.sort_unstable();
    assert_eq!(
        found,
        [
            "/bin/fixed",
            "HEALTHCHECK",
            "STOPSIGNAL",
            "VOLUME /data",
            "shell form"
        ]
    );
    assert_eq!(status, 0);

    let config = ContainerConfig {
        user: "nobody-here".into(),
        ..running(&["/bin/sh"])
    };
    let (report, status) = explain(&place, config, files, &[]);
    assert!(
        matches!(findings(&report)[0], ("cannot-start", "configuration", problem) if problem.contains("nobody-here")),
        "{report:#}"
    );
    assert_eq!(status, 1);
}

#[test]
fn the_program_must_fit_into_the_memory() {
    let place = Workplace::new();
    let large = compiled(&place, &format!("char large[64 << 20]; {BARE}"), STATIC);
    let files: &[File<'_>] = &[("app", 0o755, &large)];
    let (report, status) = explain(&place, running(&["/app"]), files, &["--enclave-size", "32M"]);
    assert!(
        matches!(findings(&report)[..], [("cannot-start", "memory", problem)] if problem.contains("32 MiB")),
        "{report:#}"
    );
    assert_eq!(status, 1);
}

#[test]
fn a_confidential_image_says_what_its_configuration_says() {
    let place = Workplace::new();
    let image = place.confidential_image();
    let report: Value = serde_json::from_str(&place.succeed(["explain", image, "--json"])).unwrap();
    assert_eq!(report["is_confidential"], true);
    assert_eq!(report["args"], serde_json::json!(["/bin/hello", "world"]));
    assert!(matches!(findings(&report)[..], [("note", "files", _)]));
}

#[test]
fn quote_is_a_word_of_its_own() {
    let place = Workplace::new();
    // Neither an image nor a quote, but the messages tell what each was taken for.
    assert!(place.fail(["explain", "no.tar"]).contains("no.tar"));
    assert!(place.fail(["explain"]).contains("IMAGE"));
    fs::write(place.path("quote"), "").unwrap();
    assert!(place.fail(["explain", "quote"]).contains("FILE"));
    assert!(!place.fail(["explain", "./quote"]).contains("FILE"));
}
