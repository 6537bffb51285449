//! Tests of the properties that a service honours, before and after an evaluation.

use attestation_policy::{MAX_VALIDITY_MINUTES, PolicyProblem, Properties, PropertyError};

use super::{parse, permission};

fn policy(configuration: &str, issuance: &str) -> String {
    format!(
        "version=1.2;\nconfigurationrules {{ {configuration} }};\nauthorizationrules {{ => permit(); }};\n\
         issuancerules {{ {issuance} }};"
    )
}

fn property(name: &str, value: &str) -> String {
    format!("=> issueproperty(type=\"{name}\", value={value});")
}

#[test]
fn what_is_known() {
    for (configuration, issuance, baseline, validity_minutes) in [
        (String::new(), String::new(), None, None),
        (
            property("x-ms-sgx-tcbidentifier", "\"azuredefault\""),
            property("omit_x5c", "true"),
            None,
            None,
        ),
        (
            property("x-ms-sgx-tcbidentifier", "\"17\"") + &property("x-ms-sgx-tcbidentifier", "16"),
            property("report_validity_in_minutes", "5") + &property("report_validity_in_minutes", "60"),
            Some(17),
            Some(5),
        ),
        // A day, Azure's default; a year, Azure's limit; and more than any number of minutes.
        (
            String::new(),
            property("report_validity_in_minutes", "1440"),
            None,
            Some(MAX_VALIDITY_MINUTES),
        ),
        (
            String::new(),
            property("report_validity_in_minutes", "525600"),
            None,
            Some(MAX_VALIDITY_MINUTES),
        ),
        (
            String::new(),
            property("report_validity_in_minutes", "9223372036854775807"),
            None,
            Some(MAX_VALIDITY_MINUTES),
        ),
    ] {
        let text = policy(&configuration, &issuance);
        assert_eq!(parse(&text).check_properties(), Ok(()), "{text}");
        let expected = Properties {
            baseline,
            validity_minutes,
        };
        assert_eq!(Properties::of(&permission(&text, &[])), Ok(expected), "{text}");
    }
}

#[test]
fn what_never_issues_is_an_error_before_and_after() {
    for (configuration, issuance, line, part) in [
        (
            "x-ms-sgx-tcbidentifer",
            "",
            2,
            "no property \"x-ms-sgx-tcbidentifer\"",
        ),
        (
            "report_validity_in_minutes",
            "",
            2,
            "there are x-ms-sgx-tcbidentifier",
        ),
        (
            "",
            "required_pcr_mask",
            4,
            "there are report_validity_in_minutes and omit_x5c",
        ),
    ] {
        let rule = |name: &str| {
            if name.is_empty() {
                String::new()
            } else {
                property(name, "5")
            }
        };
        check(&policy(&rule(configuration), &rule(issuance)), line, part);
    }
    for (name, value) in [
        ("x-ms-sgx-tcbidentifier", "\"newest\""),
        ("x-ms-sgx-tcbidentifier", "-1"),
        ("x-ms-sgx-tcbidentifier", "true"),
        ("x-ms-sgx-tcbidentifier", "4294967296"),
    ] {
        check(&policy(&property(name, value), ""), 2, "cannot be");
    }
    for (name, value) in [
        ("report_validity_in_minutes", "0"),
        ("report_validity_in_minutes", "-5"),
        ("report_validity_in_minutes", "\"60\""),
        ("omit_x5c", "false"),
        ("omit_x5c", "1"),
    ] {
        check(&policy("", &property(name, value)), 4, "cannot be");
    }
}

fn check(text: &str, line: u32, part: &str) {
    let error = parse(text).check_properties().expect_err(text);
    assert!(matches!(error.problem, PolicyProblem::Property(_)), "{error}");
    assert_eq!(error.position.line, line, "{error}");
    assert!(error.to_string().contains(part), "{error}");
    assert!(Properties::of(&permission(text, &[])).is_err(), "{text}");
}

/// What only claims decide is an error when it comes to that.
#[test]
fn what_depends_on_claims() {
    let text = policy("", "c:[type==\"x\"] => issueproperty(type=c.value, value=1);");
    assert_eq!(parse(&text).check_properties(), Ok(()));
    let permission = permission(&text, &[super::claim("x", "omit")]);
    assert!(matches!(
        Properties::of(&permission),
        Err(PropertyError::Unknown { .. })
    ));
}
