//! Deployment policies, as a user checks, explains, compares, pins and extends them.

#[expect(dead_code, reason = "the other images are for other tests")]
mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;
use support::Workplace;

const ENCLAVE: &str = "83d719e77deaca1470f6baf62a4d774303c899db69020f9c70ee1dfc08c7ce9e";

fn policy() -> String {
    format!(
        "# Our shop.
name: shop
services:
  web:
    enclaves: [{ENCLAVE}] # 1.0
    environment: {{ PASSWORD: '{{{{ secret \"db\" }}}}' }}
    tolerate: [{{ what: debug }}]
secrets: {{ db: {{ kind: password }} }}
"
    )
}

/// Standard output, standard error and the exit status.
fn run(place: &Workplace, words: &str) -> (String, String, i32) {
    let output = place.nacre(words.split(' '));
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        text(output.stdout),
        text(output.stderr),
        output.status.code().unwrap(),
    )
}

#[test]
fn both_kinds_of_policies_are_told_apart() {
    let place = Workplace::new();
    fs::write(place.path("policy.yaml"), policy()).unwrap();
    fs::write(
        place.path("azure"),
        "version=1.0; authorizationrules { => permit(); };",
    )
    .unwrap();
    let (out, _, status) = run(&place, "policy check policy.yaml");
    assert_eq!(status, 0, "{out}");
    assert!(
        out.starts_with("VALID\nwarning: services.web.tolerate[0]: "),
        "{out}"
    );
    let digest = out
        .lines()
        .last()
        .unwrap()
        .strip_prefix("policy digest  ")
        .unwrap();
    assert_eq!(digest.len(), 64);
    let (out, _, status) = run(&place, "policy check azure");
    assert!(status == 0 && out.contains("\npolicy hash    "), "{out}");

    let (out, _, status) = run(&place, "policy check --json policy.yaml");
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (report["valid"].as_bool(), report["digest"].as_str(), status),
        (Some(true), Some(digest), 0)
    );

    for (words, part) in [
        (
            "policy check azure --production",
            "deployment policies; this is a policy of an attestation service",
        ),
        (
            "policy check policy.yaml --claims azure",
            "--claims is for policies of attestation services",
        ),
        ("policy explain azure", "no valid deployment policy"),
        ("policy diff - -", "cannot both come from standard input"),
    ] {
        let (_, error, status) = run(&place, words);
        assert!(status == 125 && error.contains(part), "{words}: {error}");
    }
}

#[test]
fn what_is_wrong_is_shown_where_it_is() {
    let place = Workplace::new();
    let check = |text: &str| {
        fs::write(place.path("policy.yaml"), text).unwrap();
        let (out, error, status) = run(&place, "policy check policy.yaml");
        assert_eq!((error.as_str(), status), ("", 1), "{out}");
        out
    };
    assert_eq!(
        check("name: shop\nservices:\n  web:\n    envronment: {}\n"),
        "NOT VALID: line 4, column 5: services.web: unknown field \"envronment\"; did you mean \"environment\"?\n        envronment: {}\n        ^\n"
    );
    assert_eq!(
        check(&policy().replace("secret \"db\"", "secret \"bd\"")),
        "NOT VALID: services.web.environment.PASSWORD: line 1, column 1 of the template: there is no secret \"bd\"; did you mean \"db\"?\n"
    );
    let unpinned = check("name: shop\nservices: { web: { image: x } }");
    assert!(
        unpinned.starts_with("NOT VALID\nerror: services.web.image: "),
        "{unpinned}"
    );
    // What is too weak for production.
    fs::write(place.path("policy.yaml"), policy()).unwrap();
    let (out, _, status) = run(&place, "policy check policy.yaml --production");
    assert!(
        status == 1 && out.starts_with("NOT VALID\nerror: services.web.tolerate[0]: "),
        "{out}"
    );
    // For another time.
    let expiring = policy().replace("what: debug", "what: OutOfDate, reason: x, until: 2027-06-30");
    fs::write(place.path("policy.yaml"), expiring).unwrap();
    for (time, expected) in [("2027-06-30T23:59:59Z", 0), ("2027-07-01T00:00:00Z", 1)] {
        let (out, _, status) = run(
            &place,
            &format!("policy check policy.yaml --production --at {time}"),
        );
        assert_eq!(status, expected, "{out}");
    }
}

#[test]
fn explained_and_compared() {
    let place = Workplace::new();
    fs::write(place.path("old.yaml"), policy()).unwrap();
    fs::write(
        place.path("new.yaml"),
        policy().replace(
            "    tolerate: [{ what: debug }]\n",
            "    limits: { instances: 2 }\n",
        ),
    )
    .unwrap();
    let explained = place.succeed(["policy", "explain", "old.yaml"]);
    assert!(
        explained.contains("\n  gets the variable PASSWORD with the secret \"db\"\n"),
        "{explained}"
    );
    assert_eq!(
        place.succeed(["policy", "diff", "old.yaml", "new.yaml"]),
        "- service web: the number of instances that may run is now 2\n- service web: debug is no longer tolerated\n"
    );
    assert_eq!(
        place.succeed(["policy", "diff", "old.yaml", "old.yaml"]),
        "nothing changes for anybody\n"
    );
    let report: Value =
        serde_json::from_str(&place.succeed(["policy", "diff", "--json", "old.yaml", "new.yaml"])).unwrap();
    assert_eq!(report["changes"][1]["effect"], "withdraws");
    assert_eq!(report["changes"][1]["path"], "services.web.tolerate.debug");
}

#[test]
fn builds_are_pinned_and_authorized() {
    let place = Workplace::new();
    let plain = place.plain_image();
    place.succeed(["convert", plain, "oci:one"]);
    place.succeed(["convert", plain, "oci:two", "--allow-args", "--debug"]);
    let inspect = |image: &str| -> Value {
        serde_json::from_str(&place.succeed(["inspect", image, "--json"])).unwrap()
    };
    let (one, two) = (inspect("oci:one"), inspect("oci:two"));
    let enclave = |report: &Value| report["mr_enclave"].as_str().unwrap().to_owned();
    let (one_enclave, two_enclave) = (enclave(&one), enclave(&two));
    let file = place.path("policy.yaml");
    let text =
        "# Kept.\nname: shop\nservices:\n  web:\n    image: oci:one # the web\n  api: { image: 'oci:two' }\n";
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();

    // Nothing changes with --dry-run.
    let out = place.succeed(["policy", "pin", "policy.yaml", "--dry-run"]);
    assert!(
        out.contains(&format!("+ service web: the enclave {one_enclave} may be it")),
        "{out}"
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
    // One service, then both.
    place.succeed(["policy", "pin", "policy.yaml", "--service", "web"]);
    let pinned = fs::read_to_string(&file).unwrap();
    let web = format!("    image: oci:one # the web\n    enclaves: [{one_enclave}]\n");
    assert_eq!(pinned, text.replace("    image: oci:one # the web\n", &web));
    place.succeed(["policy", "pin", "policy.yaml"]);
    let pinned = fs::read_to_string(&file).unwrap();
    assert!(
        pinned.ends_with(&format!(
            "{web}  api: {{ image: 'oci:two', enclaves: [{two_enclave}] }}\n"
        )),
        "{pinned}"
    );
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(
        place.succeed(["policy", "pin", "policy.yaml"]),
        "nothing changes for anybody\n"
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), pinned);

    // The service that names the image is meant; a debug enclave gets nothing yet.
    let (out, error, status) = run(&place, "authorize oci:two --policy policy.yaml");
    assert_eq!((out.as_str(), status), ("nothing changes for anybody\n", 0));
    assert!(error.contains("this is a debug enclave"), "{error}");
    let (out, _, _) = run(&place, "authorize oci:two --policy policy.yaml --service web");
    assert_eq!(
        out,
        format!("+ service web: the enclave {two_enclave} may be it\n")
    );
    let authorized = fs::read_to_string(&file).unwrap();
    assert!(
        authorized.contains(&format!("enclaves: [{one_enclave}, {two_enclave}]\n")),
        "{authorized}"
    );
    let out = place.succeed(["authorize", "oci:one", "--policy", "policy.yaml", "--by-signer"]);
    let signer = one["mr_signer"].as_str().unwrap();
    assert!(
        out.starts_with(&format!(
            "+ service web: enclaves signed by {signer}, product 0, from version 0 on may be it"
        )),
        "{out}"
    );
    place.succeed(["policy", "check", "policy.yaml"]);

    for (words, part) in [
        (
            "authorize oci:one --policy policy.yaml --service wbe",
            "did you mean \"web\"?",
        ),
        (
            "authorize oci:three --policy policy.yaml --service web",
            "oci:three",
        ),
        ("policy pin policy.yaml --service wbe", "no service \"wbe\""),
        ("policy pin -", "name a file"),
    ] {
        let (_, error, status) = run(&place, words);
        assert!(status == 125 && error.contains(part), "{words}: {error}");
    }

    // An encrypted image's key may be given to the service, too.
    place.succeed([
        "convert",
        plain,
        "oci:secret",
        "--encrypt",
        "--image-key",
        "image.key",
    ]);
    let key = inspect("oci:secret")["configuration"]["image_key"]
        .as_str()
        .unwrap()
        .to_owned();
    let out = place.succeed([
        "authorize",
        "oci:secret",
        "--policy",
        "policy.yaml",
        "--service",
        "web",
    ]);
    assert!(
        out.contains(&format!("+ service web: may be given the image key {key}\n")),
        "{out}"
    );

    // Nobody is meant without a name.
    place.succeed(["convert", plain, "oci:other"]);
    let (_, error, status) = run(&place, "authorize oci:other --policy policy.yaml");
    assert!(
        status == 125 && error.contains("has the services api, web: say which"),
        "{error}"
    );
    // A damaged image is not authorized.
    let blobs = place.path("one/blobs/sha256");
    let largest = fs::read_dir(blobs)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .max_by_key(|path| fs::metadata(path).unwrap().len())
        .unwrap();
    let mut bytes = fs::read(&largest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&largest, bytes).unwrap();
    let before = fs::read_to_string(&file).unwrap();
    let (out, _, status) = run(&place, "policy pin policy.yaml");
    assert_eq!(status, 125, "{out}");
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
}
