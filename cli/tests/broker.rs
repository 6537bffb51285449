//! `nacre broker` and what asks it, as an operator and the owners of a deployment run them.

#[expect(dead_code, reason = "the images are for other tests")]
mod support;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Output, Stdio};

use support::Workplace;

struct Broker {
    process: Child,
    url: String,
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Broker {
    /// Ends it as an operator does.
    fn stop(mut self) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").arg(id).status().unwrap().success());
        assert!(self.process.wait().unwrap().success());
    }
}

/// A certificate and its key in `NAME.pem` and `NAME.key`.
fn person(place: &Workplace, name: &str) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::default();
    parameters
        .distinguished_name
        .push(rcgen::DnType::CommonName, name);
    let certificate = parameters.self_signed(&key).unwrap();
    fs::write(place.path(&format!("{name}.pem")), certificate.pem()).unwrap();
    fs::write(place.path(&format!("{name}.key")), key.serialize_pem()).unwrap();
}

fn serve(place: &Workplace, words: &str) -> Broker {
    let log = fs::File::create(place.path("log")).unwrap();
    let words = format!("broker serve --listen 127.0.0.1:0 --store store --root-key root.key {words}");
    let mut process = place
        .command(words.split_whitespace())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let url = line.trim_end().strip_prefix("serving at ");
    let url = url
        .unwrap_or_else(|| panic!("{}", fs::read_to_string(place.path("log")).unwrap()))
        .to_owned();
    Broker { process, url }
}

impl Broker {
    fn ask(&self, place: &Workplace, who: &str, words: &str) -> Output {
        let Self { url, .. } = self;
        let words =
            format!("{words} --broker {url} --broker-ca broker-ca.pem --cert {who}.pem --cert-key {who}.key");
        place.nacre(words.split_whitespace())
    }

    /// Standard output of a success.
    fn succeed(&self, place: &Workplace, who: &str, words: &str) -> String {
        let output = self.ask(place, who, words);
        assert!(
            output.status.success(),
            "{words}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// Standard error of a refusal.
    fn refused(&self, place: &Workplace, who: &str, words: &str) -> String {
        let output = self.ask(place, who, words);
        assert_eq!(output.status.code(), Some(1), "{words}");
        String::from_utf8(output.stderr).unwrap()
    }
}

#[test]
fn from_init_to_a_restored_backup() {
    let place = Workplace::new();
    for name in ["admin", "alice", "mallory"] {
        person(&place, name);
    }
    let init = "broker init --store store --root-key root.key --administrator admin.pem";
    let witness = place.succeed(init.split_whitespace());
    let witness = witness.trim_end().strip_prefix("witness ").unwrap();
    let again = place.fail(init.split_whitespace());
    assert!(again.contains("store"), "{again}");
    let missing = place.fail("broker serve --store none --root-key root.key".split_whitespace());
    assert!(missing.contains("nacre broker init"), "{missing}");
    let broker = serve(&place, &format!("--name localhost --witness {witness}"));

    // It runs outside of an enclave, and says so.
    let url = broker.url.clone();
    place.fail(["broker", "trust", &url]);
    let trust = [
        "broker",
        "trust",
        &url,
        "--dangerous-without-quote",
        "--audit-key",
        "audit.pem",
    ];
    place.succeed(trust);
    place.succeed(trust);

    let hash = |name: &str| {
        let pem = fs::read(place.path(&format!("{name}.pem"))).unwrap();
        let script = format!("openssl x509 -in {name}.pem -outform DER | sha256sum | cut -c1-64");
        let _ = pem;
        let output = Command::new("sh")
            .arg("-c")
            .arg(script)
            .current_dir(place.path(""))
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let policy = |arguments: &str| {
        format!(
            "name: shop
services:
  web: {{ enclaves: [{}]{arguments}, environment: {{ API: '{{{{ secret \"api\" }}}}' }} }}
secrets: {{ api: {{ kind: imported }}, db: {{ kind: password }} }}
access:
  people: {{ admin: {{ certificate: {} }}, alice: {{ certificate: {} }} }}
  update: [alice]
  approve: {{ by: [admin, alice], required: 2 }}
",
            "11".repeat(32),
            hash("admin"),
            hash("alice")
        )
    };
    fs::write(place.path("policy.yaml"), policy("")).unwrap();
    let applied = broker.succeed(&place, "admin", "policy apply policy.yaml");
    let digest = applied.trim_end().strip_prefix("in force: ").unwrap().to_owned();
    fs::write(place.path("policy.yaml"), policy(", arguments: [web]")).unwrap();
    let unaware = broker.refused(&place, "alice", "policy apply policy.yaml");
    assert!(unaware.contains(&digest), "{unaware}");
    let proposed = broker.succeed(
        &place,
        "alice",
        &format!("policy apply policy.yaml --replaces {digest}"),
    );
    let proposed = proposed
        .strip_prefix("pending: ")
        .unwrap()
        .split(',')
        .next()
        .unwrap()
        .to_owned();
    assert!(
        broker
            .succeed(&place, "admin", "approve shop")
            .contains(&proposed)
    );
    let shown = broker.succeed(&place, "admin", &format!("policy get shop --pending {proposed}"));
    assert!(shown.contains("\"web\""), "{shown}");
    broker.succeed(&place, "admin", &format!("approve shop {proposed}"));
    let done = broker.succeed(&place, "alice", &format!("approve shop {proposed}"));
    assert_eq!(done, format!("in force: {proposed}\n"));
    assert_eq!(
        broker
            .succeed(&place, "alice", "policy history shop")
            .lines()
            .count(),
        2
    );
    let shown = broker.succeed(&place, "alice", "policy get shop");
    assert!(shown.contains(&digest), "{shown}");
    let first = broker.succeed(&place, "alice", "policy get shop --number 1");
    assert!(!first.contains("arguments"), "{first}");
    broker.refused(&place, "mallory", "policy get shop");

    fs::write(place.path("value"), "planted-value").unwrap();
    broker.succeed(&place, "alice", "secret set shop api value");
    broker.refused(&place, "mallory", "secret set shop api value");
    let wrong = broker.refused(&place, "alice", "secret set shop db value");
    assert!(wrong.contains("password"), "{wrong}");
    broker.succeed(&place, "alice", "secret rotate shop db");
    let secrets = broker.succeed(&place, "alice", "secret list shop");
    assert!(
        secrets.contains("imported") && !secrets.contains("planted"),
        "{secrets}"
    );
    assert_eq!(broker.succeed(&place, "alice", "service list"), "");

    let log = broker.succeed(&place, "admin", "audit export");
    fs::write(place.path("log.jsonl"), &log).unwrap();
    let verified = place.succeed(["audit", "verify", "log.jsonl", "--key", "audit.pem"]);
    assert!(verified.starts_with("VERIFIED"), "{verified}");
    let head = verified
        .lines()
        .find_map(|line| line.strip_prefix("head "))
        .unwrap();
    fs::write(place.path("cut.jsonl"), log.lines().next().unwrap()).unwrap();
    let cut = place.nacre([
        "audit",
        "verify",
        "cut.jsonl",
        "--key",
        "audit.pem",
        "--head",
        head,
    ]);
    assert_eq!(cut.status.code(), Some(1));
    fs::write(place.path("changed.jsonl"), log.replace("granted", "refused")).unwrap();
    let changed = place.nacre(["audit", "verify", "changed.jsonl", "--key", "audit.pem"]);
    assert_eq!(changed.status.code(), Some(1));
    broker.refused(&place, "alice", "audit export");
    assert!(
        broker
            .succeed(&place, "alice", "audit export --deployment shop")
            .contains("secret.set")
    );

    broker.succeed(&place, "admin", "broker backup backup");
    broker.succeed(&place, "alice", "secret set shop api value");
    let status = broker.succeed(&place, "admin", "broker status");
    let witness = status
        .lines()
        .find_map(|line| line.strip_prefix("witness"))
        .unwrap()
        .trim();
    broker.stop();
    for (name, content) in [
        ("store", b"planted-value"),
        ("log", b"planted-value"),
        ("backup", b"planted-value"),
    ] {
        let bytes = fs::read(place.path(name)).unwrap();
        assert!(
            !bytes.windows(content.len()).any(|window| window == content),
            "{name}"
        );
    }
    // The backup is older than what is known.
    let restore = "broker restore backup --store restored --root-key root.key";
    let older = place.fail(format!("{restore} --witness {witness}").split_whitespace());
    assert!(older.contains("rolled back"), "{older}");
    place.succeed(restore.split_whitespace());
    fs::rename(place.path("restored"), place.path("store")).unwrap();
    let _ = fs::remove_file(place.path("store-wal"));
    let refused =
        format!("broker serve --listen 127.0.0.1:0 --store store --root-key root.key --witness {witness}");
    let refused = place.nacre(refused.split_whitespace());
    assert_eq!(refused.status.code(), Some(125));
    let broker = serve(&place, "");
    assert_eq!(
        broker
            .succeed(&place, "alice", "policy history shop")
            .lines()
            .count(),
        2
    );
}

#[test]
fn people_recover_a_root_key() {
    let place = Workplace::new();
    person(&place, "admin");
    let shell = |script: &str| {
        let output = Command::new("sh")
            .args(["-e", "-c", script])
            .current_dir(place.path(""))
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    };
    shell(
        "for n in 1 2 3; do
            openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out $n.key
            openssl pkey -in $n.key -pubout -out $n.pub
        done",
    );
    place.succeed(
        "broker init --store store --root-key root.key --administrator admin.pem --recovery-key 1.pub --recovery-key 2.pub \
         --recovery-key 3.pub --recovery-threshold 2 --recovery-shares shares"
            .split_whitespace(),
    );
    shell(
        "mv root.key lost.key
         for n in 1 3; do
            openssl pkeyutl -decrypt -inkey $n.key -pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256 \
                -in shares/share-$n -out $n.share
        done",
    );
    let few = place.fail("broker recover --store store --root-key root.key 1.share".split_whitespace());
    assert!(few.contains("2 different shares"), "{few}");
    place.succeed("broker recover --store store --root-key root.key 1.share 3.share".split_whitespace());
    let recovered = fs::read(place.path("root.key")).unwrap();
    assert_eq!(recovered, fs::read(place.path("lost.key")).unwrap());
}
