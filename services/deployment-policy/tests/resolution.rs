//! What an enclave is given.

use dcap_quote::{Bytes, TcbStatus, UnixTime};
use deployment_policy::document::{ImageKeyId, Name};
use deployment_policy::{Evidence, Material, Policy, ReferenceKind, Registered, ResolveError, Secrets};
use provisioning::{MAX_PROVISION, Owner, Provision, Renewal};
use zeroize::Zeroizing;

const KEY: ImageKeyId = ImageKeyId(Bytes([5; 32]));

/// Says what was wanted; some names have other values.
struct Echo;

impl Secrets for Echo {
    fn material(&self, secret: &Name, wanted: ReferenceKind) -> Option<Material> {
        let (value, renew_after) = match secret.as_str() {
            "missing" => return None,
            "raw" => (vec![0xff, 0x00], None),
            "zero" => (vec![b'a', 0], None),
            "huge" => (vec![b'x'; 2 << 20], None),
            "large" => (vec![b'x'; 1 << 20], None),
            "controls" => (vec![1; 100_000], None),
            "soon" => (b"soon".to_vec(), Some(60)),
            "later" => (b"later".to_vec(), Some(3600)),
            name => (format!("<{} {name}>", wanted.name()).into_bytes(), None),
        };
        Some(Material {
            value: Zeroizing::new(value),
            renew_after,
        })
    }

    fn image_key(&self, key: ImageKeyId) -> Option<Zeroizing<Vec<u8>>> {
        (key == KEY).then(|| Zeroizing::new(vec![7; 64]))
    }
}

fn resolve(fields: &str, image_key: Option<ImageKeyId>) -> Result<Provision, ResolveError> {
    let policy = Policy::parse(&format!(
        "name: shop
services: {{ web: {{ enclaves: ['{}'], image_keys: ['{}', '{}'], {fields} }} }}
secrets:
  pw: {{ kind: password }}
  missing: {{ kind: imported }}
  raw: {{ kind: random }}
  zero: {{ kind: imported }}
  huge: {{ kind: imported }}
  large: {{ kind: imported }}
  controls: {{ kind: imported }}
  soon: {{ kind: password, lifetime: 1h }}
  later: {{ kind: password, lifetime: 1h }}
  ca: {{ kind: x509_ca, common_name: ca }}
  web: {{ kind: x509, common_name: web, issuer: ca }}
",
        Bytes([1; 32]),
        KEY,
        Bytes([6; 32]),
    ))
    .unwrap();
    let evidence = Evidence {
        mr_enclave: Bytes([1; 32]),
        mr_signer: Bytes([2; 32]),
        isv_prod_id: 0,
        isv_svn: 0,
        debug: false,
        simulated: false,
        status: TcbStatus::UpToDate,
        advisories: Vec::new(),
        ppid: None,
        platform_instance_id: None,
        registered: Registered::NotAsked,
        image_key,
        instances: 0,
    };
    let grant = policy.authorize(None, &evidence, UnixTime(0)).unwrap();
    let provision = grant.resolve(&Echo);
    if let Ok(provision) = &provision {
        assert_eq!(provision.policy.0, *policy.digest().as_bytes());
        assert_eq!(
            (provision.deployment.as_str(), provision.service.as_str()),
            ("shop", "web")
        );
    }
    provision
}

#[test]
fn everything_that_a_service_gets() {
    let provision = resolve(
        r#"
        arguments: [server, '--password={{ secret "pw" }}'],
        environment: { TLS: '{{ ca "web" }}', RAW: '{{ secret "raw" | hex }}' },
        working_directory: /srv,
        files: {
            /etc/key.pem: { content: '{{ private_key "web" }}{{ certificate "web" }}', mode: 0440, owner: { user: 1, group: 2 } },
            /etc/raw: { content: '{{ secret "raw" }}' },
            /etc/bytes: { content_base64: AAH/ } },
        on_renewal: { signal: HUP }"#,
        Some(KEY),
    )
    .unwrap();
    let arguments: Vec<_> = provision
        .arguments
        .iter()
        .flatten()
        .map(|text| text.expose())
        .collect();
    assert_eq!(arguments, ["server", "--password=<secret pw>"]);
    let environment: Vec<_> = provision
        .environment
        .iter()
        .map(|(name, value)| (name.as_str(), value.expose()))
        .collect();
    assert_eq!(environment, [("RAW", "ff00"), ("TLS", "<ca web>")]);
    assert_eq!(provision.working_directory.as_deref(), Some("/srv"));
    let files: Vec<_> = provision
        .files
        .iter()
        .map(|file| (file.path.as_str(), file.content.expose(), file.mode, file.owner))
        .collect();
    let owner = Some(Owner { user: 1, group: 2 });
    assert_eq!(
        files,
        [
            ("/etc/bytes", [0, 1, 255].as_slice(), 0o400, None),
            (
                "/etc/key.pem",
                b"<private_key web><certificate web>",
                0o440,
                owner
            ),
            ("/etc/raw", &[255, 0], 0o400, None),
        ]
    );
    assert_eq!(provision.image_key.unwrap().expose(), [7; 64]);
    assert_eq!(provision.renewal, None);
}

#[test]
fn what_is_not_there_is_the_images() {
    let provision = resolve("", None).unwrap();
    assert_eq!(
        (
            provision.arguments,
            provision.working_directory,
            provision.image_key
        ),
        (None, None, None)
    );
    assert!(provision.environment.is_empty() && provision.files.is_empty());
}

#[test]
fn the_first_that_ends_counts() {
    let renewal = |fields: &str| resolve(fields, None).unwrap().renewal;
    let both = r#"environment: { A: '{{ secret "later" }}{{ secret "soon" }}{{ secret "pw" }}' }"#;
    assert_eq!(
        renewal(both),
        Some(Renewal {
            after: 60,
            signal: None
        })
    );
    let signal = format!("{both}, on_renewal: {{ signal: HUP }}");
    assert_eq!(
        renewal(&signal),
        Some(Renewal {
            after: 60,
            signal: Some(1)
        })
    );
}

#[test]
fn what_does_not_fit_is_refused_without_its_value() {
    let huge = r#"{{ secret "huge" }}"#;
    for (fields, image_key, expected) in [
        (
            r#"environment: { A: '{{ secret "missing" }}' }"#.to_owned(),
            None,
            "services.web.environment.A: the secret \"missing\" has no value yet",
        ),
        (
            r#"arguments: [a, '{{ secret "zero" }}']"#.to_owned(),
            None,
            "services.web.arguments[1]: a value in it is no text",
        ),
        (
            r#"environment: { A: '{{ secret "large" }}' }"#.to_owned(),
            None,
            "it has more than 131072 bytes",
        ),
        (
            format!("files: {{ /a: {{ content: '{huge}{huge}' }} }}"),
            None,
            "services.web.files./a: what the service gets has more than",
        ),
        (
            String::new(),
            Some(ImageKeyId(Bytes([6; 32]))),
            "services.web.image_keys: the broker does not have the image key 0606",
        ),
    ] {
        let error = resolve(&fields, image_key).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn the_largest_answer_has_room() {
    // JSON writes a control character as six bytes.
    let argument = r#"'{{ secret "controls" }}',"#;
    let most = |count: usize| resolve(&format!("arguments: [{}]", argument.repeat(count)), None);
    let provision = most(20).unwrap();
    assert!(serde_json::to_vec(&provision).unwrap().len() < MAX_PROVISION);
    assert!(
        most(21)
            .unwrap_err()
            .to_string()
            .contains("has more than 2097152 bytes")
    );
    // Filters count.
    let filtered = resolve(
        r#"files: { /a: { content: '{{ secret "large" | hex | base64 }}' } }"#,
        None,
    );
    assert!(filtered.is_err());
}
