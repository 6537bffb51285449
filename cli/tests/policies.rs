//! `nacre policy check`, as a user runs it.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new(policy: &str, claims: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("policy"), policy).unwrap();
        fs::write(folder.path().join("claims"), claims).unwrap();
        Self(folder)
    }

    fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nacre"));
        command.current_dir(self.0.path()).args(words.split(' '));
        command
    }

    /// Standard output, standard error and the exit status.
    fn run(&self, words: &str) -> (String, String, i32) {
        let output = self.command(words).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (
            text(output.stdout),
            text(output.stderr),
            output.status.code().unwrap(),
        )
    }
}

const POLICY: &str = r#"version=1.1;
configurationrules { => issueproperty(type="x-ms-sgx-tcbidentifier", value="11"); };
authorizationrules {
    [type=="x-ms-sgx-is-debuggable", value==true] => deny();
    [type=="x-ms-sgx-svn", value>=2] => permit();
};
issuancerules { c:[type=="x-ms-sgx-svn"] => issue(type="svn", value=c.value); };
"#;

#[test]
fn a_policy_alone() {
    let folder = Folder::new(POLICY, "");
    let (out, error, status) = folder.run("policy check policy");
    assert!(
        out.starts_with("VALID\nversion        1.1, 4 rules\npolicy hash    "),
        "{out}"
    );
    assert_eq!((error.as_str(), status), ("", 0));
}

#[test]
fn an_error_is_shown_where_it_is() {
    let folder = Folder::new("version=1.0;\n\tauthorizationrules { => grant(); };", "");
    let (out, error, status) = folder.run("policy check policy");
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(
        lines[..3],
        [
            "NOT VALID: line 2, column 26: expected an action: permit, deny and add, found grant",
            "     authorizationrules { => grant(); };",
            "                             ^",
        ]
    );
    assert_eq!((error.as_str(), status), ("", 1));
}

#[test]
fn properties_that_no_service_honours_are_errors() {
    let folder = Folder::new(
        "version=1.0;\nauthorizationrules { => permit(); };\nissuancerules { => issueproperty(type=\"x5c\", value=true); };",
        "",
    );
    let (out, error, status) = folder.run("policy check policy");
    assert!(
        out.starts_with("NOT VALID: line 3, column 39: issuancerules have no property \"x5c\""),
        "{out}"
    );
    assert_eq!((error.as_str(), status), ("", 1));
    let policy = "version=1.0; authorizationrules { => permit(); };
        issuancerules { c:[type==\"m\"] => issueproperty(type=\"report_validity_in_minutes\", value=c.value); };";
    let with = |claims: &str| Folder::new(policy, claims).run("policy check policy --claims claims");
    let (out, _, status) = with(r#"{"m": 1440}"#);
    assert!(
        out.contains("report_validity_in_minutes = 1440, which is cut to 480"),
        "{out}"
    );
    assert_eq!(status, 0);
    let (out, _, status) = with(r#"{"m": 0}"#);
    assert!(
        out.starts_with("FAILED: ") && out.contains("an integer from 1 on"),
        "{out}"
    );
    assert_eq!(status, 1);
}

#[test]
fn what_is_hardly_meant_is_a_warning() {
    let policy = r#"version=1.0;
authorizationrules { [type=="x-ms-sgx-is-debuggable", value!="true"] => permit(); };"#;
    let folder = Folder::new(policy, r#"{"x-ms-sgx-is-debuggable": true}"#);
    let (out, error, status) = folder.run("policy check policy");
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(
        lines[..4],
        [
            "VALID",
            r#"warning: line 2, column 55: "x-ms-sgx-is-debuggable" is a boolean, compared with a string "true": != holds always"#,
            r#"    authorizationrules { [type=="x-ms-sgx-is-debuggable", value!="true"] => permit(); };"#,
            "                                                          ^",
        ]
    );
    assert_eq!((error.as_str(), status), ("", 0));
    // It is what it says: a debug enclave is permitted.
    let (out, _, status) = folder.run("policy check policy --claims claims --json");
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["decision"], "permitted");
    assert_eq!(json["warnings"][0]["position"]["line"], 2);
    assert_eq!(status, 0);
}

#[test]
fn decisions() {
    let with = |claims: &str| Folder::new(POLICY, claims).run("policy check policy --claims claims");
    let (out, _, status) = with(r#"{"x-ms-sgx-is-debuggable": false, "x-ms-sgx-svn": 2}"#);
    assert!(
        out.starts_with("PERMITTED: by the rule at line 5, column 5\n        [type==\"x-ms-sgx-svn\""),
        "{out}"
    );
    assert!(
        out.contains("configuration  x-ms-sgx-tcbidentifier = \"11\"")
            && out.contains("issued         svn = 2"),
        "{out}"
    );
    assert_eq!(status, 0);
    let (out, _, status) = with(r#"{"x-ms-sgx-is-debuggable": true, "x-ms-sgx-svn": 2}"#);
    assert!(
        out.starts_with("DENIED: line 4, column 5: a rule denies\n"),
        "{out}"
    );
    assert_eq!(status, 1);
    let (out, _, status) = with(r#"{"x-ms-sgx-svn": 1}"#);
    assert!(
        out.starts_with(
            "DENIED: no rule permits\n\
             line 5, column 6: x-ms-sgx-svn is 1 by AttestationService, which is not value>=2\n        [type=="
        ),
        "{out}"
    );
    assert_eq!(status, 1);
    let (out, _, status) = with(r#"[{"type": "x-ms-sgx-svn", "value": "2"}]"#);
    assert!(
        out.starts_with("FAILED: line 5, column 28: >= compares integers, and the claim"),
        "{out}"
    );
    assert_eq!(status, 1);
}

#[test]
fn from_standard_input_as_json() {
    let folder = Folder::new("", r#"{"x-ms-sgx-svn": 7}"#);
    let mut child = folder
        .command("policy check - --claims claims --json")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(POLICY.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["decision"], "permitted");
    assert_eq!(json["position"], serde_json::json!({"line": 5, "column": 5}));
    assert_eq!(
        json["issued"],
        serde_json::json!([{"type": "svn", "valueType": "Integer", "value": 7, "issuer": "AttestationPolicy"}])
    );
}

#[test]
fn what_cannot_be_read_is_a_failure_of_its_own() {
    let folder = Folder::new(POLICY, "{\"a\": null}");
    fs::write(folder.0.path().join("binary"), [0xff, 0xfe]).unwrap();
    for (words, part) in [
        ("policy check missing", "cannot read missing"),
        ("policy check binary", "binary is not text in UTF-8"),
        ("policy check policy --claims missing", "cannot read missing"),
        (
            "policy check policy --claims policy",
            "cannot read claims from policy",
        ),
        (
            "policy check policy --claims claims",
            "the claim \"a\": a claim cannot be null",
        ),
        (
            "policy check - --claims -",
            "cannot both come from standard input",
        ),
    ] {
        let (out, error, status) = folder.run(words);
        assert_eq!((out.as_str(), status), ("", 125), "{words}");
        assert!(
            error.starts_with("nacre: ") && error.contains(part) && error.lines().count() == 1,
            "{error}"
        );
    }
}

/// Words of a policy must not control the terminal.
#[test]
fn control_characters_are_not_printed() {
    let policy = r#"version=1.2; authorizationrules{ => permit(); };
        issuancerules{ => issue(type="x", value=JsonToClaimValue("\"\\u001b[31m\"")); };"#;
    let (out, _, status) = Folder::new(policy, "{}").run("policy check policy --claims claims");
    assert!(
        out.contains("issued         x = \"\u{fffd}[31m\"") && !out.contains('\u{1b}'),
        "{out}"
    );
    assert_eq!(status, 0);
}
