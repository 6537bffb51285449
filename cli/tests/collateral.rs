//! `nacre collateral`, as a user runs it, with collateral of a simulated platform that was issued now.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use dcap_quote::{TcbStatus, Tee, UnixTime};
use simulated_platform::{Authority, Profile, SimulatedPlatform};
use tempfile::TempDir;

const DAY: u64 = 24 * 60 * 60;
const FMSPC: &str = "00514d554c00";

/// Quote, collateral and root of a platform in a folder, and a user's cache beside them.
struct Place {
    folder: TempDir,
    profile: Profile,
}

impl Place {
    fn new() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        // Issued a moment ago: some time passes within a test, and none of it backwards.
        let profile = Profile::new([6; 32], UnixTime(since.as_secs() - 60));
        let place = Self {
            folder: tempfile::tempdir().unwrap(),
            profile,
        };
        let platform = SimulatedPlatform::new(place.profile.clone());
        place.write("quote", &platform.quote(&[0; 384]));
        place.write("root", platform.root_certificate().as_bytes());
        place.collateral("collateral", |_| ());
        place
    }

    fn write(&self, name: &str, content: &[u8]) {
        fs::write(self.path(name), content).unwrap();
    }

    /// Writes a collateral file of the platform.
    fn collateral(&self, name: &str, change: impl FnOnce(&mut Profile)) {
        let mut profile = self.profile.clone();
        change(&mut profile);
        let collateral = SimulatedPlatform::new(profile).collateral(Tee::Sgx);
        self.write(name, &serde_json::to_vec(&collateral).unwrap());
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nacre"));
        command
            .current_dir(self.folder.path())
            .env("XDG_CACHE_HOME", self.path("user"))
            .args(words.split(' '))
            .args(["--dangerous-trust-simulated", "root"]);
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

    fn succeed(&self, words: &str) -> String {
        let (out, error, status) = self.run(words);
        assert_eq!(status, 0, "{words}: {error}");
        out
    }

    /// The one line of a failure.
    fn fail(&self, words: &str) -> String {
        let (out, error, status) = self.run(words);
        assert_eq!(
            (out.as_str(), status, error.lines().count()),
            ("", 125, 1),
            "{words}: {error}"
        );
        error
    }
}

#[test]
fn import_status_export_verify() {
    let place = Place::new();
    let missing = place.fail("verify quote quote");
    assert!(
        missing.contains("nacre collateral fetch --quote quote") && missing.contains(FMSPC),
        "{missing}"
    );
    assert!(!place.path("user").exists(), "looking for a cache makes none");

    let imported = place.succeed("collateral import collateral");
    assert!(
        imported.contains(&format!("imported TCB info of FMSPC {FMSPC} for SGX")),
        "{imported}"
    );
    assert!(
        place
            .succeed("collateral import collateral")
            .contains("nothing new")
    );
    let status = place.succeed("collateral status");
    assert_eq!(status.matches("29 days left").count(), 4, "{status}");
    let verified = place.succeed("verify quote quote");
    assert!(verified.starts_with("ACCEPTABLE"), "{verified}");
    place.succeed("verify quote quote --max-age 1");
    let refused = place.fail("verify quote quote --max-age 0");
    assert!(
        refused.contains("was issued") && refused.contains("collateral fetch"),
        "{refused}"
    );

    let exported = place.succeed("collateral export --quote quote --out -");
    let expected = serde_json::from_slice(&fs::read(place.path("collateral")).unwrap()).unwrap();
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&exported).ok(),
        Some(expected)
    );
    place.succeed(&format!("collateral export --fmspc {FMSPC} --out again"));
    place.succeed("verify quote quote --collateral again");

    // To a machine without a network.
    place.succeed("collateral export --all --out bundle");
    place.succeed("collateral import bundle --collateral-cache other");
    place.succeed("verify quote quote --collateral-cache other");
    place.succeed("explain quote quote --collateral-cache other");
}

#[test]
fn a_cache_is_for_one_root() {
    let place = Place::new();
    // The spelling of earlier versions.
    place.succeed("collateral import collateral --cache cache");
    let mut command = Command::new(env!("CARGO_BIN_EXE_nacre"));
    command
        .current_dir(place.folder.path())
        .env("XDG_CACHE_HOME", place.path("user"));
    let output = command
        .args(["verify", "quote", "quote", "--collateral-cache", "cache"])
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(125));
    assert!(error.contains("bound to the simulated root"), "{error}");
}

#[test]
fn what_is_older_or_expired_stays_outside() {
    let place = Place::new();
    place.succeed("collateral import collateral");
    place.collateral("older", |profile| profile.dates.tcb_info.from.0 -= DAY);
    let (out, note, status) = place.run("collateral import older");
    assert!(
        out.contains("nothing new") && note.contains("is older"),
        "{out}{note}"
    );
    assert_eq!(status, 0);
    place.collateral("expired", |profile| {
        profile.dates.tcb_info.from.0 -= 31 * DAY;
        profile.dates.tcb_info.until.0 -= 31 * DAY;
    });
    let refused = place.fail("collateral import expired --collateral-cache other");
    assert!(refused.contains("TCB info has expired"), "{refused}");
    let refused = place.fail("collateral import quote");
    assert!(refused.contains("neither a bundle"), "{refused}");
}

#[test]
fn status_warns_in_time() {
    let place = Place::new();
    place.collateral("soon", |profile| {
        profile.dates.pck_list.until.0 -= 27 * DAY;
    });
    place.succeed("collateral import soon");
    let (out, _, status) = place.run("collateral status");
    assert!(out.contains("2 days left"), "{out}");
    assert_eq!(status, 1);
    let (out, _, status) = place.run("collateral status --within 1 --json");
    assert_eq!(status, 0);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["good"], true);
    assert_eq!(json["entries"].as_array().unwrap().len(), 4);
    let (_, note, status) = place.run("verify quote quote");
    assert!(
        note.contains("PCK revocation list expires") && note.contains("collateral fetch"),
        "{note}"
    );
    assert_eq!(status, 0);
}

/// Imports what is valid now and what is to come after a recovery so many days ago.
fn recover(place: &Place, days_ago: u64) -> UnixTime {
    let recovery = UnixTime(place.profile.dates.tcb_info.from.0 - days_ago * DAY);
    place.collateral("early", |profile| {
        profile.levels.insert(0, profile.levels[0].clone());
        profile.levels[0].svns[0] += 1;
        profile.levels[1].status = TcbStatus::OutOfDate;
        profile.levels[1].advisories = vec!["SIMULATED-SA-00099".to_owned()];
        profile.evaluation_data_number += 1;
        profile.tcb_date = recovery;
    });
    let file = |name| fs::read_to_string(place.path(name)).unwrap();
    let bundle = format!(
        r#"{{"nacre_collateral_bundle":1,"current":[{}],"early":[{}]}}"#,
        file("collateral"),
        file("early")
    );
    place.write("bundle", bundle.as_bytes());
    place.succeed("collateral import bundle");
    recovery
}

fn day(time: UnixTime) -> String {
    time.to_string().split('T').next().unwrap().to_owned()
}

#[test]
fn a_tcb_recovery_is_announced() {
    let place = Place::new();
    let recovery = recover(&place, 100);
    let status = place.succeed("collateral status");
    let expected = UnixTime(recovery.0 + 365 * DAY);
    for part in [
        &format!("TCB RECOVERY of {}: about {}", day(recovery), day(expected)),
        "becomes OutOfDate, where it is UpToDate now (SIMULATED-SA-00099)",
        "SGX TCB component 1 is 4, needs 5",
    ] {
        assert!(status.contains(part), "{part}: {status}");
    }
    let (out, note, status) = place.run("verify quote quote");
    assert!(out.starts_with("ACCEPTABLE: UpToDate"), "{out}");
    assert!(
        note.contains("this platform is OutOfDate: SGX TCB component 1 has security version 4 and needs 5"),
        "{note}"
    );
    assert_eq!(status, 0);
}

#[test]
fn a_tcb_recovery_that_should_count_already_is_announced_too() {
    let place = Place::new();
    recover(&place, 400);
    let status = place.succeed("collateral status");
    assert!(
        status.contains("with the next TCB info, which is due since"),
        "{status}"
    );
}

/// `nacre collateral serve`, until it is dropped.
struct Serving(Child, String);

impl Serving {
    fn start(place: &Place, words: &str) -> Self {
        let mut command = place.command(&format!("collateral serve --listen 127.0.0.1:0 {words}"));
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        stderr.read_line(&mut line).unwrap();
        let url = line
            .strip_prefix("nacre: serving ")
            .expect("where")
            .trim()
            .to_owned();
        Self(child, url)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn fetch_from_serve() {
    let place = Place::new();
    place.collateral("processor", |profile| profile.authority = Authority::Processor);
    place.succeed("collateral import collateral processor --collateral-cache served");
    let serving = Serving::start(&place, "--collateral-cache served");
    let (out, note, status) = place.run(&format!("collateral fetch --quote quote --from {}", serving.1));
    assert_eq!(status, 0, "{note}");
    assert!(
        out.contains("fetched revocation list of the platform CA"),
        "{out}"
    );
    assert!(note.contains("no warnings of TCB recoveries"), "{note}");
    place.succeed("verify quote quote");
    let again = place.succeed(&format!("collateral fetch --all --from {}", serving.1));
    assert!(
        again.contains(&format!("unchanged TCB info of FMSPC {FMSPC}")),
        "{again}"
    );
    // By the kind of platform: of both authorities.
    let (_, error, status) = place.run(&format!(
        "collateral fetch --fmspc {FMSPC} --from {} --collateral-cache both",
        serving.1
    ));
    assert_eq!(status, 0, "{error}");
    let refused = place.fail(&format!(
        "collateral export --fmspc {FMSPC} --collateral-cache both --out x"
    ));
    assert!(refused.contains("--ca processor or --ca platform"), "{refused}");
    place.succeed(&format!(
        "collateral export --fmspc {FMSPC} --ca processor --collateral-cache both --out x"
    ));
    // What it does not have.
    let refused = place.fail(&format!(
        "collateral fetch --fmspc 000000000000 --from {}",
        serving.1
    ));
    assert!(refused.contains("answers 404"), "{refused}");
}

#[test]
fn an_edition_can_be_chosen_and_left() {
    let place = Place::new();
    recover(&place, 100);
    place.succeed("collateral import bundle --collateral-cache served");
    let serving = Serving::start(&place, "--collateral-cache served");
    let from = &serving.1;
    let is_up_to_date = || {
        let (out, _, status) = place.run("verify quote quote --collateral-cache own");
        assert_eq!(status == 0, out.starts_with("ACCEPTABLE: UpToDate"), "{out}");
        status == 0
    };
    place.succeed(&format!(
        "collateral fetch --quote quote --from {from} --collateral-cache own"
    ));
    assert!(is_up_to_date());
    for (choice, standard) in [
        ("--update early", false),
        ("--update standard", true),
        ("--evaluation-number 18", false),
        ("--evaluation-number 17", true),
        ("--update early", false),
    ] {
        place.succeed(&format!(
            "collateral fetch --all {choice} --from {from} --collateral-cache own"
        ));
        assert_eq!(is_up_to_date(), standard, "{choice}");
        // The choice stays.
        place.succeed(&format!(
            "collateral fetch --all --from {from} --collateral-cache own"
        ));
        assert_eq!(is_up_to_date(), standard, "{choice}");
    }
    // A bundle takes it along.
    place.succeed("collateral export --all --collateral-cache own --out early-bundle");
    place.succeed("collateral import early-bundle --collateral-cache away");
    let status = place.succeed("collateral status --collateral-cache away");
    assert!(
        status.starts_with("quotes are verified by the edition: early"),
        "{status}"
    );
    let (_, _, status) = place.run("verify quote quote --collateral-cache away");
    assert_eq!(status, 1);
    let refused = place.fail(&format!(
        "collateral fetch --all --evaluation-number 3 --from {from} --collateral-cache own"
    ));
    assert!(refused.contains("404"), "{refused}");
    assert!(!is_up_to_date(), "what could not be fetched was not chosen");
}

#[test]
fn a_source_that_is_behind_is_told() {
    let place = Place::new();
    place.collateral("older", |profile| profile.dates.tcb_info.from.0 -= DAY);
    place.succeed("collateral import older --collateral-cache served");
    place.succeed("collateral import collateral --collateral-cache own");
    let serving = Serving::start(&place, "--collateral-cache served");
    let (_, error, status) = place.run(&format!(
        "collateral fetch --all --from {} --collateral-cache own",
        serving.1
    ));
    assert!(error.contains("the service is behind"), "{error}");
    assert_eq!(status, 125);
}

#[test]
fn over_tls() {
    let place = Place::new();
    let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    place.write("cert.pem", own.cert.pem().as_bytes());
    place.write("key.pem", own.signing_key.serialize_pem().as_bytes());
    place.succeed("collateral import collateral --collateral-cache served");
    let serving = Serving::start(
        &place,
        "--collateral-cache served --tls-cert cert.pem --tls-key key.pem",
    );
    assert!(serving.1.starts_with("https://"), "{}", serving.1);
    let (_, error, status) = place.run(&format!(
        "collateral fetch --quote quote --from {} --ca-file cert.pem",
        serving.1
    ));
    assert_eq!(status, 0, "{error}");
    let refused = place.fail(&format!("collateral fetch --quote quote --from {}", serving.1));
    assert!(refused.contains("TLS fails"), "{refused}");
}

/// As `openssl req -x509` makes it: a CA, of another name.
#[test]
fn over_tls_with_a_certificate_that_is_a_ca() {
    let place = Place::new();
    let make = || {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut parameters = rcgen::CertificateParams::default();
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        (parameters.self_signed(&key).unwrap().pem(), key.serialize_pem())
    };
    let ((certificate, key), (other, _)) = (make(), make());
    place.write("cert.pem", certificate.as_bytes());
    place.write("key.pem", key.as_bytes());
    place.write("other.pem", other.as_bytes());
    place.succeed("collateral import collateral --collateral-cache served");
    let serving = Serving::start(
        &place,
        "--collateral-cache served --tls-cert cert.pem --tls-key key.pem",
    );
    let fetch = format!("collateral fetch --quote quote --from {} --ca-file", serving.1);
    let (_, error, status) = place.run(&format!("{fetch} cert.pem"));
    assert_eq!(status, 0, "{error}");
    let refused = place.fail(&format!("{fetch} other.pem"));
    assert!(refused.contains("TLS fails"), "{refused}");
    let refused = place.fail(&format!("{fetch} key.pem"));
    assert!(refused.contains("file of trusted certificates"), "{refused}");
}

#[test]
fn mistakes_are_one_line() {
    let place = Place::new();
    for (words, part) in [
        ("collateral status", "fill a cache"),
        ("collateral fetch", "--quote FILE or --fmspc HEX"),
        ("collateral fetch --all", "fill a cache"),
        ("collateral fetch --fmspc 0051", "12 hexadecimal digits"),
        ("collateral fetch --quote root", "no quote"),
        (
            "collateral fetch --quote quote --from http://pccs.example",
            "https://",
        ),
        (
            "collateral serve --listen 0.0.0.0:0 --collateral-cache new",
            "fill a cache",
        ),
    ] {
        let error = place.fail(words);
        assert!(error.contains(part), "{words}: {error}");
    }
    place.succeed("collateral import collateral");
    for (words, part) in [
        ("collateral serve --listen 0.0.0.0:0", "TLS only"),
        ("collateral export --out x", "--all"),
        (
            "collateral export --fmspc 000000000000 --out x",
            "nacre collateral fetch",
        ),
    ] {
        let error = place.fail(words);
        assert!(error.contains(part), "{words}: {error}");
    }
}
