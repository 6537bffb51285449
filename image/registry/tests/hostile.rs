//! Registries that stall, refuse, fail or lie. A server of our own, since no real registry does any of that when asked.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use oci_image::{Digest, ImageSource};
use registry::{Connection, Error, Patience, Remote, Store};
use serde_json::{Value, json};

/// What the server does when it is asked for a path.
#[derive(Clone)]
enum Does {
    /// Gives these bytes, or the part that is asked for.
    Give(Vec<u8>),
    /// Says that there are this many, gives these, and hangs up.
    Lie(usize, Vec<u8>),
    /// Says that there are this many, gives these, and then nothing, for as long as somebody listens.
    Stall(usize, Vec<u8>),
    /// Answers with this status.
    Status(u16),
    /// Gives the first answer once, then the second.
    First(Box<Does>, Box<Does>),
}

/// A registry on a loopback address. Its thread ends with the test's process.
struct Server {
    address: String,
    answers: Arc<Mutex<HashMap<String, Does>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self {
            address: listener.local_addr().unwrap().to_string(),
            answers: Arc::default(),
            asked: Arc::default(),
        };
        let (answers, asked) = (server.answers.clone(), server.asked.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (answers, asked) = (answers.clone(), asked.clone());
                thread::spawn(move || serve(stream.unwrap(), &answers, &asked));
            }
        });
        server.does("/v2/", Does::Give(b"{}".to_vec()));
        server
    }

    fn does(&self, path: &str, what: Does) {
        self.answers.lock().unwrap().insert(path.to_owned(), what);
    }

    fn remote(&self) -> Remote {
        Remote::of_name(&format!("{}/app:1", self.address)).unwrap()
    }

    fn pull(&self, store: &Path) -> Result<u64, Error> {
        self.pull_with(store, Patience::default())
    }

    fn pull_with(&self, store: &Path, patience: Patience) -> Result<u64, Error> {
        let store = Store::open(store)?;
        let connection = Connection::to_pull_with(&self.remote(), patience)?;
        let fetched = connection.pull(&store, &mut |_, _| ())?;
        ImageSource::open(&fetched.place)?;
        Ok(fetched.bytes)
    }

    /// Holds an image of one layer of this many bytes, and gives the layer's path and bytes.
    fn hold_image(&self, len: usize) -> (String, Vec<u8>) {
        let mut tar = tar_of(len);
        tar.resize(tar.len().next_multiple_of(512) + 1024, 0);
        let config = json!({
            "architecture": "amd64", "os": "linux", "config": { "Cmd": ["/x"] },
            "rootfs": { "type": "layers", "diff_ids": [Digest::of(&tar).to_string()] },
        });
        let config = config.to_string().into_bytes();
        let blob = |media_type: &str, bytes: &[u8]| json!({ "mediaType": media_type, "digest": Digest::of(bytes).to_string(), "size": bytes.len() });
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": blob("application/vnd.oci.image.config.v1+json", &config),
            "layers": [blob("application/vnd.oci.image.layer.v1.tar", &tar)],
        });
        self.hold_manifest(&manifest);
        let path = |bytes: &[u8]| format!("/v2/app/blobs/{}", Digest::of(bytes));
        self.does(&path(&config), Does::Give(config.clone()));
        self.does(&path(&tar), Does::Give(tar.clone()));
        (path(&tar), tar)
    }

    fn hold_manifest(&self, manifest: &Value) {
        self.does(
            "/v2/app/manifests/1",
            Does::Give(manifest.to_string().into_bytes()),
        );
    }

    fn asked(&self, what: &str) -> usize {
        self.asked
            .lock()
            .unwrap()
            .iter()
            .filter(|line| line.contains(what))
            .count()
    }
}

/// A tar archive with one file of this many bytes.
fn tar_of(len: usize) -> Vec<u8> {
    let mut header = vec![0; 512];
    header[..4].copy_from_slice(b"file");
    header[100..107].copy_from_slice(b"0000644");
    header[108..115].copy_from_slice(b"0000000");
    header[116..123].copy_from_slice(b"0000000");
    header[124..135].copy_from_slice(format!("{len:011o}").as_bytes());
    header[136..147].copy_from_slice(b"00000000000");
    header[156] = b'0';
    header[257..265].copy_from_slice(b"ustar\x0000");
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    header.extend((0..len).map(|at| (at / 251) as u8));
    header
}

fn serve(stream: TcpStream, answers: &Mutex<HashMap<String, Does>>, asked: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    loop {
        let (mut line, mut range) = (String::new(), None);
        match reader.read_line(&mut line) {
            Ok(0) => return,
            Ok(_) => {}
            // TLS, which this server does not speak.
            Err(_) => drop(stream.write_all(b"HTTP/1.1 400 x\r\n\r\n")),
        }
        loop {
            let mut header = String::new();
            if reader.read_line(&mut header).unwrap_or(0) == 0 {
                return;
            }
            let header = header.trim_end().to_ascii_lowercase();
            if let Some(from) = header.strip_prefix("range: bytes=") {
                range = from.trim_end_matches('-').parse::<usize>().ok();
            }
            if header.is_empty() {
                break;
            }
        }
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        asked
            .lock()
            .unwrap()
            .push(format!("{path} from {}", range.unwrap_or(0)));
        let does = {
            let mut answers = answers.lock().unwrap();
            match answers.get(&path).cloned() {
                Some(Does::First(first, then)) => {
                    answers.insert(path, *then);
                    *first
                }
                found => found.unwrap_or(Does::Status(404)),
            }
        };
        let answer =
            |status: u16, len: usize| format!("HTTP/1.1 {status} x\r\ncontent-length: {len}\r\n\r\n");
        let sent = match does {
            Does::Give(bytes) => {
                let from = range.unwrap_or(0).min(bytes.len());
                let status = if range.is_some() { 206 } else { 200 };
                let head = answer(status, bytes.len() - from);
                stream.write_all(&[head.as_bytes(), &bytes[from..]].concat())
            }
            Does::Lie(len, bytes) => {
                let _ = stream.write_all(&[answer(200, len).as_bytes(), &bytes].concat());
                return;
            }
            Does::Stall(len, bytes) => {
                let _ = stream.write_all(&[answer(200, len).as_bytes(), &bytes].concat());
                let _ = reader.read_line(&mut String::new());
                return;
            }
            Does::Status(status) => stream.write_all(answer(status, 0).as_bytes()),
            Does::First(..) => return,
        };
        if sent.is_err() {
            return;
        }
    }
}

#[test]
fn an_honest_registry_is_believed_and_asked_once() {
    let (server, store) = (Server::start(), tempfile::tempdir().unwrap());
    let (layer, bytes) = server.hold_image(100_000);
    assert!(server.pull(store.path()).unwrap() > bytes.len() as u64);
    assert_eq!(server.pull(store.path()).unwrap(), 0, "the blobs are there");
    assert_eq!(server.asked(&layer), 1);
}

#[test]
fn what_was_interrupted_goes_on_where_it_ended() {
    let (server, store) = (Server::start(), tempfile::tempdir().unwrap());
    let (layer, bytes) = server.hold_image(100_000);
    let whole = Does::Give(bytes.clone());
    let half = Does::Lie(bytes.len(), bytes[..50_000].to_vec());
    server.does(&layer, Does::First(Box::new(half), Box::new(whole)));
    server.pull(store.path()).unwrap();
    assert_eq!(
        server.asked(&format!("{layer} from 50000")),
        1,
        "{:?}",
        server.asked.lock().unwrap()
    );
}

#[test]
fn other_bytes_than_promised_are_refused_and_not_kept() {
    let (server, store) = (Server::start(), tempfile::tempdir().unwrap());
    let (layer, bytes) = server.hold_image(10_000);
    let mut other = bytes.clone();
    other[700] ^= 1;
    for (does, what) in [
        (Does::Give(other), "another digest"),
        (Does::Give([bytes.clone(), vec![0; 100]].concat()), "longer"),
    ] {
        server.does(&layer, does);
        let error = server.pull(store.path()).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
        let kept = store.path().join("blobs/sha256").join(Digest::of(&bytes).hex());
        assert!(!kept.exists());
    }
    server.does(&layer, Does::Give(bytes));
    server.pull(store.path()).unwrap();
}

#[test]
fn a_registry_that_always_ends_too_early_is_given_up() {
    let (server, store) = (Server::start(), tempfile::tempdir().unwrap());
    let (layer, bytes) = server.hold_image(10_000);
    server.does(&layer, Does::Lie(bytes.len(), Vec::new()));
    let error = server.pull(store.path()).unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
}

/// One that stalls has what it gave taken, and is asked for the rest; one that always stalls is given up.
#[test]
fn a_registry_that_stalls_is_not_waited_for() {
    let patience = Patience {
        silence: Duration::from_millis(200),
        ..Patience::default()
    };
    let (server, store) = (Server::start(), tempfile::tempdir().unwrap());
    let (layer, bytes) = server.hold_image(100_000);
    let half = Does::Stall(bytes.len(), bytes[..50_000].to_vec());
    let whole = Does::Give(bytes.clone());
    server.does(&layer, Does::First(Box::new(half), Box::new(whole)));
    server.pull_with(store.path(), patience).unwrap();
    assert_eq!(server.asked(&format!("{layer} from 50000")), 1);

    let (server, store) = (Server::start(), tempfile::tempdir().unwrap());
    let (layer, bytes) = server.hold_image(100_000);
    server.does(&layer, Does::Stall(bytes.len(), Vec::new()));
    let begun = Instant::now();
    let error = server.pull_with(store.path(), patience).unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    // One that does not even answer.
    server.does("/v2/app/manifests/1", Does::Stall(10, Vec::new()));
    let other = tempfile::tempdir().unwrap();
    let error = server.pull_with(other.path(), patience).unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(25), "{:?}", begun.elapsed());
}

#[test]
fn a_manifest_is_what_its_digest_says() {
    let (server, store) = (Server::start(), tempfile::tempdir().unwrap());
    server.hold_image(1000);
    let digest = Digest::of(b"another manifest");
    server.does(&format!("/v2/app/manifests/{digest}"), Does::Give(b"{}".to_vec()));
    let remote = Remote::of_name(&format!("{}/app@{digest}", server.address)).unwrap();
    let store = Store::open(store.path()).unwrap();
    let pulled = Connection::to_pull(&remote).and_then(|it| it.pull(&store, &mut |_, _| ()));
    assert!(pulled.is_err(), "{pulled:?}");
}

#[test]
fn refusals_and_failures_say_whose_they_are() {
    let (server, store) = (Server::start(), tempfile::tempdir().unwrap());
    let fails = |status: u16| {
        server.does("/v2/app/manifests/1", Does::Status(status));
        server.pull(store.path()).unwrap_err()
    };
    assert!(matches!(fails(404), Error::NotFound(_)));
    assert!(matches!(fails(401), Error::Unauthorized(_)));
    assert!(matches!(fails(403), Error::Unauthorized(_)));
    let error = fails(503);
    assert!(matches!(error, Error::Registry { .. }), "{error}");
    assert!(error.to_string().contains("503"), "{error}");
    assert_eq!(
        server.asked("/v2/app/manifests/1"),
        3 + 4,
        "what may pass is tried again"
    );
}

#[test]
fn documents_that_are_no_image_are_refused() {
    let (server, store) = (Server::start(), tempfile::tempdir().unwrap());
    let (_, layer) = server.hold_image(1000);
    let missing = Digest::of(b"nobody has it");
    let nested = json!({ "mediaType": "application/vnd.oci.image.index.v1+json", "digest": missing.to_string(), "size": 10 });
    for manifest in [
        json!([]),
        json!({ "schemaVersion": 2, "manifests": [] }),
        json!({ "schemaVersion": 2, "manifests": [nested] }),
        json!({ "schemaVersion": 2, "config": { "digest": "sha256:zz", "size": 1 }, "layers": [] }),
        json!({ "schemaVersion": 2, "config": { "digest": Digest::of(&layer).to_string(), "size": 1 }, "layers": [] }),
    ] {
        server.hold_manifest(&manifest);
        assert!(server.pull(store.path()).is_err(), "{manifest}");
    }
    server.does("/v2/app/manifests/1", Does::Give(vec![b' '; 5 << 20]));
    let error = server.pull(store.path()).unwrap_err().to_string();
    assert!(error.contains("4 MiB"), "{error}");
}
