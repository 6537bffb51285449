//! The real broker, as an operator runs it: policy applied, an encrypted image that opens only with the broker's key, another
//! image refused with a reason.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use harness::{Outcome, Running, images, nacre};
use serde_json::Value;
use tempfile::TempDir;

struct Place {
    dir: TempDir,
    broker: Option<(Running, String)>,
}

impl Place {
    /// A broker that trusts the simulated platform of this machine, and its administrator.
    fn new() -> Self {
        let mut place = Self {
            dir: tempfile::tempdir().unwrap(),
            broker: None,
        };
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::default().self_signed(&key).unwrap();
        std::fs::write(place.path("admin.pem"), certificate.pem()).unwrap();
        std::fs::write(place.path("admin.key"), key.serialize_pem()).unwrap();
        place.succeed("simulated-platform export trust");
        place.succeed("broker init --store store --root-key root.key --administrator admin.pem");
        let mut serve = place.nacre(
            "broker serve --listen 127.0.0.1:0 --store store --root-key root.key --collateral trust/collateral.json \
             --dangerous-trust-simulated trust/root.pem",
        );
        serve.stderr(Stdio::from(std::fs::File::create(place.path("log")).unwrap()));
        let (running, line) = Running::start(&mut serve).unwrap();
        let url = line.strip_prefix("serving at ").unwrap().to_owned();
        place.succeed(&format!("broker trust {url} --dangerous-without-quote"));
        place.broker = Some((running, url));
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn url(&self) -> &str {
        &self.broker.as_ref().unwrap().1
    }

    fn nacre(&self, words: &str) -> Command {
        let mut command = Command::new(nacre().unwrap());
        command
            .current_dir(self.dir.path())
            .args(words.split_whitespace());
        // A platform of its own, so that its seed is there before the collateral is read.
        command.env("XDG_STATE_HOME", self.dir.path().join("state"));
        command
    }

    fn succeed(&self, words: &str) -> String {
        let outcome = Outcome::of(self.nacre(words), b"").unwrap();
        assert_eq!(outcome.status, 0, "{words}: {outcome}");
        outcome.stdout
    }

    /// Asks the broker as its administrator.
    fn ask(&self, words: &str) -> String {
        self.succeed(&format!(
            "{words} --broker {} --broker-ca broker-ca.pem --cert admin.pem --cert-key admin.key",
            self.url()
        ))
    }

    /// Converts Python's image into `NAME.tar`, and gives its MRENCLAVE.
    fn convert(&self, name: &str, options: &str) -> String {
        let archive = images::provide(&images::recipe("python").unwrap()).unwrap();
        let port = self.url().rsplit(':').next().unwrap();
        self.succeed(&format!(
            "convert --broker-ca broker-ca.pem --host-loopback {port} {options} docker-archive:{} oci-archive:{name}.tar",
            archive.display()
        ));
        let shown: Value =
            serde_json::from_str(&self.succeed(&format!("inspect --json oci-archive:{name}.tar"))).unwrap();
        let text = shown.to_string();
        let at = text.find("\"mrenclave\":\"").unwrap_or_else(|| panic!("{text}"));
        text[at + 13..at + 77].to_owned()
    }

    fn run(&self, name: &str) -> Outcome {
        Outcome::of(
            self.nacre(&format!("run --broker {} oci-archive:{name}.tar", self.url())),
            b"",
        )
        .unwrap()
    }
}

#[test]
fn an_encrypted_image_starts_only_after_attestation() {
    let place = Place::new();
    let measured = place.convert("good", "--encrypt --image-key image.key");
    // Another threads' number is another enclave.
    let other = place.convert("other", "--threads 9");
    assert_ne!(measured, other);
    let before = place.run("good");
    assert_ne!(before.status, 0, "{before}");

    let policy = |script: &str| {
        format!(
            "name: shop
services:
  till:
    enclaves: [{measured}]
    tolerate: [{{ what: simulated, reason: a test }}]
    arguments: [python3, -c, '{script}', '{{{{ secret \"password\" }}}}']
    environment: {{ API: '{{{{ secret \"api\" }}}}' }}
    files: {{ /run/tls/cert.pem: {{ content: '{{{{ certificate \"tls\" }}}}' }} }}
    image_keys: [IMAGE_KEY]
secrets:
  password: {{ kind: password, length: 24 }}
  api: {{ kind: imported }}
  tls: {{ kind: x509, common_name: till, dns: [till.example] }}
"
        )
    };
    // The key's name is what the broker says when it gets it, so a policy without it comes first.
    let script = "import os,sys; print(len(sys.argv[1]), os.environ[\"API\"], open(\"/run/tls/cert.pem\").read().count(\"BEGIN\"))";
    let without = policy(script).replace("    image_keys: [IMAGE_KEY]\n", "");
    std::fs::write(place.path("policy.yaml"), &without).unwrap();
    let digest = place.ask("policy apply policy.yaml");
    let digest = digest.trim_end().strip_prefix("in force: ").unwrap().to_owned();
    let id = place.ask("secret image-key shop image.key");
    let id = id.trim_end().strip_prefix("image key ").unwrap().to_owned();
    std::fs::write(place.path("api"), "planted-value").unwrap();
    place.ask("secret set shop api api");
    let refused = place.run("good");
    assert_ne!(
        refused.status, 0,
        "the policy does not give the image key: {refused}"
    );
    std::fs::write(
        place.path("policy.yaml"),
        policy(script).replace("IMAGE_KEY", &id),
    )
    .unwrap();
    place.ask(&format!("policy apply policy.yaml --replaces {digest}"));

    let outcome = place.run("good");
    assert_eq!(
        (outcome.stdout.as_str(), outcome.status),
        ("24 planted-value 1\n", 0),
        "{outcome}"
    );
    assert!(!outcome.stderr.contains("planted"), "{outcome}");
    let services = place.ask("service list shop");
    assert!(services.contains(&measured), "{services}");

    // Another image gets a reference, and the owner the reason.
    let refused = place.run("other");
    assert_ne!(refused.status, 0, "{refused}");
    assert!(!refused.stderr.contains("MRENCLAVE"), "{refused}");
    let log = place.ask("audit export");
    let line = log.lines().rfind(|line| line.contains(&other));
    let entry: Value = serde_json::from_str(line.unwrap_or_else(|| panic!("{log}"))).unwrap();
    assert_eq!(entry["outcome"], "refused");
    let reference = entry["reference"].as_str().unwrap();
    assert!(refused.stderr.contains(reference), "{reference}: {refused}");
}
