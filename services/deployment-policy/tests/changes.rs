//! What changes for whom.

use dcap_quote::Bytes;
use deployment_policy::{Change, Effect, Policy, diff, explain};

fn example() -> String {
    r#"
name: shop
services:
  web:
    image: docker://registry.example/web-nacre:1
    enclaves: [ENCLAVE1]
    signers: [{ mrsigner: SIGNER, product_id: 1, min_svn: 2 }]
    tolerate: [{ what: SWHardeningNeeded, reason: compiled against LVI, until: 2027-06-30 }]
    platforms: { nodes: [{ name: rack-1, ppid: PPID1 }], registry: 'https://hosts.example' }
    arguments: [web, --fast]
    environment: { PASSWORD: '{{ secret "db" }}', MODE: fast }
    working_directory: /srv
    files: { /etc/tls.pem: { content: '{{ certificate "web" }}{{ private_key "web" }}' } }
    volumes: { /data: { volume: data } }
    image_keys: [KEY]
    tls: { identity: web, accept: [api], connect: [other/db] }
    limits: { instances: 3 }
  api:
    enclaves: [ENCLAVE2]
    tls: { identity: api, connect: [web] }
secrets:
  db: { kind: password }
  ca: { kind: x509_ca, common_name: Shop }
  web: { kind: x509, common_name: web, issuer: ca, dns: [web.example] }
  api: { kind: x509, common_name: api, issuer: ca }
volumes: { data: {} }
access:
  people: { alice: { certificate: ENCLAVE1 }, bob: { public_key: ENCLAVE2 }, carol: { public_key: SIGNER } }
  read: [carol]
  update: [alice]
  approve: { by: [alice, bob], required: 2 }
imports: { theirs: { deployment: other, kind: value } }
exports: { ca: { to: [other] } }
"#
    .replace("ENCLAVE1", &format!("'{}'", Bytes([0x11; 32])))
    .replace("ENCLAVE2", &format!("'{}'", Bytes([0x22; 32])))
    .replace("SIGNER", &format!("'{}'", Bytes([0x33; 32])))
    .replace("PPID1", &format!("'{}'", Bytes([0x44; 16])))
    .replace("KEY", &format!("'{}'", Bytes([0x55; 32])))
}

fn changed(from: &str, to: &str) -> (Policy, Policy) {
    let text = example();
    assert!(text.contains(from), "{from}");
    let parse = |text: &str| Policy::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    (parse(&text), parse(&text.replacen(from, to, 1)))
}

#[test]
fn what_changes_for_whom() {
    let enclave = Bytes([0x11; 32]).to_string();
    for (from, to, expected) in [
        ("enclaves: ['11", "enclaves: ['99", vec![
            format!("- service web: the enclave {enclave} may no longer be it"),
            format!("+ service web: the enclave 99{} may be it", &enclave[2..]),
        ]),
        ("min_svn: 2", "min_svn: 1", vec![
            format!("+ service web: enclaves signed by {}, product 1, from version 1 on may be it", Bytes([0x33; 32])),
            format!("- service web: enclaves signed by {}, product 1, from version 2 on may no longer be it", Bytes([0x33; 32])),
        ]),
        ("until: 2027-06-30", "until: 2028-06-30", vec!["+ service web: until when SWHardeningNeeded is tolerated changes from 2027-06-30T23:59:59Z to 2028-06-30T23:59:59Z".into()]),
        (", until: 2027-06-30", "", vec!["+ service web: until when SWHardeningNeeded is tolerated is no longer 2027-06-30T23:59:59Z".into()]),
        ("what: SWHardeningNeeded", "what: debug", vec![
            "- service web: SWHardeningNeeded is no longer tolerated".into(),
            "+ service web: debug is tolerated until 2027-06-30T23:59:59Z".into(),
        ]),
        (", registry: 'https://hosts.example'", "", vec!["- service web: the registry whose machines are accepted is no longer https://hosts.example".into()]),
        ("MODE: fast", "MODE: slow", vec!["~ service web: the variable MODE changes from fast to slow".into()]),
        (", --fast]", "]", vec![r#"~ service web: the command line changes from ["web","--fast"] to ["web"]"#.into()]),
        (r#"MODE: fast"#, r#"MODE: '{{ secret "db" | hex }}'"#, vec![r#"~ service web: the variable MODE changes from fast to "{{ secret \"db\" | hex }}""#.into()]),
        (r#"'{{ secret "db" }}'"#, "none", vec![
            r#"~ service web: the variable PASSWORD changes from "{{ secret \"db\" }}" to none"#.into(),
            r#"- service web: no longer gets the secret "db""#.into(),
        ]),
        (r#"MODE: fast"#, r#"MODE: '{{ secret "theirs" }}'"#, vec![
            r#"~ service web: the variable MODE changes from fast to "{{ secret \"theirs\" }}""#.into(),
            r#"+ service web: gets the secret "theirs""#.into(),
        ]),
        ("instances: 3", "instances: 4", vec!["+ service web: the number of instances that may run changes from 3 to 4".into()]),
        ("instances: 3", "", vec!["+ service web: the number of instances that may run is no longer 3".into()]),
        ("volume: data", "volume: data, read_only: true", vec!["- service web: the volume at /data can only be read".into()]),
        ("accept: [api]", "accept: [api, other/x]", vec!["+ service web: other/x may connect to it".into()]),
        ("kind: password", "kind: password, length: 40", vec![r#"~ service web: the length of the secret "db" changes from 32 to 40"#.into()]),
        ("dns: [web.example]", "dns: [x.example]", vec![
            r#"~ service web: the certificate "web" is no longer valid for web.example"#.into(),
            r#"~ service web: the certificate "web" is valid for x.example"#.into(),
        ]),
        ("required: 2", "required: 1", vec!["+ everybody: how many people must approve a policy changes from 2 to 1".into()]),
        ("\n  approve: { by: [alice, bob], required: 2 }", "", vec!["+ everybody: a policy takes effect without anybody's approval".into()]),
        ("update: [alice]", "update: [alice, bob]", vec!["+ person bob: may propose another policy".into()]),
        ("ca: { to: [other] }", "ca: { to: [other, more] }", vec![r#"+ deployment more: may import "ca""#.into()]),
        ("name: shop\n", "name: shop\npredecessor: '1111111111111111111111111111111111111111111111111111111111111111'\n", vec![]),
        ("  api:\n", "  new: { enclaves: ['2222222222222222222222222222222222222222222222222222222222222222'], environment: { A: '{{ secret \"db\" }}' } }\n  api:\n",
            vec![r#"+ service new: is new, and gets the secret "db""#.into()]),
    ] {
        let (old, new) = changed(from, to);
        let words: Vec<_> = diff(&old, &new).iter().map(ToString::to_string).collect();
        assert_eq!(words, expected, "{from} → {to}");
    }
}

#[test]
fn back_again_withdraws_what_was_granted() {
    for (from, to) in [
        ("instances: 3", ""),
        ("required: 2", "required: 1"),
        (", until: 2027-06-30", ""),
        ("accept: [api]", "accept: []"),
    ] {
        let (old, new) = changed(from, to);
        let effects = |changes: Vec<Change>| changes.iter().map(|change| change.effect).collect::<Vec<_>>();
        let (there, back) = (effects(diff(&old, &new)), effects(diff(&new, &old)));
        assert_eq!(there.len(), back.len(), "{from}");
        for (there, back) in there.iter().zip(&back) {
            assert_ne!((there, back), (&Effect::Grants, &Effect::Grants), "{from}");
            assert_ne!((there, back), (&Effect::Withdraws, &Effect::Withdraws), "{from}");
        }
    }
}

#[test]
fn no_difference_goes_unnoticed() {
    // Each line of the example, left out where that still makes a policy.
    let text = example();
    let old = Policy::parse(&text).unwrap();
    assert_eq!(diff(&old, &old), []);
    let lines: Vec<_> = text.lines().collect();
    let mut tried = 0;
    for left_out in 0..lines.len() {
        let rest: Vec<_> = lines
            .iter()
            .enumerate()
            .filter(|(at, _)| *at != left_out)
            .map(|(_, line)| *line)
            .collect();
        let Ok(new) = Policy::parse(&rest.join("\n")) else {
            continue;
        };
        if new.digest() == old.digest() {
            continue;
        }
        tried += 1;
        for changes in [diff(&old, &new), diff(&new, &old)] {
            assert!(!changes.is_empty(), "{}", lines[left_out]);
            for change in changes {
                assert!(!change.who.is_empty() && !change.words.is_empty(), "{change:?}");
                serde_json::to_string(&change).unwrap();
            }
        }
    }
    assert!(tried > 10, "{tried}");
}

#[test]
fn in_english() {
    let text = explain(&Policy::parse(&example()).unwrap());
    for line in [
        "Service web",
        "  is the enclave 1111111111111111111111111111111111111111111111111111111111111111 (image docker://registry.example/web-nacre:1)",
        "  is any enclave that 3333333333333333333333333333333333333333333333333333333333333333 has signed as product 1, from version 2 on",
        "  runs on rack-1, or any machine that https://hosts.example knows",
        "  tolerates platforms with the TCB status SWHardeningNeeded until 2027-06-30T23:59:59Z: compiled against LVI",
        "  runs at most 3 times at once",
        "  is run as \"web\" \"--fast\"",
        "  gets the variable PASSWORD with the secret \"db\"",
        "  gets the variable MODE",
        "  gets the file /etc/tls.pem with the certificate of \"web\", the private key of \"web\"",
        "  gets the volume \"data\" at /data",
        "  lets api connect to it",
        "  may connect to other/db",
        "  runs on anybody's machine",
        "  \"web\": a private key and a certificate that the broker issues, issued by \"ca\", for 30d",
        "  gets \"theirs\" from other as \"theirs\"",
        "  gives \"ca\" to other",
        "  alice may propose another policy",
        "  it takes effect when 2 of 2 have approved it: alice, bob",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}
