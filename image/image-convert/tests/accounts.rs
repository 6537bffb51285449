//! Who the programs of an image run as, where its account files are reached by links.

#[path = "../../sgx-sign/tests/sample/mod.rs"]
#[expect(dead_code, reason = "a conversion makes its own configuration")]
mod sample;

use std::fs;
use std::path::Path;

use enclave_config::Config;
use image_convert::{Conversion, Options, Package, Part, Silent};
use oci_image::{ImageRef, ImageSource};
use serde_json::json;
use sgx_sign::SigningKey;

const PASSWD: &str = "root:x:0:0::/root:\napp:x:1000:1234::/srv:\n";
const GROUP: &str = "root:x:0:\napp:x:1234:\nvideo:x:44:app\n";

/// What a path of the image is.
enum Item {
    File(&'static str),
    Link(&'static str),
    Directory,
}

/// `uid:gid groups home` of an image that runs as `user`, or why it cannot be converted.
fn account(user: &str, items: &[(&str, Item)]) -> Result<String, String> {
    let mut layer = tar::Builder::new(Vec::new());
    for (path, item) in items {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o755);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(0);
        match item {
            Item::File(content) => {
                header.set_size(content.len() as u64);
                layer.append_data(&mut header, path, content.as_bytes()).unwrap();
            }
            Item::Link(target) => {
                header.set_entry_type(tar::EntryType::Symlink);
                layer.append_link(&mut header, path, target).unwrap();
            }
            Item::Directory => {
                header.set_entry_type(tar::EntryType::Directory);
                layer.append_data(&mut header, path, &b""[..]).unwrap();
            }
        }
    }
    let layer = layer.into_inner().unwrap();
    let diff_id = oci_image::Digest::of(&layer).to_string();
    let config = json!({
        "architecture": "amd64", "os": "linux", "config": { "User": user, "Cmd": ["/app"] },
        "rootfs": { "type": "layers", "diff_ids": [diff_id] },
    });
    let list = json!([{ "Config": "config.json", "RepoTags": null, "Layers": ["layer.tar"] }]);
    let dir = tempfile::tempdir().unwrap();
    let mut archive = tar::Builder::new(fs::File::create(dir.path().join("plain.tar")).unwrap());
    for (name, bytes) in [
        ("config.json", config.to_string().into_bytes()),
        ("layer.tar", layer),
        ("manifest.json", list.to_string().into_bytes()),
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, &bytes[..]).unwrap();
    }
    archive.finish().unwrap();

    let source: ImageRef = format!("docker-archive:{}/plain.tar", dir.path().display())
        .parse()
        .unwrap();
    let target: ImageRef = format!("oci-archive:{}/out.tar", dir.path().display())
        .parse()
        .unwrap();
    let key = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sgx-sign/tests/keys/test-only.pem");
    Conversion {
        source: &ImageSource::open(&source).unwrap(),
        target: &target,
        options: &Options::default(),
        key: &SigningKey::load(&key).unwrap(),
        image_key: None,
        attest: None,
        max_size: None,
        cache: None,
        libos: &sample::libos(),
        host_runtime: b"",
        init: b"\x7fELF init",
    }
    .run(&mut Silent)
    .map_err(|error| error.to_string())?;
    let config = Package::open(&target).unwrap().read(Part::Config).unwrap();
    let config = Config::decode(&config).unwrap();
    let home = config
        .env
        .iter()
        .find_map(|entry| entry.strip_prefix(b"HOME="))
        .unwrap();
    let user = config.user;
    Ok(format!(
        "{}:{} {:?} {}",
        user.uid,
        user.gid,
        user.groups,
        String::from_utf8_lossy(home)
    ))
}

#[test]
fn account_files_are_found_through_links() {
    use Item::{Directory, File, Link};
    let layouts = [
        vec![("etc/passwd", File(PASSWD)), ("etc/group", File(GROUP))],
        // Nix: each file is a link into the store.
        vec![
            ("nix/store/p", File(PASSWD)),
            ("nix/store/g", File(GROUP)),
            ("etc/passwd", Link("/nix/store/p")),
            ("etc/group", Link("../nix/store/g")),
        ],
        // All of /etc is a link.
        vec![
            ("usr/etc", Directory),
            ("usr/etc/passwd", File(PASSWD)),
            ("usr/etc/group", File(GROUP)),
            ("etc", Link("usr/etc")),
        ],
    ];
    for layout in &layouts {
        let app = Ok("1000:1234 [44, 1234] /srv".to_owned());
        assert_eq!(account("app", layout), app);
        assert_eq!(account("1000", layout), app);
        assert_eq!(account("app:video", layout), Ok("1000:44 [44] /srv".into()));
    }
}

#[test]
fn account_files_that_cannot_be_read_are_refused() {
    use Item::{Directory, Link};
    for (item, words) in [
        (vec![("etc/passwd", Link("passwd"))], "symbolic links"),
        (vec![("etc/group", Directory)], "not a regular file"),
    ] {
        let error = account("1000", &item).unwrap_err();
        assert!(error.contains("/etc/") && error.contains(words), "{error}");
    }
    // No such files, or links to nothing: an image without accounts.
    let none = Ok("1000:0 [0] /".to_owned());
    assert_eq!(account("1000", &[]), none);
    assert_eq!(account("1000", &[("etc/passwd", Link("/nowhere"))]), none);
    assert!(account("app", &[]).unwrap_err().contains("no such user"));
}
