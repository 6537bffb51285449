//! Which enclaves are which services, and what is denied for which reason.

use dcap_quote::{Bytes, TcbStatus, UnixTime};
use deployment_policy::document::{ImageKeyId, Tolerated};
use deployment_policy::{Denial, DenialCode, Evidence, Policy, Registered};

const NOW: UnixTime = UnixTime(1_800_000_000); // 2027-01-15

fn hex<const N: usize>(byte: u8) -> String {
    Bytes([byte; N]).to_string()
}

/// An enclave with MRENCLAVE 01…, signed by 02…, on the machine 03….
fn evidence() -> Evidence {
    Evidence {
        mr_enclave: Bytes([1; 32]),
        mr_signer: Bytes([2; 32]),
        isv_prod_id: 7,
        isv_svn: 3,
        debug: false,
        simulated: false,
        status: TcbStatus::UpToDate,
        advisories: Vec::new(),
        ppid: Some(Bytes([3; 16])),
        platform_instance_id: None,
        registered: Registered::NotAsked,
        image_key: None,
        instances: 0,
    }
}

/// A policy of one service `web` with these fields.
fn policy(fields: &str) -> Policy {
    Policy::parse(&format!("name: shop\nservices: {{ web: {{ {fields} }} }}")).unwrap()
}

fn by_enclave(more: &str) -> Policy {
    policy(&format!("enclaves: ['{}'], {more}", hex::<32>(1)))
}

fn denied(policy: &Policy, evidence: &Evidence) -> Denial {
    policy.authorize(None, evidence, NOW).map(|_| ()).unwrap_err()
}

#[track_caller]
fn assert_denied(policy: &Policy, evidence: &Evidence, code: DenialCode, rule: &str, words: &str) {
    let denial = denied(policy, evidence);
    let [reason] = denial.reasons.as_slice() else {
        panic!("{denial}");
    };
    assert_eq!((reason.code, reason.rule.as_str()), (code, rule), "{denial}");
    assert!(reason.message.contains(words), "{denial}");
}

#[test]
fn by_enclave_or_by_signer() {
    let grant = |policy: &Policy| policy.authorize(None, &evidence(), NOW).is_ok();
    assert!(grant(&by_enclave("")));
    let signer = |product: u16, svn: u16, byte: u8| {
        let mrsigner = hex::<32>(byte);
        policy(&format!(
            "signers: [{{ mrsigner: '{mrsigner}', product_id: {product}, min_svn: {svn} }}]"
        ))
    };
    assert!(grant(&signer(7, 3, 2)) && grant(&signer(7, 0, 2)));
    for (policy, codes) in [
        (
            signer(7, 4, 2),
            [DenialCode::NoService, DenialCode::SecurityVersion].as_slice(),
        ),
        (signer(8, 3, 2), &[DenialCode::NoService, DenialCode::Product]),
        (signer(7, 3, 9), &[DenialCode::NoService]),
        // A signer is no enclave, and an enclave no signer.
        (signer(7, 3, 1), &[DenialCode::NoService]),
        (
            policy("enclaves: ['0202020202020202020202020202020202020202020202020202020202020202']"),
            &[DenialCode::NoService],
        ),
        (policy("image: 'docker://r/x:1'"), &[DenialCode::NoService]),
    ] {
        let denial = denied(&policy, &evidence());
        let found: Vec<_> = denial.reasons.iter().map(|reason| reason.code).collect();
        assert_eq!(found, codes, "{denial}");
    }
    // The closest signer explains.
    let (right, other) = (hex::<32>(2), hex::<32>(9));
    let several = policy(&format!(
        "signers: [{{ mrsigner: '{other}', product_id: 7, min_svn: 0 }}, {{ mrsigner: '{right}', product_id: 6, min_svn: 0 }}, \
         {{ mrsigner: '{right}', product_id: 7, min_svn: 4 }}, {{ mrsigner: '{right}', product_id: 8, min_svn: 0 }}]"
    ));
    let denial = several.authorize(Some("web"), &evidence(), NOW).unwrap_err();
    assert_eq!(denial.code(), DenialCode::SecurityVersion, "{denial}");
    assert_eq!(denial.reasons[0].found, "3");
}

#[test]
fn which_service() {
    let (one, two) = (hex::<32>(1), hex::<32>(2));
    let policy = Policy::parse(&format!(
        "name: shop\nservices:\n  web: {{ enclaves: ['{one}'] }}\n  api: {{ enclaves: ['{one}', '{two}'] }}\n  db: {{ enclaves: ['{two}'] }}"
    ))
    .unwrap();
    let ask = |asked: Option<&str>, enclave: u8| {
        let evidence = Evidence {
            mr_enclave: Bytes([enclave; 32]),
            ..evidence()
        };
        let grant = policy.authorize(asked, &evidence, NOW);
        grant
            .map(|grant| grant.service_name().to_string())
            .map_err(|denial| denial.code().name())
    };
    assert_eq!(ask(None, 1), Err("ambiguous_service"));
    assert_eq!(ask(Some("web"), 1), Ok("web".to_owned()));
    assert_eq!(ask(Some("api"), 1), Ok("api".to_owned()));
    assert_eq!(ask(Some("db"), 1), Err("enclave"));
    assert_eq!(ask(Some("wbe"), 1), Err("unknown_service"));
    assert_eq!(ask(None, 9), Err("no_service"));
    let denial = policy.authorize(Some("wbe"), &evidence(), NOW).unwrap_err();
    let long = policy
        .authorize(Some(&"\u{1b}[2Jx".repeat(10_000)), &evidence(), NOW)
        .unwrap_err();
    assert!(
        !long.to_string().contains('\u{1b}') && long.to_string().len() < 500,
        "{long}"
    );
    assert!(denial.to_string().contains("did you mean \"web\"?"), "{denial}");
}

#[test]
fn what_is_tolerated() {
    type Change = fn(&mut Evidence);
    let debug: Change = |evidence| evidence.debug = true;
    let simulated: Change = |evidence| evidence.simulated = true;
    let out_of_date: Change = |evidence| evidence.status = TcbStatus::OutOfDate;
    let hardening: Change = |evidence| evidence.status = TcbStatus::SwHardeningNeeded;
    let weak: Change = |evidence| evidence.advisories = vec!["INTEL-SA-00615".to_owned()];
    let revoked: Change = |evidence| evidence.status = TcbStatus::Revoked;
    let unsupported: Change = |evidence| evidence.status = TcbStatus::NotSupported;
    let relaunch: Change = |evidence| evidence.status = TcbStatus::TdRelaunchAdvised;
    let all = "SWHardeningNeeded ConfigurationNeeded ConfigurationAndSWHardeningNeeded OutOfDate OutOfDateConfigurationNeeded * debug simulated INTEL-SA-00001";
    for (change, code, by) in [
        (debug, DenialCode::Debug, "debug"),
        (simulated, DenialCode::Simulated, "simulated"),
        (out_of_date, DenialCode::TcbStatus, "OutOfDate"),
        (hardening, DenialCode::TcbStatus, "SWHardeningNeeded"),
        (weak, DenialCode::Advisory, "INTEL-SA-00615"),
        (weak, DenialCode::Advisory, "*"),
        (revoked, DenialCode::TcbStatus, ""),
        (unsupported, DenialCode::TcbStatus, ""),
        (relaunch, DenialCode::TcbStatus, ""),
    ] {
        let mut evidence = evidence();
        change(&mut evidence);
        let rule = "services.web.tolerate";
        assert_denied(&by_enclave(""), &evidence, code, rule, "");
        // Tolerating everything else does not help.
        let others: Vec<_> = all
            .split(' ')
            .filter(|what| *what != by && !(code == DenialCode::Advisory && *what == "*"))
            .map(|what| format!("{{ what: '{what}' }}"))
            .collect();
        let others = by_enclave(&format!("tolerate: [{}]", others.join(", ")));
        assert_denied(&others, &evidence, code, rule, "");
        if by.is_empty() {
            continue;
        }
        let until = |until: &str| by_enclave(&format!("tolerate: [{{ what: '{by}', until: {until} }}]"));
        let now = NOW.to_string();
        for policy in [
            by_enclave(&format!("tolerate: [{{ what: '{by}' }}]")),
            until("2027-01-15"),
            until(&now),
        ] {
            let grant = policy.authorize(None, &evidence, NOW).unwrap();
            assert_eq!(grant.tolerated(), [by.parse::<Tolerated>().unwrap()]);
        }
        let words = "which was tolerated until 2027-01-14T23:59:59Z";
        assert_denied(&until("2027-01-14"), &evidence, code, rule, words);
    }
    // What is not needed is not used.
    let policy = by_enclave("tolerate: [{ what: debug }, { what: '*' }]");
    assert!(
        policy
            .authorize(None, &evidence(), NOW)
            .unwrap()
            .tolerated()
            .is_empty()
    );
    // One reason for each weakness.
    let evidence = Evidence {
        advisories: vec![
            "INTEL-SA-00001".into(),
            "INTEL-SA-00002".into(),
            "INTEL-SA-00003".into(),
        ],
        debug: true,
        ..evidence()
    };
    let denial = denied(&by_enclave("tolerate: [{ what: INTEL-SA-00002 }]"), &evidence);
    let found: Vec<_> = denial
        .reasons
        .iter()
        .map(|reason| reason.found.as_str())
        .collect();
    assert_eq!(found, ["debug", "INTEL-SA-00001", "INTEL-SA-00003"]);
}

#[test]
fn whose_machines() {
    let (own, other) = (hex::<16>(3), hex::<16>(4));
    let on = |platforms: &str| by_enclave(&format!("platforms: {{ {platforms} }}"));
    let with = |registered| Evidence {
        registered,
        ..evidence()
    };
    let is_granted = |policy: &Policy, registered| policy.authorize(None, &with(registered), NOW).is_ok();
    let rule = "services.web.platforms";

    let mine = on(&format!("nodes: [{{ ppid: '{other}' }}, {{ ppid: '{own}' }}]"));
    assert!(is_granted(&mine, Registered::NotAsked) && mine.registry("web", &evidence()).is_none());
    let theirs = on(&format!("nodes: [{{ ppid: '{other}' }}]"));
    assert_denied(&theirs, &evidence(), DenialCode::Platform, rule, &own);
    let both = on(&format!(
        "nodes: [{{ ppid: '{own}', platform_instance_id: '{other}' }}]"
    ));
    assert_denied(&both, &evidence(), DenialCode::Platform, rule, &own);

    let cloud = on(&format!(
        "nodes: [{{ ppid: '{other}' }}], registry: 'https://hosts.example', registry_max_age: 2h"
    ));
    let question = cloud.registry("web", &evidence()).unwrap();
    assert_eq!(
        (question.url.as_str(), question.max_age.seconds()),
        ("https://hosts.example", 7200)
    );
    assert!(is_granted(&cloud, Registered::Yes));
    assert_denied(&cloud, &with(Registered::No), DenialCode::Platform, rule, &own);
    for registered in [Registered::NotAsked, Registered::Unavailable] {
        assert_denied(
            &cloud,
            &with(registered),
            DenialCode::RegistryUnavailable,
            rule,
            &own,
        );
    }
    let nameless = Evidence {
        ppid: None,
        ..with(Registered::Yes)
    };
    assert_denied(&cloud, &nameless, DenialCode::Platform, rule, "unknown");
    // A registry that was not asked for does not help.
    assert_denied(&theirs, &with(Registered::Yes), DenialCode::Platform, rule, &own);

    // The deployment's hold for services that name none.
    let deployment = Policy::parse(&format!(
        "name: shop\nplatforms: {{ nodes: [{{ ppid: '{other}' }}] }}\nservices: {{ web: {{ enclaves: ['{}'] }} }}",
        hex::<32>(1)
    ))
    .unwrap();
    assert_denied(&deployment, &evidence(), DenialCode::Platform, "platforms", &own);
}

#[test]
fn image_keys_and_instances() {
    let key = |byte: u8| Evidence {
        image_key: Some(ImageKeyId(Bytes([byte; 32]))),
        ..evidence()
    };
    let policy = by_enclave(&format!("image_keys: ['{}']", hex::<32>(5)));
    assert!(
        policy
            .authorize(None, &evidence(), NOW)
            .unwrap()
            .image_key()
            .is_none()
    );
    assert!(
        policy
            .authorize(None, &key(5), NOW)
            .unwrap()
            .image_key()
            .is_some()
    );
    assert_denied(
        &policy,
        &key(6),
        DenialCode::ImageKey,
        "services.web.image_keys",
        &hex::<32>(6),
    );

    let running = |instances| Evidence {
        instances,
        ..evidence()
    };
    let policy = by_enclave("limits: { instances: 2 }");
    assert!(policy.authorize(None, &running(1), NOW).is_ok());
    for instances in [2, 3, u32::MAX] {
        let rule = "services.web.limits.instances";
        assert_denied(
            &policy,
            &running(instances),
            DenialCode::Instances,
            rule,
            "there may be 2",
        );
    }
}

#[test]
fn what_a_grant_needs() {
    let enclave = hex::<32>(1);
    let text = r#"
name: shop
services:
  web:
    enclaves: ['ENCLAVE']
    environment: { B: 'x{{ secret "b" | hex }}y{{ secret "a" }}', A: '{{ secret "a" }}' }
    files: { /etc/ca.pem: { content: '{{ ca "ca" }}' } }
    volumes: { /data: { volume: data }, /more: { volume: data } }
    tls: { identity: web }
secrets:
  a: { kind: password }
  b: { kind: random }
  c: { kind: random }
  ca: { kind: x509_ca, common_name: ca }
  web: { kind: x509, common_name: web, issuer: ca }
volumes: { data: {}, unused: {} }
"#;
    let policy = Policy::parse(&text.replace("ENCLAVE", &enclave)).unwrap();
    let grant = policy.authorize(None, &evidence(), NOW).unwrap();
    let needs = grant.needs();
    let names: Vec<_> = needs.secrets.keys().map(|name| name.as_str()).collect();
    assert_eq!(names, ["a", "b", "ca"]);
    assert_eq!(needs.volumes.len(), 1);
    assert_eq!(policy.spiffe_id(grant.service_name()), "spiffe://shop/web");
    assert_eq!(policy.service_with_identity("web").unwrap().as_str(), "web");
}
