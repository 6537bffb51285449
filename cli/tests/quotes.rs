//! `nacre verify quote` and `nacre explain quote`, as a user runs them.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use dcap_quote::{SIMULATED_QE_VENDOR, Tee, UnixTime};
use simulated_platform::{Body, Profile, SimulatedPlatform};

const AT: &str = "2025-06-24T00:00:00Z";

/// Quote, collateral and root certificate in a folder.
struct Files(tempfile::TempDir);

impl Files {
    fn new(change: impl FnOnce(&mut Profile)) -> Self {
        let mut profile = Profile::new([5; 32], UnixTime::from_rfc3339(AT).unwrap());
        change(&mut profile);
        let platform = SimulatedPlatform::new(profile);
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &[u8]| fs::write(folder.path().join(name), content).unwrap();
        write("quote", &platform.quote(&[0; 384]));
        write(
            "collateral",
            &serde_json::to_vec(&platform.collateral(Tee::Sgx)).unwrap(),
        );
        write("root", platform.root_certificate().as_bytes());
        Self(folder)
    }

    fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nacre"));
        command
            .current_dir(self.0.path())
            .env("XDG_CACHE_HOME", self.0.path().join("cache"));
        command.args(words.split(' '));
        command
    }

    /// Standard output, standard error and the exit status.
    fn run(&self, words: &str) -> (String, String, i32) {
        let Output {
            stdout,
            stderr,
            status,
        } = self.command(words).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (text(stdout), text(stderr), status.code().unwrap())
    }
}

const TRUSTING: &str = "--collateral collateral --at 2025-06-24T00:00:00Z --dangerous-trust-simulated root";

#[test]
fn acceptable_only_with_the_simulated_root_by_name() {
    let files = Files::new(|_| {});
    let (out, _, status) = files.run(&format!("verify quote quote {TRUSTING}"));
    assert!(
        out.starts_with("ACCEPTABLE: UpToDate") && out.contains("SIMULATED"),
        "{out}"
    );
    assert_eq!(status, 0);
    let (out, _, status) = files.run("verify quote quote --collateral collateral --at 2025-06-24T00:00:00Z");
    assert!(
        out.starts_with("REFUSED") && out.contains("trusted root"),
        "{out}"
    );
    assert_eq!(status, 1);
    // Nobody has collateral for it.
    for command in ["verify quote quote", "explain quote quote"] {
        let (out, error, status) = files.run(command);
        assert!(
            error.contains("from a simulated platform") && error.contains("nacre simulated-platform export"),
            "{error}"
        );
        assert_eq!((out.as_str(), status), ("", 125));
    }
    let (out, _, status) = files.run(&format!("explain quote quote {TRUSTING}"));
    assert!(out.contains("acceptable"), "{out}");
    assert_eq!(status, 0);
}

#[test]
fn from_standard_input_as_json() {
    let files = Files::new(|_| {});
    let mut command = files.command(&format!("verify quote - --json {TRUSTING}"));
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let quote = fs::read(files.0.path().join("quote")).unwrap();
    child.stdin.take().unwrap().write_all(&quote).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["acceptable"], true);
    assert_eq!(json["verdict"]["status"], "UpToDate");
}

#[test]
fn an_old_platform_unless_it_is_accepted() {
    let files = Files::new(|profile| profile.svns[0] = 3);
    let (out, _, status) = files.run(&format!("verify quote quote {TRUSTING}"));
    assert!(out.starts_with("NOT ACCEPTABLE: OutOfDate"), "{out}");
    assert_eq!(status, 1);
    let (out, _, status) = files.run(&format!("explain quote quote {TRUSTING}"));
    assert!(
        out.contains("SGX TCB component 1 has security version 3 and needs 4"),
        "{out}"
    );
    assert_eq!(status, 1);
    let (_, _, status) = files.run(&format!("verify quote quote --accept OutOfDate {TRUSTING}"));
    assert_eq!(status, 0);
}

#[test]
fn after_the_collateral_has_expired() {
    let files = Files::new(|_| {});
    // Now, by the clock.
    let (out, _, status) =
        files.run("verify quote quote --collateral collateral --dangerous-trust-simulated root");
    assert!(out.starts_with("REFUSED"), "{out}");
    assert_eq!(status, 1);
}

#[test]
fn what_cannot_be_judged_is_a_failure_of_its_own() {
    let files = Files::new(|_| {});
    for (words, part) in [
        (
            "verify quote quote --dangerous-trust-simulated root".to_owned(),
            "SGX on FMSPC 00514d554c00, certified by the platform CA); fetch it with `nacre collateral fetch --quote quote`",
        ),
        (format!("verify quote missing {TRUSTING}"), "missing"),
        (
            "verify quote quote --collateral collateral --dangerous-trust-simulated collateral".to_owned(),
            "root certificate",
        ),
        (
            "verify quote quote --collateral collateral --at yesterday".to_owned(),
            "yesterday",
        ),
        (format!("verify quote quote --accept Fine {TRUSTING}"), "Fine"),
    ] {
        let (out, error, status) = files.run(&words);
        assert_eq!((out.as_str(), status), ("", 125), "{words}");
        assert!(
            error.starts_with("nacre: ") && error.contains(part) && error.lines().count() == 1,
            "{error}"
        );
    }
}

#[test]
fn another_enclave_than_the_one_that_is_meant() {
    let files = Files::new(|_| {});
    // The quote is of an enclave whose measurements are all zeroes.
    let (zero, one) = ("00".repeat(32), "01".repeat(32));
    for meant in [
        format!("--mrenclave {zero}"),
        format!("--mrenclave {one} --mrenclave {zero}"),
        format!("--mrsigner {zero} --product 0 --min-security-version 0"),
    ] {
        let (out, _, status) = files.run(&format!("verify quote quote {TRUSTING} {meant}"));
        assert!(out.starts_with("ACCEPTABLE"), "{out}");
        assert_eq!(status, 0);
    }
    for (meant, part) in [
        (format!("--mrenclave {one}"), "its MRENCLAVE is 00"),
        (
            format!("--mrsigner {one} --product 0 --min-security-version 0"),
            "its MRSIGNER is 00",
        ),
        (
            format!("--mrsigner {zero} --product 0 --min-security-version 1"),
            "its ISVSVN is 0",
        ),
    ] {
        let (out, _, status) = files.run(&format!("verify quote quote {TRUSTING} {meant}"));
        assert!(out.starts_with("NOT ACCEPTABLE") && out.contains(part), "{out}");
        assert_eq!(status, 1);
        let (out, _, status) = files.run(&format!("explain quote quote {TRUSTING} {meant}"));
        assert!(out.contains("not the expected one"), "{out}");
        assert_eq!(status, 1);
    }
    for words in [
        "--mrenclave 00".to_owned(),
        format!("--mrsigner {zero}"),
        format!("--mrsigner {zero} --product 0"),
        "--product 1".to_owned(),
    ] {
        let (out, error, status) = files.run(&format!("verify quote quote {TRUSTING} {words}"));
        assert_eq!((out.as_str(), status), ("", 125), "{words}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn genuine_quotes() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors");
    if !folder.is_dir() {
        eprintln!("SKIPPED: no genuine quotes in {}", folder.display());
        return;
    }
    let files = Files::new(|_| {});
    let verify = |name: &str, at: &str, more: &str| {
        let path = |name: String| folder.join(name).display().to_string();
        let (quote, collateral) = (path(name.to_owned()), path(format!("{name}_collateral.json")));
        assert!(
            !Path::new(&quote).to_string_lossy().contains(' '),
            "the path is split at spaces"
        );
        files.run(&format!(
            "verify quote {quote} --collateral {collateral} --at {at}{more}"
        ))
    };
    let (out, _, status) = verify("tdx_quote", AT, "");
    let not_checked = "NOT CHECKED: which enclave or trust domain this is: anybody's passes (--mrenclave, --mrsigner or --mrtd)\n\
         NOT CHECKED: what the report data says: an old quote, or one made for another, passes (--report-data or --nonce)\n";
    assert!(
        out.starts_with(&format!("ACCEPTABLE: UpToDate\n{not_checked}\n")),
        "{out}"
    );
    assert_eq!(status, 0);
    let field = |name: &str| {
        let line = out.lines().find(|line| line.trim_start().starts_with(name));
        line.and_then(|line| line.split_whitespace().last())
            .unwrap_or_else(|| panic!("no {name} in {out}"))
            .to_owned()
    };
    let named = format!(" --mrtd {} --report-data {}", field("MRTD"), field("report data"));
    let (out, _, status) = verify("tdx_quote", AT, &named);
    assert!(out.starts_with("ACCEPTABLE: UpToDate\n\n"), "{out}");
    assert_eq!(status, 0);
    let (out, _, _) = verify("tdx_quote", AT, " --json");
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        json["not_checked"],
        serde_json::json!(["identity", "report_data"])
    );
    let (out, _, status) = verify("sgx_quote", AT, "");
    assert!(
        out.starts_with("NOT ACCEPTABLE: ConfigurationAndSWHardeningNeeded"),
        "{out}"
    );
    assert!(out.contains("INTEL-SA-00289 INTEL-SA-00615"), "{out}");
    assert_eq!(status, 1);
    let (_, _, status) = verify("sgx_quote", AT, " --accept ConfigurationAndSWHardeningNeeded");
    assert_eq!(status, 0);
    let (out, _, status) = verify("tdx_quote_outdated", "2026-03-01T00:00:00Z", "");
    assert!(out.starts_with("NOT ACCEPTABLE: TCBNotSupported"), "{out}");
    assert!(
        out.contains("SGX TCB component 8 (OS/VMM: SEAMLDR ACM) is 3, needs 5"),
        "{out}"
    );
    assert_eq!(status, 1);
}

/// A trust domain with values in its registers, and no SEPT_VE_DISABLE; bound to a service domain.
fn domain() -> Files {
    let files = Files::new(|_| {});
    let platform = SimulatedPlatform::new(Profile::new([5; 32], UnixTime::from_rfc3339(AT).unwrap()));
    let mut body = [0; 648];
    body[..3].copy_from_slice(&[5, 1, 6]);
    body[136..184].fill(0x7d);
    body[184..232].fill(0xcf);
    for (number, register) in body[328..520].chunks_mut(48).enumerate() {
        register.fill(number as u8);
    }
    body[520..536].fill(0xda);
    body[584..587].copy_from_slice(&[5, 1, 6]);
    body[600..648].fill(0x5e);
    let write = |name: &str, content: &[u8]| fs::write(files.0.path().join(name), content).unwrap();
    write(
        "quote",
        &platform.quote_as(5, &Body::Td15(body), SIMULATED_QE_VENDOR),
    );
    write(
        "collateral",
        &serde_json::to_vec(&platform.collateral(Tee::Tdx)).unwrap(),
    );
    files
}

#[test]
fn a_trust_domain_by_its_registers() {
    let files = domain();
    let bytes = |byte: &str| byte.repeat(48);
    let service = format!("--dangerous-accept-mrservicetd {}", bytes("5e"));
    let sept = "--dangerous-accept-missing-sept-ve-disable";
    let judge = |words: &str| files.run(&format!("verify quote quote {TRUSTING} {words}"));
    for words in ["--platform-policy none", &service, sept] {
        let (out, _, status) = judge(words);
        assert_ne!(status, 0, "{out}");
    }
    let accepted = format!("{service} {sept}");
    let (out, error, status) = judge(&accepted);
    assert!(
        out.contains(&format!("MRSERVICETD      {}", bytes("5e"))),
        "{out}{error}"
    );
    assert_eq!(status, 0, "{out}");
    let registers = format!(
        "--mrtd {} --rtmr0 {} --rtmr1 {} --rtmr2 {} --rtmr3 {} --mrconfigid {}",
        bytes("7D"),
        bytes("00"),
        bytes("01"),
        bytes("02"),
        bytes("03"),
        bytes("cf")
    );
    let said = format!("--report-data {} --nonce {}", "da".repeat(16), "da".repeat(8));
    let (out, _, status) = judge(&format!("{accepted} {registers} {said}"));
    assert_eq!(status, 0, "{out}");
    for (words, part) in [
        (format!("--mrtd {}", bytes("7e")), "its MRTD is 7d7d"),
        (
            format!("--mrtd {} --rtmr3 {}", bytes("7d"), bytes("04")),
            "its RTMR3 is 0303",
        ),
        (
            format!("--mrtd {} --mrconfigid {}", bytes("7d"), bytes("00")),
            "its MRCONFIGID is cfcf",
        ),
        (
            format!("--mrenclave {}", "00".repeat(32)),
            "an SGX enclave is required",
        ),
        (
            format!("--report-data {}", "da".repeat(15)),
            "not what is required",
        ),
        (
            format!("--nonce {}", "db".repeat(8)),
            "does not begin with the nonce",
        ),
    ] {
        let (out, _, status) = judge(&format!("{accepted} {words}"));
        assert!(
            out.starts_with("NOT ACCEPTABLE") && out.contains(part),
            "{words}: {out}"
        );
        assert_eq!(status, 1);
    }
    for (words, part) in [
        (format!("--rtmr0 {}", bytes("00")), "--mrtd"),
        ("--mrtd 7d".to_owned(), "96 hexadecimal digits"),
        ("--nonce 00".to_owned(), "less than 8 bytes"),
        (format!("--report-data {}", "00".repeat(65)), "1 to 64 bytes"),
    ] {
        let (_, error, status) = judge(&words);
        assert!(error.contains(part), "{words}: {error}");
        assert_eq!(status, 125);
    }
}

#[test]
fn a_platform_policy_from_a_file() {
    let files = Files::new(|profile| profile.svns[0] = 3);
    let write = |json: &str| fs::write(files.0.path().join("policy"), json).unwrap();
    let judge = || files.run(&format!("verify quote quote {TRUSTING} --platform-policy policy"));
    let (out, _, _) = files.run(&format!("verify quote quote {TRUSTING} --json"));
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    let ppid = json["verdict"]["platform"]["ppid"].as_str().unwrap();
    write(&format!(
        r#"{{"accepted_tcb_status":["OutOfDate"],"accepted_platforms":[{{"ppid":"{ppid}"}}]}}"#
    ));
    let (out, error, status) = judge();
    assert_eq!(status, 0, "{out}{error}");
    write(r#"{"accepted_tcb_status":["OutOfDate"],"accepted_advisory_ids":[],"accepted_platforms":[]}"#);
    let (out, _, status) = judge();
    for part in [
        "the advisory SIMULATED-SA-00001 is not accepted",
        "is not among those",
    ] {
        assert!(out.contains(part), "{out}");
    }
    assert_eq!(status, 1);
    let (out, _, _) = files.run(&format!(
        "explain quote quote {TRUSTING} --platform-policy policy"
    ));
    assert!(out.contains("add its PPID"), "{out}");
    write(r#"{"acepted_platforms":[]}"#);
    let (_, error, status) = judge();
    assert!(
        error.contains("platform policy policy") && error.contains("unknown field"),
        "{error}"
    );
    assert_eq!(status, 125);
}

#[test]
fn a_file_that_is_no_quote_is_told_what_it_is() {
    let files = Files::new(|_| {});
    let quote = fs::read(files.0.path().join("quote")).unwrap();
    let hex = base16ct::lower::encode_string(&quote);
    fs::write(files.0.path().join("quote"), hex).unwrap();
    let (out, _, status) = files.run(&format!("verify quote quote {TRUSTING}"));
    assert!(
        out.contains("it is text in hexadecimal; decode it: xxd -r -p"),
        "{out}"
    );
    assert_eq!(status, 1);
}
