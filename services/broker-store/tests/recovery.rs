//! Root keys are recovered by OpenSSL and enough people.

use std::fs;
use std::process::Command;

use broker_store::{Recovery, RecoveryError, RecoveryKey, RootKey, Share};

fn openssl(arguments: &[&str]) {
    let status = Command::new("openssl").args(arguments).output().unwrap();
    assert!(
        status.status.success(),
        "{}",
        String::from_utf8_lossy(&status.stderr)
    );
}

#[test]
fn two_of_three_people_with_openssl_recover_a_key() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let keys: Vec<_> = (1..=3)
        .map(|number| {
            let (private, public) = (path(&format!("key-{number}")), path(&format!("key-{number}.pub")));
            openssl(&[
                "genpkey",
                "-algorithm",
                "RSA",
                "-pkeyopt",
                "rsa_keygen_bits:3072",
                "-out",
                &private,
            ]);
            openssl(&["pkey", "-in", &private, "-pubout", "-out", &public]);
            RecoveryKey::from_pem(&fs::read(public).unwrap()).unwrap()
        })
        .collect();
    let root = RootKey::generate().unwrap();
    for threshold in [0, 4] {
        assert!(matches!(
            Recovery::split(&root, threshold, &keys),
            Err(RecoveryError::Threshold(3))
        ));
    }
    let shares = directory.path().join("shares");
    Recovery::split(&root, 2, &keys).unwrap().save(&shares).unwrap();
    let decrypted: Vec<_> = (1..=3)
        .map(|number| {
            let (key, share) = (
                path(&format!("key-{number}")),
                path(&format!("shares/share-{number}")),
            );
            let out = path("decrypted");
            let oaep = [
                "-pkeyopt",
                "rsa_padding_mode:oaep",
                "-pkeyopt",
                "rsa_oaep_md:sha256",
            ];
            openssl(
                &[
                    &["pkeyutl", "-decrypt", "-inkey", &key, "-in", &share, "-out", &out],
                    oaep.as_slice(),
                ]
                .concat(),
            );
            fs::read(out).unwrap()
        })
        .collect();
    let share = |number: usize| Share::from_bytes(&decrypted[number]).unwrap();
    for (one, two) in [(0, 1), (2, 0), (1, 2)] {
        let recovered = RootKey::recover(&[share(one), share(two)]).unwrap();
        assert_eq!(recovered.expose(), root.expose());
    }
    assert!(matches!(
        RootKey::recover(&[share(0)]),
        Err(RecoveryError::TooFew { needed: 2, given: 1 })
    ));
    assert!(matches!(
        RootKey::recover(&[share(0), share(0)]),
        Err(RecoveryError::TooFew { needed: 2, given: 1 })
    ));
    let text = String::from_utf8(decrypted[0].clone()).unwrap();
    for bad in [
        text.replace(" 1 ", " 2 "),
        text[..text.len() - 3].to_owned(),
        format!("{text} x"),
        String::new(),
    ] {
        assert!(Share::from_bytes(bad.as_bytes()).is_err(), "{bad}");
    }
    openssl(&[
        "genpkey",
        "-algorithm",
        "RSA",
        "-pkeyopt",
        "rsa_keygen_bits:2048",
        "-out",
        &path("small"),
    ]);
    openssl(&[
        "pkey",
        "-in",
        &path("small"),
        "-pubout",
        "-out",
        &path("small.pub"),
    ]);
    for bad in [
        fs::read(path("small.pub")).unwrap(),
        fs::read(path("key-1")).unwrap(),
        Vec::new(),
    ] {
        assert!(matches!(RecoveryKey::from_pem(&bad), Err(RecoveryError::Key)));
    }
}
