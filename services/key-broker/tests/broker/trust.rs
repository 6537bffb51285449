//! The broker proves what it is, and gives nothing away.

use std::io::Write;
use std::sync::{Arc, Mutex};

use ra_tls::{FixedCollateral, Identity, Verifier};
use rustls::pki_types::pem::PemObject as _;

use crate::support::{COLLATERAL, Peer, Running, hex, request};

fn verifier(mr_enclave: u8) -> Verifier {
    let identity = Identity::mr_enclave([mr_enclave; 32]);
    Verifier::new(FixedCollateral(Arc::clone(&COLLATERAL)), identity).dangerous_accept_simulated()
}

#[tokio::test]
async fn whoever_asks_for_a_quote_gets_one_and_then_the_authority() {
    let broker = Running::start().await;
    let status = broker
        .ask_attested(verifier(0xbb), "/v1/status")
        .await
        .unwrap()
        .json();
    assert_eq!(status["attested"], true);
    let authority = status["authority"].as_str().unwrap();
    let authority = rustls::pki_types::CertificateDer::from_pem_slice(authority.as_bytes()).unwrap();
    assert_eq!(authority, broker.authority);
    assert!(
        broker.ask_attested(verifier(0xcc), "/v1/status").await.is_err(),
        "another enclave was expected"
    );
}

#[tokio::test]
async fn the_description_is_of_this_broker() {
    let broker = Running::start().await;
    let description = broker.ask(None, "GET", "/openapi.json", b"").await.json();
    for (path, methods) in description["paths"].as_object().unwrap() {
        let real = path
            .replace("{name}", "none")
            .replace("{secret}", "none")
            .replace("{number}", "1")
            .replace("{id}", &hex(1));
        for (method, operation) in methods.as_object().unwrap() {
            if method == "parameters" {
                continue;
            }
            for peer in [None, Some(&*broker.administrator)] {
                let answer = broker.ask(peer, &method.to_uppercase(), &real, b"").await;
                let status = answer.status.to_string();
                assert!(
                    operation["responses"].get(&status).is_some(),
                    "{method} {path} answers {status}: {}",
                    answer.text()
                );
                assert_ne!(answer.status, 405, "{method} {path}");
            }
        }
    }
    for path in ["/health", "/health/live", "/health/ready", "/metrics"] {
        assert_eq!(broker.ask(None, "GET", path, b"").await.status, 200);
    }
}

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Secrets are nowhere but in the answers to the enclaves that they are for.
#[tokio::test]
async fn secrets_are_nowhere_else() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .init();
    let broker = Running::start().await;
    let key: Vec<u8> = (100..164).collect();
    let id = sector_cipher::ImageKey::new(&key).unwrap().id().to_string();
    broker
        .apply(
            "shop",
            &format!(
                "name: shop
services:
  web:
    enclaves: [{}]
    tolerate: [{{ what: simulated, reason: a test }}]
    arguments: [web, '{{{{ secret \"password\" }}}}', '{{{{ secret \"api\" }}}}']
    environment: {{ KEY: '{{{{ private_key \"key\" }}}}', RANDOM: '{{{{ secret \"random\" | hex }}}}' }}
    image_keys: [{id}]
secrets:
  password: {{ kind: password }}
  random: {{ kind: random }}
  key: {{ kind: private_key }}
  api: {{ kind: imported }}
",
                hex(0x11)
            ),
        )
        .await;
    let planted = "planted-0123456789-value";
    broker
        .admin("PUT", "/v1/deployments/shop/secrets/api", planted.as_bytes())
        .await;
    broker
        .admin("PUT", &format!("/v1/deployments/shop/image-keys/{id}"), &key)
        .await;
    // Values where they do not belong: they are refused, and not repeated.
    let wrong = broker
        .admin("PUT", "/v1/deployments/shop/secrets/password", planted.as_bytes())
        .await;
    assert_eq!(wrong.status, 400);
    let with_key = provisioning::Request {
        image_key: Some(id.parse().unwrap()),
        ..request(1)
    };
    let given = broker.provision(&Peer::enclave(0x11), &with_key).await.unwrap();
    let mut texts = vec![wrong.text()];
    for path in [
        "/v1/status",
        "/v1/deployments",
        "/v1/instances",
        "/v1/audit",
        "/v1/deployments/shop",
        "/v1/deployments/shop/history",
        "/v1/deployments/shop/approvals",
        "/v1/deployments/shop/secrets",
        "/v1/deployments/shop/authority",
        "/v1/deployments/shop/instances",
        "/metrics",
        "/health",
    ] {
        let answer = broker.admin("GET", path, b"").await;
        assert_eq!(answer.status, 200, "{path}");
        texts.push(answer.text());
    }
    let arguments = given.arguments.unwrap();
    let key_lines = given.environment["KEY"]
        .expose()
        .lines()
        .filter(|line| !line.starts_with('-'));
    let mut secrets: Vec<Vec<u8>> = key_lines.map(|line| line.as_bytes().to_vec()).collect();
    secrets.extend(
        arguments[1..]
            .iter()
            .map(|argument| argument.expose().as_bytes().to_vec()),
    );
    let random = given.environment["RANDOM"].expose();
    secrets.push(random.as_bytes().to_vec());
    secrets.push(base16ct::lower::decode_vec(random).unwrap());
    secrets.push(key.clone());
    assert_eq!(arguments[2].expose(), planted);
    let (directory, _) = broker.stop().await;
    let mut places: Vec<(String, Vec<u8>)> = texts
        .into_iter()
        .map(|text| ("answer".to_owned(), text.into()))
        .collect();
    for file in std::fs::read_dir(directory.path()).unwrap() {
        let path = file.unwrap().path();
        places.push((path.display().to_string(), std::fs::read(path).unwrap()));
    }
    let logged = log.0.lock().unwrap().clone();
    assert!(
        String::from_utf8_lossy(&logged).contains("/v1/provision"),
        "the log was kept"
    );
    places.push(("log".to_owned(), logged));
    for secret in &secrets {
        let forms = [
            secret.clone(),
            base16ct::lower::encode_string(secret).into_bytes(),
            {
                use base64::Engine as _;
                base64::engine::general_purpose::STANDARD_NO_PAD
                    .encode(secret)
                    .into_bytes()
            },
        ];
        for form in forms.iter().filter(|form| form.len() >= 8) {
            for (place, bytes) in &places {
                let found = bytes.windows(form.len()).any(|window| window == form);
                assert!(!found, "a secret is in {place}");
            }
        }
    }
}
