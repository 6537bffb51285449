//! Others judge: a validator of JSON schemas the published schema, and a canonicalizer the canonical form.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use deployment_policy::Policy;
use serde_json::{Value, json};

/// What the judges say of a document.
struct Judgement {
    errors: Vec<String>,
    canonical: String,
}

fn judge(documents: &[Value]) -> Vec<Judgement> {
    let schema = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/deployment-policy.schema.json"
    );
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(schema).unwrap()).unwrap();
    let mut child = Command::new(python())
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/judges/judge.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let question = json!({ "schema": schema, "documents": documents }).to_string();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(question.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let answers: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answers.len(), documents.len());
    let texts = |list: &Value| {
        list.as_array()
            .unwrap()
            .iter()
            .map(|text| text.as_str().unwrap().to_owned())
            .collect()
    };
    answers
        .iter()
        .map(|answer| Judgement {
            errors: texts(&answer["errors"]),
            canonical: answer["canonical"].as_str().unwrap().to_owned(),
        })
        .collect()
}

/// The environment that `cargo xtask test` makes.
fn python() -> PathBuf {
    let mut target = std::env::current_exe().unwrap();
    loop {
        let candidate = target.join("policy-judges/bin/python");
        if candidate.is_file() {
            break candidate;
        }
        assert!(
            target.pop(),
            "there is no policy-judges/bin/python in the target directory: run `cargo xtask policy-judges`, or `cargo xtask \
             test`, which does it first"
        );
    }
}

/// The policies in the documentation: whole ones, and parts, to which a name and a service are added if they lack them.
fn documented() -> Vec<String> {
    let page = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/deployment-policy.md"
    ))
    .unwrap();
    let mut examples = Vec::new();
    for block in page.split("```yaml\n").skip(1) {
        let mut example = block.split("```").next().unwrap().to_owned();
        let has = |field: &str| example.lines().any(|line| line.starts_with(field));
        let (name, services) = (has("name:"), has("services:"));
        if !services {
            example += "\nservices: { web: { image: x } }\n";
        }
        if !name {
            example += "\nname: example\n";
        }
        examples.push(example);
    }
    assert!(examples.len() > 10, "{}", examples.len());
    examples
}

#[test]
fn the_documented_policies_are_valid_and_canonical() {
    let mut documents = Vec::new();
    let mut canonical = Vec::new();
    for example in documented() {
        let policy = Policy::parse(&example).unwrap_or_else(|error| panic!("{error}\n{example}"));
        // As it was written, and in its canonical form.
        documents.push(serde_saphyr::from_str(&example).unwrap());
        documents.push(serde_json::from_str(policy.canonical()).unwrap());
        canonical.push(policy.canonical().to_owned());
    }
    for (at, judgement) in judge(&documents).iter().enumerate() {
        assert_eq!(judgement.errors, Vec::<String>::new(), "{}", documents[at]);
        if at % 2 == 1 {
            assert_eq!(judgement.canonical, canonical[at / 2]);
        }
    }
}

#[test]
fn any_text_has_the_same_canonical_form() {
    let texts = [
        "",
        "\u{0}\u{1}\u{8}\t\n\u{b}\u{c}\r\u{1f}\u{7f}\u{80}",
        "\"\\/<>&'",
        "é€\u{ffff}😂\u{10ffff}",
        "\u{2028}\u{2029}",
    ];
    // A zero byte is no text of a file's content that could be an argument, so files are used.
    let files: serde_json::Map<String, Value> = texts
        .iter()
        .enumerate()
        .map(|(at, text)| {
            (
                format!("/é{at}€😂/{}", char::from(b'a' + u8::try_from(at).unwrap())),
                json!({ "content": text }),
            )
        })
        .chain([
            ("/\u{fb33}".to_owned(), json!({ "content": "" })),
            ("/\u{1f600}".to_owned(), json!({ "content": "" })),
        ])
        .collect();
    let document = json!({ "name": "a", "services": { "web": { "image": "x", "files": files } } });
    let policy = Policy::parse(&document.to_string()).unwrap();
    assert_eq!(judge(&[document])[0].canonical, policy.canonical());
}

#[test]
fn the_schema_refuses_what_we_refuse() {
    let enclave = "83d719e77deaca1470f6baf62a4d774303c899db69020f9c70ee1dfc08c7ce9e";
    let documents: Vec<Value> = [
        json!({ "services": { "web": {} } }),
        json!({ "name": "a" }),
        json!({ "name": "a b", "services": {} }),
        json!({ "name": "a", "servises": {}, "services": {} }),
        json!({ "name": "a", "services": { "web": { "envronment": {} } } }),
        json!({ "name": "a", "services": { "we b": {} } }),
        json!({ "name": "a", "services": { "web": { "enclaves": ["xyz"] } } }),
        json!({ "name": "a", "services": { "web": { "enclaves": [enclave.replace('8', "A")] } } }),
        json!({ "name": "a", "services": { "web": { "image": "x", "tolerate": [{ "what": "Revoked" }] } } }),
        json!({ "name": "a", "services": { "web": { "image": "x", "tolerate": [{ "reason": "x" }] } } }),
        json!({ "name": "a", "services": { "web": { "image": "x", "files": { "etc": { "content": "" } } } } }),
        json!({ "name": "a", "services": { "web": { "image": "x", "files": { "/etc": { "content": "", "mode": "999" } } } } }),
        json!({ "name": "a", "services": { "web": { "image": "x", "environment": { "A": 1 } } } }),
        json!({ "name": "a", "services": { "web": { "image": "x", "limits": { "instances": -1 } } } }),
        json!({ "name": "a", "services": { "web": { "image": "x", "on_renewal": "explode" } } }),
        json!({ "name": "a", "services": { "web": { "image": "x" } }, "secrets": { "s": {} } }),
        json!({ "name": "a", "services": { "web": { "image": "x" } }, "secrets": { "s": { "kind": "x" } } }),
        json!({ "name": "a", "services": { "web": { "image": "x" } }, "secrets": { "s": { "kind": "random", "bytes": 3 } } }),
        json!({ "name": "a", "services": { "web": { "image": "x" } }, "secrets": { "s": { "kind": "random", "lifetime": "1y" } } }),
        json!({ "name": "a", "services": { "web": { "image": "x" } }, "platforms": { "registry": "http://a" } }),
        json!({ "name": "a", "services": { "web": { "image": "x" } }, "access": { "approve": { "by": [] } } }),
        json!({ "name": "a", "services": { "web": { "image": "x" } }, "imports": { "i": { "deployment": "b" } } }),
    ]
    .into();
    for (document, judgement) in documents.iter().zip(judge(&documents)) {
        assert!(Policy::parse(&document.to_string()).is_err(), "{document}");
        assert!(!judgement.errors.is_empty(), "{document}");
    }
}
