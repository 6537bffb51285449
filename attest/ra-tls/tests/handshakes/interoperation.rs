//! Tests of interoperation with OpenSSL, and with Gramine's rules for finding evidence.

use std::io::Write as _;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::Arc;

use ra_tls::{Formats, RaTlsCertificate, server_config};
use rustls::{ServerConnection, Stream};

use crate::support::{NOW, VALIDITY, attested};

fn openssl(words: &str, input: &[u8]) -> (String, bool) {
    let mut child = Command::new("openssl")
        .args(words.split(' '))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl is installed");
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (
        String::from_utf8_lossy(&text).into_owned(),
        output.status.success(),
    )
}

#[test]
fn openssl_reads_the_certificate() {
    let certificate = attested(Formats::Both).certificate;
    let (text, ok) = openssl("x509 -inform DER -noout -text", &certificate);
    assert!(ok, "{text}");
    for part in [
        "2.23.133.5.4.9:",
        "0.6.9.42.840.113741.1337.6:",
        "CN = Nacre RA-TLS",
        "DNS:localhost, IP Address:127.0.0.1",
        "CA:FALSE",
        "prime256v1",
        "TLS Web Server Authentication, TLS Web Client Authentication",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    // Its own signature and its dates, by OpenSSL.
    let folder = tempfile::tempdir().unwrap();
    let pem = folder.path().join("cert.pem").display().to_string();
    let (text, ok) = openssl(&format!("x509 -inform DER -out {pem}"), &certificate);
    assert!(ok, "{text}");
    let at = NOW.0;
    let (text, ok) = openssl(
        &format!("verify -check_ss_sig -attime {at} -CAfile {pem} {pem}"),
        &[],
    );
    assert!(ok, "{text}");
    let late = VALIDITY.until.0 + 1;
    let (text, ok) = openssl(
        &format!("verify -check_ss_sig -attime {late} -CAfile {pem} {pem}"),
        &[],
    );
    assert!(!ok && text.contains("expired"), "{text}");
}

#[test]
fn openssl_connects() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let config = Arc::new(server_config(attested(Formats::Both), None).unwrap());
    let server = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut connection = ServerConnection::new(config).unwrap();
        let mut stream = Stream::new(&mut connection, &mut socket);
        stream.write_all(b"a line from the enclave\n").unwrap();
        stream.conn.send_close_notify();
        stream.flush().unwrap();
    });
    let (text, ok) = openssl(
        &format!("s_client -connect {address} -tls1_3 -quiet -nocommands"),
        &[],
    );
    server.join().unwrap();
    assert!(ok && text.contains("a line from the enclave"), "{text}");
}

/// Gramine searches the extensions for these bytes, and wants an OCTET STRING with a length of two bytes right behind them.
#[test]
fn gramine_would_find_both_quotes() {
    let certificate = attested(Formats::Both).certificate;
    let parsed = RaTlsCertificate::parse(&certificate).unwrap();
    let legacy = parsed.evidence()[1].quote();
    for identifier in [
        &b"\x06\x06\x67\x81\x05\x05\x04\x09"[..],
        b"\x06\x09\x2a\x86\x48\x86\xf8\x4d\x8a\x39\x06",
    ] {
        let places = certificate.windows(identifier.len()).enumerate();
        let places: Vec<usize> = places
            .filter(|(_, bytes)| *bytes == identifier)
            .map(|(at, _)| at)
            .collect();
        let [place] = places[..] else {
            panic!("{identifier:x?} at {places:?}")
        };
        let value = &certificate[place + identifier.len()..];
        assert_eq!(value[..2], [0x04, 0x82]);
        let len = usize::from(u16::from_be_bytes([value[2], value[3]]));
        assert!((128..=8192).contains(&len));
        if identifier.len() == 11 {
            assert_eq!(&value[4..4 + len], legacy);
        }
    }
}
