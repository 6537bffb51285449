//! `/dev/attestation`, as Gramine's users know it.

mod common;

use common::{Container, Tree, read_all, write};
use kobject::{Errno, FileKind, KernelSink};
use libc::{O_CREAT, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY};
use linux_abi::Whence;

const TARGET_INFO: &str = "/dev/attestation/target_info";
const REPORT_DATA: &str = "/dev/attestation/user_report_data";
const REPORT: &str = "/dev/attestation/report";
const QUOTE: &str = "/dev/attestation/quote";
const KEY: &str = "/dev/attestation/keys/default";

fn container() -> Container {
    Container::new(&Tree::new())
}

fn padded<const N: usize>(bytes: &[u8]) -> [u8; N] {
    std::array::from_fn(|at| bytes.get(at).copied().unwrap_or(0))
}

#[test]
fn the_files_are_those_of_gramine() {
    let container = container();
    assert_eq!(
        container.list("/dev/attestation").unwrap(),
        [
            "attestation_type",
            "keys",
            "my_target_info",
            "quote",
            "report",
            "target_info",
            "tls",
            "user_report_data"
        ]
    );
    assert_eq!(
        container.list("/dev/attestation/keys").unwrap(),
        [
            "_sgx_mrenclave",
            "_sgx_mrsigner",
            "default",
            "version",
            "versions"
        ]
    );
    for (path, permissions, size) in [
        ("/dev/attestation/attestation_type", 0o444, 0),
        ("/dev/attestation/my_target_info", 0o444, 512),
        (TARGET_INFO, 0o666, 512),
        (REPORT_DATA, 0o666, 64),
        (REPORT, 0o444, 432),
        (QUOTE, 0o444, 0),
        ("/dev/attestation/keys/_sgx_mrenclave", 0o444, 16),
        ("/dev/attestation/keys/_sgx_mrsigner", 0o444, 16),
        (KEY, 0o666, 0),
    ] {
        let stat = container.stat(path).unwrap();
        assert_eq!(
            (stat.kind, stat.permissions, stat.size),
            (FileKind::Regular, permissions, size),
            "{path}"
        );
    }
    assert_eq!(
        container.read("/dev/attestation/attestation_type").unwrap(),
        b"dcap"
    );
}

#[test]
fn a_quote_is_made_when_it_is_opened() {
    let container = container();
    container.write(REPORT_DATA, &[5; 64]).unwrap();
    let first = container.open(QUOTE, O_RDONLY, 0).unwrap();
    container.write(REPORT_DATA, &[6; 64]).unwrap();
    let second = container.open(QUOTE, O_RDONLY, 0).unwrap();
    for (quote, data, number) in [(&first, 5, 1), (&second, 6, 2), (&first, 5, 1)] {
        quote.seek(0, Whence::SEEK_SET).unwrap();
        assert_eq!(read_all(quote).unwrap(), [&[data; 64][..], &[number]].concat());
        // The size is known now, by both ways of asking.
        assert_eq!(quote.object().stat().unwrap().size, 65);
        assert_eq!(quote.seek(0, Whence::SEEK_END).unwrap(), 65);
    }
    *container.process.quotes.lock().unwrap() = u8::MAX;
    assert_eq!(container.open(QUOTE, O_RDONLY, 0).err(), Some(Errno::ENODEV));
}

#[test]
fn tls_has_one_key_and_a_certificate_for_each_opening() {
    let container = container();
    let (key, certificate) = ("/dev/attestation/tls/key.pem", "/dev/attestation/tls/cert.pem");
    assert_eq!(
        container.list("/dev/attestation/tls").unwrap(),
        ["cert.pem", "key.pem"]
    );
    let stat = container.stat(key).unwrap();
    assert_eq!((stat.permissions, stat.size), (0o444, 7));
    assert_eq!(container.read(key).unwrap(), b"private");
    let first = container.open(certificate, O_RDONLY, 0).unwrap();
    assert_eq!(container.read(certificate).unwrap(), b"2");
    assert_eq!(read_all(&first).unwrap(), b"1");
    for path in [key, certificate] {
        let file = container.open(path, O_WRONLY, 0).unwrap();
        assert_eq!(write(&file, b"mine"), Err(Errno::EACCES), "{path}");
    }
    *container.process.quotes.lock().unwrap() = u8::MAX;
    assert_eq!(
        container.open(certificate, O_RDONLY, 0).err(),
        Some(Errno::ENODEV)
    );
}

#[test]
fn a_report_is_of_what_was_written() {
    let container = container();
    assert_eq!(container.read(REPORT).unwrap(), [0; 432]);
    container.write(REPORT_DATA, &[1; 64]).unwrap();
    container.write(TARGET_INFO, &[2; 300]).unwrap();
    let expected: [u8; 432] = padded(&[&[1; 64][..], &[2; 300]].concat());
    assert_eq!(container.read(REPORT).unwrap(), expected);
    // What is no TARGETINFO is refused where it is used.
    container.write(TARGET_INFO, &[2; 512]).unwrap();
    assert_eq!(container.read(REPORT).err(), Some(Errno::EINVAL));
}

#[test]
fn one_write_gives_the_whole_value() {
    let container = container();
    let both = container.open(REPORT_DATA, O_RDWR, 0).unwrap();
    for bytes in [&[9; 64][..], &[7; 32], b"sixty-four is the most", b""] {
        // Wherever the position is.
        assert_eq!(write(&both, bytes), Ok(bytes.len()));
        assert_eq!(container.read(REPORT_DATA).unwrap(), padded::<64>(bytes));
    }
    both.seek(0, Whence::SEEK_SET).unwrap();
    assert_eq!(read_all(&both).unwrap(), [0; 64]);
    write(&both, &[3; 64]).unwrap();
    for too_long in [65, 128, 5000] {
        assert_eq!(write(&both, &vec![4; too_long]), Err(Errno::EINVAL));
    }
    assert_eq!(container.read(REPORT_DATA).unwrap(), [3; 64]);
    // Opening for a write, even with O_TRUNC, changes nothing by itself.
    container
        .open(REPORT_DATA, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        .unwrap();
    assert_eq!(container.read(REPORT_DATA).unwrap(), [3; 64]);
    assert_eq!(
        container
            .open(TARGET_INFO, O_WRONLY, 0)
            .map(|file| write(&file, &[0; 513])),
        Ok(Err(Errno::EINVAL))
    );
}

/// What the tests' processor has.
const VERSION: &str = "5-07070707070707070707070707070707";

#[test]
fn keys_of_lower_versions_are_there_by_name() {
    let container = container();
    let keys = "/dev/attestation/keys";
    let key = |version: &str, name: &str| container.read(&format!("{keys}/versions/{version}/{name}"));
    assert_eq!(
        container.read(&format!("{keys}/version")).unwrap(),
        VERSION.as_bytes()
    );
    assert_eq!(container.list(&format!("{keys}/versions")).unwrap(), [VERSION]);
    for version in [VERSION, "0", "5"] {
        let dir = format!("{keys}/versions/{version}");
        assert_eq!(container.list(&dir).unwrap(), ["_sgx_mrenclave", "_sgx_mrsigner"]);
        assert_eq!(container.stat(&dir).unwrap().kind, FileKind::Directory);
        let stat = container.stat(&format!("{dir}/_sgx_mrsigner")).unwrap();
        assert_eq!((stat.permissions, stat.size), (0o444, 16));
    }
    for name in ["_sgx_mrenclave", "_sgx_mrsigner"] {
        let present = container.read(&format!("{keys}/{name}")).unwrap();
        assert_eq!(key(VERSION, name).unwrap(), present);
        assert_eq!(
            key("5", name).unwrap(),
            present,
            "the processor's versions of now"
        );
        let before = key("3", name).unwrap();
        assert_eq!(before[..13], present[..13]);
        assert_eq!(before[13..], [3, 7, 7]);
    }
    let older_processor = key("4-07070707070707070707070707070203", "_sgx_mrsigner").unwrap();
    assert_eq!(older_processor[13..], [4, 2, 3]);
}

#[test]
fn keys_of_higher_versions_are_refused() {
    let container = container();
    for version in ["6", "65535", "5-07070707070707070707070707070708"] {
        for name in ["_sgx_mrenclave", "_sgx_mrsigner"] {
            let path = format!("/dev/attestation/keys/versions/{version}/{name}");
            assert_eq!(container.read(&path).err(), Some(Errno::EACCES), "{path}");
        }
    }
    // What is no version has no directory, and a version has one name.
    for name in [
        "",
        "-1",
        "05",
        "+5",
        "65536",
        "5-",
        "5-07",
        "5-0707070707070707070707070707070g",
        "5-0707070707070707070707070707070A",
        "5-07070707070707070707070707070707-",
        "5-0707070707070707070707070707070707",
        "default",
    ] {
        let path = format!("/dev/attestation/keys/versions/{name}/_sgx_mrsigner");
        assert_eq!(container.read(&path).err(), Some(Errno::ENOENT), "{path}");
    }
}

#[test]
fn keys_are_sixteen_bytes() {
    let container = container();
    assert_eq!(
        container.read("/dev/attestation/keys/_sgx_mrenclave").unwrap(),
        [&[1; 13][..], &[5, 7, 7]].concat()
    );
    assert_eq!(
        container.read("/dev/attestation/keys/_sgx_mrsigner").unwrap(),
        [&[2; 13][..], &[5, 7, 7]].concat()
    );
    assert_eq!(container.read(KEY).unwrap(), []);
    let file = container.open(KEY, O_RDWR, 0).unwrap();
    for wrong in [0, 15, 17, 32, 5000] {
        assert_eq!(write(&file, &vec![1; wrong]), Err(Errno::EACCES));
    }
    assert_eq!(container.read(KEY).unwrap(), []);
    container.write(KEY, &[8; 16]).unwrap();
    assert_eq!(container.read(KEY).unwrap(), [8; 16]);
    assert_eq!(container.stat(KEY).unwrap().size, 16);
    // In parts.
    let mut sink = KernelSink::new(5);
    file.seek(0, Whence::SEEK_SET).unwrap();
    assert_eq!(file.read(&mut sink), Ok(5));
    assert_eq!(file.seek(0, Whence::SEEK_CUR).unwrap(), 5);
    assert_eq!(read_all(&file).unwrap(), [8; 11]);
}

#[test]
fn who_may_do_what() {
    let container = container();
    let as_user = |path: &str, flags: i32| {
        let how = libos_fs::OpenHow::open(flags as u32, 0o644)?;
        container.vfs.open(
            &container.as_user(1000, 1000),
            libos_fs::At::Cwd,
            path.as_bytes(),
            how,
        )
    };
    // The image's user need not be root.
    for path in [REPORT_DATA, TARGET_INFO, KEY] {
        assert!(as_user(path, O_RDWR).is_ok(), "{path}");
    }
    for path in [
        REPORT,
        QUOTE,
        "/dev/attestation/my_target_info",
        "/dev/attestation/keys/_sgx_mrsigner",
    ] {
        assert!(as_user(path, O_RDONLY).is_ok(), "{path}");
        assert_eq!(as_user(path, O_WRONLY).err(), Some(Errno::EACCES), "{path}");
    }
    // Root passes the permission bits, and still cannot choose a sealing key or a quote.
    for path in [REPORT, QUOTE, "/dev/attestation/keys/_sgx_mrsigner"] {
        let file = container.open(path, O_WRONLY, 0).unwrap();
        assert_eq!(write(&file, &[0; 16]), Err(Errno::EACCES), "{path}");
    }
    for path in ["/dev/attestation/keys/other", "/dev/attestation/other"] {
        assert_eq!(container.read(path).err(), Some(Errno::ENOENT));
        assert_eq!(
            container.open(path, O_WRONLY | O_CREAT, 0o600).err(),
            Some(Errno::EACCES)
        );
    }
    assert!(container.unlink(REPORT).is_err());
    assert!(container.mkdir("/dev/attestation/new").is_err());
}
