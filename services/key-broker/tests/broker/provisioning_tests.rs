//! What enclaves are given, and what not.

use std::collections::BTreeSet;

use provisioning::{Code, Hex};

use crate::support::{Peer, Running, certificates, hex, request};

const SIMULATED: &str = "tolerate: [{ what: simulated, reason: a test }]";

fn shop() -> String {
    format!(
        "name: shop
services:
  db:
    enclaves: [{}]
    {SIMULATED}
    arguments: [db, --password, '{{{{ secret \"password\" }}}}']
    environment: {{ TOKEN: '{{{{ secret \"token\" | hex }}}}', API: '{{{{ secret \"api\" }}}}' }}
    files:
      /run/tls/key.pem: {{ content: '{{{{ private_key \"db-tls\" }}}}' }}
      /run/tls/cert.pem: {{ content: '{{{{ certificate \"db-tls\" }}}}', mode: '0444' }}
      /run/tls/ca.pem: {{ content: '{{{{ ca \"db-tls\" }}}}' }}
      /run/own: {{ content: '{{{{ secret \"own\" }}}}' }}
    tls: {{ identity: db-tls }}
    on_renewal: {{ signal: HUP }}
  web:
    enclaves: [{}]
    {SIMULATED}
    environment: {{ PASSWORD: '{{{{ secret \"password\" }}}}' }}
    limits: {{ instances: 2 }}
secrets:
  password: {{ kind: password, length: 20 }}
  token: {{ kind: random, bytes: 16 }}
  own: {{ kind: password, scope: instance }}
  api: {{ kind: imported }}
  internal: {{ kind: x509_ca, common_name: Internal }}
  db-tls: {{ kind: x509, common_name: db, dns: [db.example], issuer: internal, lifetime: 30d }}
",
        hex(0x11),
        hex(0x22)
    )
}

#[tokio::test]
async fn an_enclave_gets_what_its_service_gets() {
    let broker = Running::start().await;
    let digest = broker.apply("shop", &shop()).await;
    let db = Peer::enclave(0x11);
    // A value is missing that people have to give.
    let (status, refusal) = broker.provision(&db, &request(1)).await.unwrap_err();
    assert_eq!((status, refusal.code), (503, Code::Unavailable));
    assert!(!refusal.to_string().contains("api"), "{refusal}");
    let entry = broker.entry(&refusal.reference).await;
    assert!(entry["reason"].as_str().unwrap().contains("\"api\""), "{entry}");
    let set = broker
        .admin("PUT", "/v1/deployments/shop/secrets/api", b"planted-api-value")
        .await;
    assert_eq!(set.status, 204, "{}", set.text());

    let given = broker.provision(&db, &request(1)).await.unwrap();
    assert_eq!(given.policy.to_string(), digest);
    assert_eq!(
        (given.deployment.as_str(), given.service.as_str()),
        ("shop", "db")
    );
    let arguments = given.arguments.as_ref().unwrap();
    let password = arguments[2].expose();
    assert_eq!((arguments[0].expose(), password.len()), ("db", 20));
    assert_eq!(given.environment["TOKEN"].expose().len(), 32);
    assert_eq!(given.environment["API"].expose(), "planted-api-value");
    assert_eq!(given.renewal.unwrap().signal, Some(1));
    let file = |path: &str| {
        let mut files = given.files.iter();
        files
            .find(|file| file.path == path)
            .unwrap()
            .content
            .expose()
            .to_vec()
    };
    let (chain, ca) = (
        certificates(&file("/run/tls/cert.pem")),
        certificates(&file("/run/tls/ca.pem")),
    );
    assert_eq!((chain.len(), ca.len()), (2, 1));
    verify(&chain, &ca[0], "db.example");
    let leaf = &chain[0];
    let digest_bytes: Vec<u8> = [&[4, 32], given.policy.0.as_slice()].concat();
    assert!(
        leaf.windows(34).any(|window| window == digest_bytes),
        "it carries the policy's digest"
    );
    assert!(leaf.windows(16).any(|window| window == b"spiffe://shop/db"));

    // The same again; another instance has its own secret, and shares the others.
    let again = broker.provision(&db, &request(1)).await.unwrap();
    assert_eq!(again.files, given.files);
    let other = broker.provision(&db, &request(2)).await.unwrap();
    assert_eq!(other.arguments, given.arguments);
    let own = |given: &provisioning::Provision| {
        let mut files = given.files.iter();
        files
            .find(|file| file.path == "/run/own")
            .unwrap()
            .content
            .expose()
            .to_vec()
    };
    assert_ne!(own(&other), own(&given));
    let web = broker.provision(&Peer::enclave(0x22), &request(1)).await.unwrap();
    assert_eq!(web.environment["PASSWORD"].expose(), password);

    let instances = broker.admin("GET", "/v1/instances", b"").await.json();
    assert_eq!(instances["instances"].as_array().unwrap().len(), 3);
    let secrets = broker.admin("GET", "/v1/deployments/shop/secrets", b"").await;
    assert_eq!(secrets.json()["secrets"].as_array().unwrap().len(), 6);
    assert!(!secrets.text().contains(password));
    // The store does not forget with the process.
    let stopped = broker.stop().await;
    let broker = Running::restart(stopped, None).await.unwrap();
    assert_eq!(
        broker.provision(&db, &request(1)).await.unwrap().files,
        given.files
    );
}

fn verify(
    chain: &[rustls::pki_types::CertificateDer<'static>],
    ca: &rustls::pki_types::CertificateDer<'static>,
    name: &str,
) {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(ca.clone()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier =
        rustls::client::WebPkiServerVerifier::builder_with_provider(std::sync::Arc::new(roots), provider);
    let name = rustls::pki_types::ServerName::try_from(name.to_owned()).unwrap();
    let verified = rustls::client::danger::ServerCertVerifier::verify_server_cert(
        &*verifier.build().unwrap(),
        &chain[0],
        &chain[1..],
        &name,
        &[],
        rustls::pki_types::UnixTime::now(),
    );
    verified.unwrap();
}

#[tokio::test]
async fn who_is_not_named_gets_nothing() {
    let broker = Running::start().await;
    broker.apply("shop", &shop()).await;
    broker
        .admin("PUT", "/v1/deployments/shop/secrets/api", b"x")
        .await;
    let debug = |body: &mut [u8; 384]| body[48] |= 2;
    let named = |deployment: &str, service: &str| provisioning::Request {
        deployment: Some(deployment.to_owned()),
        service: Some(service.to_owned()),
        ..request(1)
    };
    let key = provisioning::Request {
        image_key: Some(Hex([7; 32])),
        ..request(1)
    };
    for (enclave, request, reason) in [
        (Peer::enclave(0x33), request(1), "no deployment has a service"),
        (Peer::enclave_with(0x11, debug), request(1), "debug"),
        (Peer::enclave(0x11), named("shop", "web"), "MRENCLAVE"),
        (Peer::enclave(0x11), named("shop", "none"), "no service"),
        (
            Peer::enclave(0x11),
            named("other", "db"),
            "no deployment \"other\"",
        ),
        (Peer::enclave(0x11), key, "image key"),
    ] {
        let (status, refusal) = broker.provision(&enclave, &request).await.unwrap_err();
        assert_eq!((status, refusal.code), (403, Code::Refused), "{reason}");
        // The host sees this.
        assert!(!refusal.to_string().contains(reason), "{refusal}");
        let entry = broker.entry(&refusal.reference).await;
        assert!(entry["reason"].as_str().unwrap().contains(reason), "{entry}");
        assert_eq!(entry["actor"]["kind"], "enclave");
    }
    let strict = shop()
        .replace(SIMULATED, "")
        .replace("name: shop", "name: strict");
    broker
        .apply("strict", &strict.replace(&hex(0x11), &hex(0x44)))
        .await;
    let (_, refusal) = broker
        .provision(&Peer::enclave(0x44), &request(1))
        .await
        .unwrap_err();
    let entry = broker.entry(&refusal.reference).await;
    assert!(entry["reason"].as_str().unwrap().contains("simulated"), "{entry}");
    // Two deployments have the same enclave.
    let twin = shop().replace("name: shop", "name: twin");
    broker.apply("twin", &twin).await;
    let (_, refusal) = broker
        .provision(&Peer::enclave(0x11), &request(1))
        .await
        .unwrap_err();
    let entry = broker.entry(&refusal.reference).await;
    assert!(
        entry["reason"].as_str().unwrap().contains("shop, twin"),
        "{entry}"
    );
    assert!(
        broker
            .provision(&Peer::enclave(0x11), &named("shop", "db"))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn a_quote_that_proves_nothing_gets_nothing() {
    let broker = Running::start().await;
    broker.apply("shop", &shop()).await;
    let body = serde_json::to_vec(&request(1)).unwrap();
    let (one, two) = (Peer::enclave(0x22), Peer::enclave(0x22));
    // The certificate of one with the key of another: TLS itself fails.
    let stolen = one.with_key_of(&two);
    assert!(
        broker
            .try_ask(Some(&stolen), "POST", "/v1/provision", &body)
            .await
            .is_err()
    );
    // A quote replayed in a certificate with another key.
    let replayed = replay(&one);
    let person = Peer::person("no enclave");
    let flipped = flip(&one);
    for peer in [Some(&replayed), Some(&person), Some(&flipped), None] {
        let Ok(answer) = broker.try_ask(peer, "POST", "/v1/provision", &body).await else {
            continue;
        };
        assert_eq!(answer.status, 403, "{}", answer.text());
        assert_eq!(answer.json()["code"], "refused");
    }
    assert!(
        !broker.audit().await.contains("\"provision\""),
        "nobody has proven anything"
    );
    for bad in [
        "",
        "{}",
        "{\"instance\":\"00\"}",
        "[1]",
        "{\"instance\":\"11111111111111111111111111111111\",\"x\":1}",
    ] {
        let answer = broker
            .ask(Some(&one), "POST", "/v1/provision", bad.as_bytes())
            .await;
        assert_eq!(
            (answer.status, answer.json()["code"].as_str()),
            (400, Some("bad-request")),
            "{bad}"
        );
    }
    assert!(broker.provision(&one, &request(1)).await.is_ok());
}

/// The same quote for another key.
fn replay(peer: &Peer) -> Peer {
    let quote = ra_tls::RaTlsCertificate::parse(&peer.certificate)
        .unwrap()
        .evidence()[0]
        .quote()
        .to_vec();
    Peer::from_quote(quote)
}

/// A bit of the quote is another one; the certificate is signed again.
fn flip(peer: &Peer) -> Peer {
    let quote = ra_tls::RaTlsCertificate::parse(&peer.certificate)
        .unwrap()
        .evidence()[0]
        .quote()
        .to_vec();
    let mut quote = quote;
    quote[200] ^= 1;
    Peer::from_quote(quote)
}

#[tokio::test]
async fn there_are_no_more_instances_than_there_may_be() {
    let broker = Running::start().await;
    broker.apply("shop", &shop()).await;
    let web = Peer::enclave(0x22);
    for instance in [1, 2, 1, 2] {
        broker.provision(&web, &request(instance)).await.unwrap();
    }
    let (_, refusal) = broker.provision(&web, &request(3)).await.unwrap_err();
    let entry = broker.entry(&refusal.reference).await;
    assert!(entry["reason"].as_str().unwrap().contains("instances"), "{entry}");
    // One that is silent for long enough is gone.
    broker.pass(120);
    broker.provision(&web, &request(1)).await.unwrap();
    broker.pass(120);
    broker.provision(&web, &request(3)).await.unwrap();
    assert!(broker.provision(&web, &request(2)).await.is_err());
}

#[tokio::test]
async fn certificates_are_renewed_before_they_end() {
    let broker = Running::start().await;
    broker.apply("shop", &shop()).await;
    broker
        .admin("PUT", "/v1/deployments/shop/secrets/api", b"x")
        .await;
    let db = Peer::enclave(0x11);
    let chain = |given: &provisioning::Provision| {
        let mut files = given.files.iter();
        files
            .find(|file| file.path == "/run/tls/cert.pem")
            .unwrap()
            .content
            .expose()
            .to_vec()
    };
    let first = broker.provision(&db, &request(1)).await.unwrap();
    // A day before it is due, and then.
    broker.pass(19 * 86400);
    assert_eq!(
        chain(&broker.provision(&db, &request(1)).await.unwrap()),
        chain(&first)
    );
    broker.pass(86400 + 1);
    let second = broker.provision(&db, &request(1)).await.unwrap();
    assert_ne!(chain(&second), chain(&first));
    assert_eq!(second.arguments, first.arguments);
    // A rotation that somebody asks for.
    assert_eq!(
        broker
            .admin("DELETE", "/v1/deployments/shop/secrets/password", b"")
            .await
            .status,
        204
    );
    assert_eq!(
        broker
            .admin("DELETE", "/v1/deployments/shop/secrets/api", b"")
            .await
            .status,
        400
    );
    let third = broker.provision(&db, &request(1)).await.unwrap();
    assert_ne!(third.arguments, second.arguments);
    assert_eq!(third.environment, second.environment);
}

#[tokio::test]
async fn a_renewed_authority_renews_what_it_has_certified() {
    let broker = Running::start().await;
    let policy = shop().replace("common_name: Internal", "common_name: Internal, lifetime: 15d");
    let policy = policy.replace("lifetime: 30d", "lifetime: 6d");
    broker.apply("shop", &policy).await;
    broker
        .admin("PUT", "/v1/deployments/shop/secrets/api", b"x")
        .await;
    let db = Peer::enclave(0x11);
    let file = |given: &provisioning::Provision, path: &str| {
        let mut files = given.files.iter();
        certificates(files.find(|file| file.path == path).unwrap().content.expose())
    };
    let first = broker.provision(&db, &request(1)).await.unwrap();
    // The leaf is renewed now, and good for four days more; the authority is renewed after ten of its fifteen.
    broker.pass(9 * 86400);
    let second = broker.provision(&db, &request(1)).await.unwrap();
    assert_eq!(file(&second, "/run/tls/ca.pem"), file(&first, "/run/tls/ca.pem"));
    broker.pass(86400 + 1);
    let third = broker.provision(&db, &request(1)).await.unwrap();
    let (chain, ca) = (file(&third, "/run/tls/cert.pem"), file(&third, "/run/tls/ca.pem"));
    assert_ne!(ca, file(&first, "/run/tls/ca.pem"));
    assert_ne!(chain[0], file(&second, "/run/tls/cert.pem")[0]);
    let authority = public_key(&ca[0]);
    assert_eq!(authority, public_key(&chain[1]));
}

/// The public key of a certificate.
fn public_key(certificate: &rustls::pki_types::CertificateDer<'_>) -> Vec<u8> {
    use x509_cert::der::{Decode as _, Encode as _};
    let certificate = x509_cert::Certificate::from_der(certificate).unwrap();
    certificate
        .tbs_certificate()
        .subject_public_key_info()
        .to_der()
        .unwrap()
}

#[tokio::test]
async fn an_image_key_goes_to_its_own_image_only() {
    let broker = Running::start().await;
    let key: Vec<u8> = (0..64).collect();
    let id = sector_cipher::ImageKey::new(&key).unwrap().id().to_string();
    let policy = shop().replace("limits: { instances: 2 }", &format!("image_keys: [{id}]"));
    broker.apply("shop", &policy).await;
    let path = format!("/v1/deployments/shop/image-keys/{id}");
    let wrong = format!("/v1/deployments/shop/image-keys/{}", hex(1));
    assert_eq!(broker.admin("PUT", &wrong, &key).await.status, 400);
    assert_eq!(broker.admin("PUT", &path, &key[1..]).await.status, 400);
    let with_key = provisioning::Request {
        image_key: Some(id.parse().unwrap()),
        ..request(1)
    };
    let web = Peer::enclave(0x22);
    let (status, _) = broker.provision(&web, &with_key).await.unwrap_err();
    assert_eq!(status, 503, "it is not there yet");
    assert_eq!(broker.admin("PUT", &path, &key).await.status, 204);
    let given = broker.provision(&web, &with_key).await.unwrap();
    assert_eq!(given.image_key.unwrap().expose(), key);
    assert!(
        broker
            .provision(&web, &request(1))
            .await
            .unwrap()
            .image_key
            .is_none()
    );
    let (status, _) = broker
        .provision(&Peer::enclave(0x11), &with_key)
        .await
        .unwrap_err();
    assert_eq!(status, 403);
}

#[tokio::test]
async fn deployments_import_what_others_export() {
    let broker = Running::start().await;
    let giver = format!(
        "name: giver\nservices: {{ a: {{ enclaves: [{}], {SIMULATED} }} }}
secrets: {{ shared: {{ kind: password }}, kept: {{ kind: password }} }}
exports: {{ shared: {{ to: [taker] }} }}\n",
        hex(0x55)
    );
    let taker = |secret: &str| {
        format!(
            "name: taker\nservices:\n  b:\n    enclaves: [{}]\n    {SIMULATED}\n    environment: {{ X: '{{{{ secret \"theirs\" }}}}' }}
imports: {{ theirs: {{ deployment: giver, secret: {secret}, kind: value }} }}\n",
            hex(0x66)
        )
    };
    let enclave = Peer::enclave(0x66);
    let first = broker.apply("taker", &taker("shared")).await;
    assert!(
        broker.provision(&enclave, &request(1)).await.is_err(),
        "there is no such deployment yet"
    );
    broker.apply("giver", &giver).await;
    let given = broker.provision(&enclave, &request(1)).await.unwrap();
    assert_eq!(given.environment["X"].expose().len(), 32);
    let kept = format!("{}predecessor: {first}\n", taker("kept"));
    broker.apply("taker", &kept).await;
    let (_, refusal) = broker.provision(&enclave, &request(1)).await.unwrap_err();
    let entry = broker.entry(&refusal.reference).await;
    assert!(
        entry["reason"].as_str().unwrap().contains("does not export"),
        "{entry}"
    );
}

#[tokio::test]
async fn many_enclaves_at_once() {
    let broker = std::sync::Arc::new(Running::start().await);
    broker
        .apply("shop", &shop().replace("limits: { instances: 2 }", "limits: {}"))
        .await;
    let web = std::sync::Arc::new(Peer::enclave(0x22));
    let tasks: Vec<_> = (0..64)
        .map(|number| {
            let (broker, web) = (std::sync::Arc::clone(&broker), std::sync::Arc::clone(&web));
            tokio::spawn(async move {
                let given = broker.provision(&web, &request(number)).await.unwrap();
                given.environment["PASSWORD"].expose().to_owned()
            })
        })
        .collect();
    let mut passwords = BTreeSet::new();
    for task in tasks {
        passwords.insert(task.await.unwrap());
    }
    assert_eq!(passwords.len(), 1, "the secret was made once");
    assert_eq!(broker.audit().await.matches("\"provision\"").count(), 64);
}
