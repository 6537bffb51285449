//! Containers that a key broker provisions: what `nacre-init` asks, what it does with the answer, and what no host can make of it.

mod real_broker;
mod stand_in;

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use harness::{Outcome, Running, images, nacre};
use provisioning::{Code, File, Hex, Owner, Provision, Refusal, Renewal};
use tempfile::TempDir;

use stand_in::{Answer, Authority, StandIn};

/// Python's image, converted for a broker.
struct Container {
    dir: TempDir,
    authority: Authority,
    listener: Option<TcpListener>,
}

impl Container {
    /// `options` of the conversion.
    fn new(options: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let container = Self {
            dir: tempfile::tempdir().unwrap(),
            authority: Authority::new(),
            listener: Some(listener),
        };
        container.authority.write(&container.path("broker.pem"));
        let archive = images::provide(&images::recipe("python").unwrap()).unwrap();
        let mut convert = container.nacre(&["convert", "--allow-args", "--broker-ca", "broker.pem"]);
        convert
            .args(["--host-loopback", &port.to_string()])
            .args(options)
            .arg(format!("docker-archive:{}", archive.display()))
            .arg("oci-archive:image.tar");
        let outcome = Outcome::of(convert, b"").unwrap();
        assert_eq!(outcome.status, 0, "{outcome}");
        container
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn nacre(&self, args: &[&str]) -> Command {
        let mut command = Command::new(nacre().unwrap());
        command.current_dir(self.dir.path()).args(args);
        command
    }

    /// A broker that answers so.
    fn broker(&mut self, answers: Vec<Answer>) -> StandIn {
        StandIn::start(&self.authority, self.listener.take().unwrap(), answers)
    }

    fn command(&self, url: &str, args: &[&str]) -> Command {
        self.nacre(&[&["run", "--broker", url, "oci-archive:image.tar"], args].concat())
    }

    fn run(&self, url: &str, args: &[&str]) -> Outcome {
        Outcome::of(self.command(url, args), b"").unwrap()
    }
}

fn provision() -> Provision {
    Provision {
        policy: Hex([0xd1; 32]),
        deployment: "shop".into(),
        service: "till".into(),
        arguments: None,
        environment: BTreeMap::new(),
        working_directory: None,
        files: Vec::new(),
        image_key: None,
        renewal: None,
    }
}

fn give(provision: Provision) -> Answer {
    Answer::Give(Box::new(provision))
}

fn file(path: &str, content: &str, mode: u32, owner: Option<Owner>) -> File {
    File {
        path: path.into(),
        content: content.as_bytes().to_vec().into(),
        mode,
        owner,
    }
}

#[test]
fn a_container_gets_what_the_policy_says() {
    let mut container = Container::new(&[]);
    let script = "
import os, sys
print(sys.argv[1:], os.getcwd(), os.environ.get('SECRET'), 'PATH' in os.environ, os.getpid())
for path in ['/run/secrets/a/password', '/etc/own']:
    stat = os.stat(path)
    print(open(path).read(), oct(stat.st_mode & 0o7777), stat.st_uid, stat.st_gid)
print(os.listdir('/proc/self/fd'), os.path.exists('/nacre-init'), os.path.exists('/broker.der'))
print([name for name in os.listdir('/proc') if name.isdigit()])
";
    let words = ["python3", "-c", script, "one", "two"].map(|word| word.to_owned().into());
    let given = Provision {
        arguments: Some(words.to_vec()),
        environment: BTreeMap::from([("SECRET".into(), "of the broker".to_owned().into())]),
        working_directory: Some("/srv/new".into()),
        files: vec![
            file("/run/secrets/a/password", "hunter2", 0o400, None),
            file("/etc/own", "x", 0o4750, Some(Owner { user: 7, group: 8 })),
        ],
        ..provision()
    };
    let broker = container.broker(vec![give(given)]);
    let outcome = container.run(&broker.url(), &[]);
    assert_eq!(outcome.status, 0, "{outcome}");
    let expected = "\
['one', 'two'] /srv/new of the broker True 1
hunter2 0o400 0 0
x 0o4750 7 8
['0', '1', '2', '3'] False False
['1']
";
    assert_eq!(outcome.stdout, expected, "{outcome}");
    assert!(
        outcome
            .stderr
            .contains("this is the service till of the deployment shop (policy d1d1"),
        "{outcome}"
    );
    for secret in ["hunter2", "of the broker"] {
        assert!(!outcome.stderr.contains(secret), "{outcome}");
    }

    let asked = broker.asked();
    let [asked] = asked.as_slice() else {
        panic!("asked {} times", asked.len())
    };
    let request = &asked.request;
    assert_eq!(
        (&request.deployment, &request.service, request.image_key),
        (&None, &None, None)
    );
    let certificate = ra_tls::RaTlsCertificate::parse(&asked.certificate).unwrap();
    assert!(!certificate.evidence().is_empty());
}

#[test]
fn what_the_broker_leaves_open_is_the_images() {
    let mut container = Container::new(&[]);
    let broker = container.broker(vec![give(provision())]);
    let outcome = container.run(
        &format!("{}/shop/till", broker.url()),
        &[
            "-c",
            "import os; print(os.getcwd(), os.getuid(), os.environ.get('SECRET'))",
        ],
    );
    assert_eq!(
        (outcome.stdout.as_str(), outcome.status),
        ("/app 0 None\n", 0),
        "{outcome}"
    );
    let asked = broker.asked();
    let request = &asked[0].request;
    assert_eq!(request.deployment.as_deref(), Some("shop"));
    assert_eq!(request.service.as_deref(), Some("till"));
}

#[test]
fn an_encrypted_image_opens_with_the_brokers_key_alone() {
    let mut container = Container::new(&["--encrypt", "--image-key", "image.key"]);
    let key = std::fs::read(container.path("image.key")).unwrap();
    let with = |key: Option<&[u8]>| {
        give(Provision {
            image_key: key.map(|key| key.to_vec().into()),
            ..provision()
        })
    };
    let mut other = key.clone();
    other[0] ^= 1;
    let broker = container.broker(vec![
        with(Some(&other)),
        with(Some(&key[..63])),
        with(None),
        with(Some(&key)),
    ]);
    let run = || container.run(&broker.url(), &["-c", "print('open')"]);
    for words in [
        "another key than the image's",
        "no image key",
        "no key for this image",
    ] {
        let outcome = run();
        assert!(
            outcome.status == 125 && outcome.stderr.contains(words),
            "{words}: {outcome}"
        );
        assert_eq!(outcome.stdout, "");
    }
    let outcome = run();
    assert_eq!(
        (outcome.stdout.as_str(), outcome.status),
        ("open\n", 0),
        "{outcome}"
    );
    // It asked for the key by the name that is measured.
    let inspect = container.nacre(&["inspect", "--json", "oci-archive:image.tar"]);
    let shown: serde_json::Value = serde_json::from_str(&Outcome::of(inspect, b"").unwrap().stdout).unwrap();
    let name = broker.asked()[0].request.image_key.unwrap().to_string();
    assert_eq!(shown["configuration"]["image_key"], name.as_str());

    // The key is of no use to the host.
    let with_key = ["run", "--image-key", "image.key", "oci-archive:image.tar"];
    let outcome = Outcome::of(container.nacre(&with_key), b"").unwrap();
    assert!(
        outcome.status == 125 && outcome.stderr.contains("--broker URL"),
        "{outcome}"
    );
}

#[test]
fn a_refusal_is_final_and_says_no_more_than_the_broker() {
    let mut container = Container::new(&[]);
    let refusal = |code| Refusal {
        code,
        message: "no policy names this enclave".into(),
        reference: "r-17".into(),
    };
    let broker = container.broker(vec![
        Answer::Refuse(503, refusal(Code::Unavailable)),
        Answer::Refuse(403, refusal(Code::Refused)),
    ]);
    let outcome = container.run(&broker.url(), &[]);
    assert_eq!(outcome.status, 125, "{outcome}");
    assert!(outcome.stderr.contains("asking again in 1 s"), "{outcome}");
    let last = "nacre-init: the broker refuses: no policy names this enclave (reference r-17)\n";
    assert!(outcome.stderr.ends_with(last), "{outcome}");
    assert_eq!(broker.asked().len(), 2);
}

#[test]
fn nobody_else_is_the_broker() {
    let mut container = Container::new(&[]);
    let listener = container.listener.take().unwrap();
    let strange = StandIn::start(&Authority::new(), listener, vec![give(provision())]);
    let outcome = container.run(&strange.url(), &["-c", "print('runs')"]);
    assert_eq!((outcome.stdout.as_str(), outcome.status), ("", 125), "{outcome}");
    assert!(
        outcome
            .stderr
            .contains("is not the broker that the image was converted for"),
        "{outcome}"
    );

    // Whom the authority has given a certificate for something else, as to a service of a deployment.
    let mut container = Container::new(&[]);
    let service = StandIn::start_as(
        "till.shop.internal",
        &container.authority,
        container.listener.take().unwrap(),
        vec![give(provision())],
    );
    let outcome = container.run(&service.url(), &["-c", "print('runs')"]);
    assert_eq!((outcome.stdout.as_str(), outcome.status), ("", 125), "{outcome}");
    assert!(
        outcome
            .stderr
            .contains("is not the broker that the image was converted for"),
        "{outcome}"
    );
    assert_eq!(service.asked().len(), 0);
}

#[test]
fn a_broker_that_is_late_is_waited_for() {
    let mut container = Container::new(&[]);
    let listener = container.listener.take().unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let url = format!("https://{address}");
    let mut command = container.command(&url, &["-c", "print('at last', flush=True); input()"]);
    let late = std::thread::scope(|scope| {
        let authority = &container.authority;
        scope.spawn(move || {
            std::thread::sleep(Duration::from_millis(1500));
            let listener = TcpListener::bind(address).unwrap();
            StandIn::start(authority, listener, vec![give(provision())])
        });
        let (_running, line) = Running::start(&mut command).unwrap();
        line
    });
    assert_eq!(late, "at last");
}

#[test]
fn what_expires_is_renewed() {
    let mut container = Container::new(&[]);
    let script = "
import signal, sys
def renewed(*_):
    print('renewed:', open('/run/certificate').read(), flush=True)
    sys.exit()
signal.signal(signal.SIGHUP, renewed)
print('first:', open('/run/certificate').read(), flush=True)
while True: signal.pause()
";
    let with = |content: &str| {
        give(Provision {
            files: vec![
                file("/run/certificate", content, 0o444, None),
                file("/run/same", "same", 0o444, None),
            ],
            renewal: Some(Renewal {
                after: 1,
                signal: Some(1),
            }),
            ..provision()
        })
    };
    let broker = container.broker(vec![with("one"), with("one"), with("two")]);
    let outcome = container.run(&broker.url(), &["-c", script]);
    assert_eq!(
        (outcome.stdout.as_str(), outcome.status),
        ("first: one\nrenewed: two\n", 0),
        "{outcome}"
    );
    let instances: Vec<_> = broker
        .asked()
        .iter()
        .map(|asked| asked.request.instance)
        .collect();
    assert!(
        instances.len() >= 3 && instances.iter().all(|one| *one == instances[0]),
        "{instances:?}"
    );
}

#[test]
fn an_image_is_for_a_broker_or_not() {
    let container = Container::new(&[]);
    let outcome = Outcome::of(container.nacre(&["run", "oci-archive:image.tar"]), b"").unwrap();
    assert!(
        outcome.status == 125 && outcome.stderr.contains("--broker URL"),
        "{outcome}"
    );
    let archive = images::provide(&images::recipe("python").unwrap()).unwrap();
    let plain = format!("docker-archive:{}", archive.display());
    let outcome = Outcome::of(container.nacre(&["run", "--broker", "https://x", &plain]), b"").unwrap();
    assert!(
        outcome.status == 125 && outcome.stderr.contains("--broker-ca FILE"),
        "{outcome}"
    );
    let outcome = container.run("http://127.0.0.1:1", &[]);
    assert!(
        outcome.status == 125 && outcome.stderr.contains("give --broker so"),
        "{outcome}"
    );
    let wrong = ["convert", "--broker-ca", "image.tar", &plain, "oci-archive:x.tar"];
    let outcome = Outcome::of(container.nacre(&wrong), b"").unwrap();
    assert!(
        outcome.status == 125 && outcome.stderr.contains("not a certificate in PEM"),
        "{outcome}"
    );
}
