//! Tests of Microsoft's documentation of the language: its examples, and those of them that are
//! wrong.

use attestation_policy::{Claim, Decision, Denial, Policy, defaults};
use serde_json::{Value as Json, json};

use super::{authorizing, by_policy, claim, failure, is_permitted, issued, issuing, made, parse, permission};

/// What the service knows of an enclave.
fn enclave(signer: &str, is_debuggable: bool) -> Vec<Claim> {
    vec![
        claim("x-ms-ver", "1.0"),
        claim("x-ms-attestation-type", "sgx"),
        claim("x-ms-sgx-is-debuggable", is_debuggable),
        claim("x-ms-sgx-product-id", 4639),
        claim("x-ms-sgx-mrsigner", signer),
        claim("x-ms-sgx-mrenclave", "e5".repeat(32)),
        claim("x-ms-sgx-svn", 2),
    ]
}

#[test]
fn the_default_policies() {
    let claims = enclave("a1", true);
    for text in [defaults::SGX_ENCLAVE, defaults::OPEN_ENCLAVE] {
        let permission = permission(text, &claims);
        assert_eq!(
            permission.configuration,
            [by_policy("x-ms-sgx-tcbidentifier", "azuredefault")]
        );
        assert_eq!(
            permission.issued,
            [
                by_policy("is-debuggable", true),
                by_policy("sgx-mrsigner", "a1"),
                by_policy("sgx-mrenclave", "e5".repeat(32)),
                by_policy("product-id", 4639),
                by_policy("svn", 2),
                by_policy("tee", "sgx"),
            ]
        );
    }
    let permission = permission(defaults::TDX_VM, &[claim("x-ms-attestation-type", "tdx")]);
    assert_eq!((permission.issued, permission.configuration), (vec![], vec![]));
}

/// The default of earlier years, with the claims' older names.
#[test]
fn the_first_default_policy() {
    let text = r#"Version= 1.0;
        authorizationrules { c:[type=="$is-debuggable"] => permit(); };
        issuancerules {
            c:[type=="$is-debuggable"] => issue(type="is-debuggable", value=c.value);
            c:[type=="$svn"] => issue(type="svn", value=c.value);
        };"#;
    assert_eq!(
        permission(text, &[claim("$is-debuggable", false), claim("$svn", 1)]).issued,
        [by_policy("is-debuggable", false), by_policy("svn", 1)]
    );
    assert!(!is_permitted(text, &[claim("$svn", 1)]));
}

#[test]
fn a_policy_for_one_enclave_and_for_two() {
    let one = r#"version= 1.0;
        authorizationrules {
            [ type=="x-ms-sgx-is-debuggable", value==false ]
                && [ type=="x-ms-sgx-product-id", value==4639 ]
                && [ type=="x-ms-sgx-svn", value>= 0 ]
                && [ type=="x-ms-sgx-mrsigner", value=="a1"]
                => permit();
        };
        issuancerules { c:[type=="x-ms-sgx-mrsigner"] => issue(type="author", value=c.value); };"#;
    assert_eq!(
        permission(one, &enclave("a1", false)).issued,
        [by_policy("author", "a1")]
    );
    assert!(!is_permitted(one, &enclave("a1", true)));
    assert!(!is_permitted(one, &enclave("b2", false)));

    let two = r#"version= 1.0;
        authorizationrules {
            [ type=="x-ms-sgx-is-debuggable", value==false]&& [ type=="x-ms-sgx-mrsigner", value=="a1"] => permit();
            [ type=="x-ms-sgx-is-debuggable", value==false ]&& [ type=="x-ms-sgx-mrsigner", value=="b2"] => permit();
        };"#;
    for (signer, is_debuggable, permits) in [
        ("a1", false, true),
        ("b2", false, true),
        ("c3", false, false),
        ("b2", true, false),
    ] {
        assert_eq!(is_permitted(two, &enclave(signer, is_debuggable)), permits);
    }
}

/// The one in the signed example, which denies debuggable enclaves by asking any claim for true.
#[test]
fn a_denial_before_a_permission() {
    let text = r#"version=1.0;authorizationrules {c:[type=="$is-debuggable"] && [value==true]=> deny();=> permit();};
        issuancerules { c:[type=="$is-debuggable"] => issue(type="NotDebuggable", value=c.value); };"#;
    assert_eq!(
        permission(text, &[claim("$is-debuggable", false), claim("$tee", "sgx")]).issued,
        [by_policy("NotDebuggable", false)]
    );
    let denied = parse(text).evaluate(&[claim("$is-debuggable", true), claim("$tee", "sgx")]);
    assert!(matches!(denied, Ok(Decision::Denied(Denial::Rule(_)))));
}

/// A TCB baseline of the owner's choice, and the other configuration and property claims.
#[test]
fn properties() {
    let text = r#"version = 1.1;
        configurationrules {
            => issueproperty ( type = "x-ms-sgx-tcbidentifier", value = "11" );
            => issueproperty(type = "required_pcr_mask", value = 15);
            => issueproperty(type = "require_valid_aik_cert", value = false);
        };
        authorizationrules { => permit(); };
        Issuancerules {
            [type=="OSName"] => issueproperty(type="report_validity_in_minutes", value=1440);
            => issueproperty(type="omit_x5c", value=true);
        };"#;
    let permission = permission(text, &[claim("OSName", "x")]);
    assert_eq!(
        permission.configuration,
        [
            by_policy("x-ms-sgx-tcbidentifier", "11"),
            by_policy("required_pcr_mask", 15),
            by_policy("require_valid_aik_cert", false),
        ]
    );
    assert_eq!(
        permission.properties,
        [
            by_policy("report_validity_in_minutes", 1440),
            by_policy("omit_x5c", true)
        ]
    );
}

/// The example of the grammar: what a client says is checked against what the service knows.
#[test]
fn names_refer_to_claims() {
    let rules = r#"F1:[type=="OSName" , issuer=="CustomClaim"] &&
        C2:[type=="OSName" , issuer=="AttestationService", value== F1.value ] => issue(claim = C2);"#;
    let custom = |value: &str| Claim::new("OSName", value, attestation_policy::Issuer::CustomClaim);
    let known = claim("OSName", "Linux");
    assert_eq!(
        issued(rules, &[custom("Linux"), known.clone()]),
        [made("OSName", "Linux")]
    );
    assert_eq!(issued(rules, &[custom("Windows"), known.clone()]), []);
    assert_eq!(issued(rules, &[known]), []);
}

#[test]
fn measured_boot_without_functions() {
    let text = r#"version=1.0;
        authorizationrules { => permit(); };
        issuancerules {
            [type=="aikValidated", value==true]&&
            [type=="secureBootEnabled", value==true] &&
            [type=="notSafeMode", value==true] => issue(type="PlatformAttested", value=true);
            [type=="aikValidated", value==false]&&
            [type=="notSafeMode", value==true] => issue(type="PlatformAttested", value=false);
        };"#;
    for (aik, attested) in [(true, true), (false, false)] {
        let claims = [
            claim("aikValidated", aik),
            claim("secureBootEnabled", true),
            claim("notSafeMode", true),
        ];
        assert_eq!(
            permission(text, &claims).issued,
            [by_policy("PlatformAttested", attested)]
        );
    }
}

/// A log in the shape that the real service makes of a TPM's.
fn events(secure_boot: &str, code_integrity: &[bool], unlock: &[i64]) -> Claim {
    let tag = |sequence: usize, pcr: i64, boundary: Json| {
        json!({"EventTypeString": "EV_EVENT_TAG", "EventSeq": sequence, "PcrIndex": pcr,
            "ProcessedData": {"EVENT_TRUSTBOUNDARY": boundary}})
    };
    let mut events = vec![
        json!({"EventTypeString": "EV_EFI_VARIABLE_DRIVER_CONFIG", "EventSeq": 1, "PcrIndex": 7, "ProcessedData": {
            "VariableGuid": "8BE4DF61-93CA-11D2-AA0D-00E098032B8C", "UnicodeName": "SecureBoot",
            "VariableData": secure_boot}}),
        json!({"EventTypeString": "EV_SEPARATOR", "EventSeq": 90, "PcrIndex": 12}),
        tag(
            40,
            12,
            json!({"EVENT_APPLICATION_SVN": 5, "EVENT_LOADEDMODULE_AGGREGATION": [
            {"EVENT_IMAGEVALIDATED": true, "EVENT_FILEPATH": "\\Windows\\System32\\Drivers\\WD\\WdBoot.sys"},
            {"EVENT_IMAGEVALIDATED": true}]}),
        ),
    ];
    for (index, enabled) in code_integrity.iter().enumerate() {
        events.push(tag(50 + index, 13, json!({"EVENT_CODEINTEGRITY": enabled})));
    }
    for (index, value) in unlock.iter().enumerate() {
        events.push(tag(
            60 + index,
            19,
            json!({"EVENT_BITLOCKER_UNLOCK": {"Value": value}}),
        ));
    }
    claim("events", json!({"Events": events}).to_string())
}

#[test]
fn secure_boot_from_the_log() {
    let rules = r#"
        c:[type == "events", issuer=="AttestationService"] => add(type = "efiConfigVariables", value = JmesPath(c.value, "Events[?EventTypeString == 'EV_EFI_VARIABLE_DRIVER_CONFIG' && ProcessedData.VariableGuid == '8BE4DF61-93CA-11D2-AA0D-00E098032B8C']"));
        c:[type=="efiConfigVariables", issuer=="AttestationPolicy"]=> issue(type = "secureBootEnabled", value = JsonToClaimValue(JmesPath(c.value, "[?ProcessedData.UnicodeName == 'SecureBoot'] | length(@) == `1` && @[0].ProcessedData.VariableData == 'AQ'")));
        ![type=="secureBootEnabled", issuer=="AttestationPolicy"] => issue(type="secureBootEnabled", value=false);"#;
    for (claims, is_enabled) in [
        (vec![events("AQ", &[], &[])], true),
        (vec![events("AA", &[], &[])], false),
        (vec![], false),
    ] {
        assert_eq!(issued(rules, &claims), [made("secureBootEnabled", is_enabled)]);
    }
}

/// The names stand for all claims: a set goes through `ContainsOnlyValue`.
#[test]
fn code_integrity_from_the_log() {
    let rules = r#"
        c:[type=="events", issuer=="AttestationService"] => add(type="boolProperties", value=JmesPath(c.value, "Events[? EventTypeString == 'EV_EVENT_TAG' && (PcrIndex == `12` || PcrIndex == `13` || PcrIndex == `19` || PcrIndex == `20`)].ProcessedData.EVENT_TRUSTBOUNDARY"));
        c:[type=="boolProperties", issuer=="AttestationPolicy"] => add(type="codeIntegrityEnabledSet", value=JsonToClaimValue(JmesPath(c.value, "[*].EVENT_CODEINTEGRITY")));
        c:[type=="codeIntegrityEnabledSet", issuer=="AttestationPolicy"] => issue(type="codeIntegrityEnabled", value=ContainsOnlyValue(c.value, true));
        ![type=="codeIntegrityEnabled", issuer=="AttestationPolicy"] => issue(type="codeIntegrityEnabled", value=false);"#;
    for (states, is_enabled) in [
        (vec![true, true, true], true),
        (vec![true, false, true], false),
        (vec![], false),
    ] {
        assert_eq!(
            issued(rules, &[events("AQ", &states, &[])]),
            [made("codeIntegrityEnabled", is_enabled)],
            "{states:?}"
        );
    }
}

#[test]
fn bitlocker_and_elam_from_the_log() {
    let rules = r#"
        c:[type=="events", issuer=="AttestationService"] => add(type="boundaries", value=JmesPath(c.value, "Events[? EventTypeString == 'EV_EVENT_TAG' && (PcrIndex == `12` || PcrIndex == `19`)].ProcessedData.EVENT_TRUSTBOUNDARY"));
        c:[type=="boundaries", issuer=="AttestationPolicy"] => issue(type="bitlockerStatus", value=JsonToClaimValue(JmesPath(c.value, "[*].EVENT_BITLOCKER_UNLOCK | @[? Value != `0`].Value | @[0]")));
        ![type=="bitlockerStatus"] => issue(type="bitlockerStatus", value=0);
        c:[type=="boundaries", issuer=="AttestationPolicy"] => issue(type="elamDriverLoaded", value=JsonToClaimValue(JmesPath(c.value, "[*].EVENT_LOADEDMODULE_AGGREGATION[] | [? EVENT_IMAGEVALIDATED == `true` && (equals_ignore_case(EVENT_FILEPATH, '\\windows\\system32\\drivers\\wdboot.sys') || equals_ignore_case(EVENT_FILEPATH, '\\windows\\system32\\drivers\\wd\\wdboot.sys'))] | @ != `null`")));
        ![type=="elamDriverLoaded", issuer=="AttestationPolicy"] => issue(type="elamDriverLoaded", value=false);"#;
    assert_eq!(
        issued(rules, &[events("AQ", &[], &[0, 4, 2])]),
        [made("bitlockerStatus", 4), made("elamDriverLoaded", true)]
    );
    assert_eq!(
        issued(rules, &[events("AQ", &[], &[0])]),
        [made("bitlockerStatus", 0), made("elamDriverLoaded", true)]
    );
}

/// A query that is put together from what another one found.
#[test]
fn a_query_made_of_claims() {
    let rules = r#"
        c:[type=="events", issuer=="AttestationService"] => add(type="evSeparatorSeq", value=JmesPath(c.value, "Events[? EventTypeString == 'EV_SEPARATOR' && (PcrIndex == `12` || PcrIndex == `13` || PcrIndex == `14`)] | @[0].EventSeq"));
        c:[type=="evSeparatorSeq", value != "null", issuer=="AttestationPolicy"] => add(type="beforeEvSepClause", value=AppendString(AppendString("Events[? EventSeq < `", c.value), "`"));
        [type=="evSeparatorSeq", value=="null", issuer=="AttestationPolicy"] => add(type="beforeEvSepClause", value="Events[? `true` ");
        c:[type=="beforeEvSepClause", issuer=="AttestationPolicy"] => add(type="bootMgrSvnQuery", value=AppendString(c.value, " && EventTypeString == 'EV_EVENT_TAG' && PcrIndex == `12` && ProcessedData.EVENT_TRUSTBOUNDARY.EVENT_APPLICATION_SVN].ProcessedData.EVENT_TRUSTBOUNDARY.EVENT_APPLICATION_SVN | @[0]"));
        c1:[type=="bootMgrSvnQuery", issuer=="AttestationPolicy"] && c2:[type=="events", issuer=="AttestationService"] => issue(type="bootMgrSvn", value=JsonToClaimValue(JmesPath(c2.value, c1.value)));"#;
    assert_eq!(issued(rules, &[events("AQ", &[], &[])]), [made("bootMgrSvn", 5)]);
    // Without the separator the other clause is taken.
    let json = json!({"Events": [{"EventTypeString": "EV_EVENT_TAG", "EventSeq": 3, "PcrIndex": 12,
        "ProcessedData": {"EVENT_TRUSTBOUNDARY": {"EVENT_APPLICATION_SVN": 8}}}]});
    assert_eq!(
        issued(rules, &[claim("events", json.to_string())]),
        [made("bootMgrSvn", 8)]
    );
}

/// System Guard: an object made by a query, and a condition on what was issued.
#[test]
fn an_object_made_by_a_query() {
    let rules = r#"
        c:[type=="events", issuer=="AttestationService"] => add(type="auth", value=JmesPath(c.value, "Events[? EventTypeString == 'EV_EVENT_TAG' && PcrIndex == `20` && ProcessedData.EVENT_TRUSTBOUNDARY.EVENT_DRTM_STATE_AUTH.SignatureValid != `null`] | length(@) == `1` && @[0] | @.{EventSeq:EventSeq, SignatureValid:ProcessedData.EVENT_TRUSTBOUNDARY.EVENT_DRTM_STATE_AUTH.SignatureValid}"));
        c:[type=="auth", issuer=="AttestationPolicy"] => issue(type="drtmMleValid", value=JsonToClaimValue(JmesPath(c.value, "SignatureValid")));
        ![type=="drtmMleValid", issuer=="AttestationPolicy"] => issue(type="drtmMleValid", value=false);
        [type=="drtmMleValid", value==true, issuer=="AttestationPolicy"] &&
        c:[type=="auth", issuer=="AttestationPolicy"] => issue(type="seq", value=JmesPath(c.value, "EventSeq"));"#;
    let event = json!({"EventTypeString": "EV_EVENT_TAG", "EventSeq": 17, "PcrIndex": 20,
        "ProcessedData": {"EVENT_TRUSTBOUNDARY": {"EVENT_DRTM_STATE_AUTH": {"SignatureValid": true}}}});
    let log = |count: usize| {
        claim(
            "events",
            json!({"Events": vec![event.clone(); count]}).to_string(),
        )
    };
    assert_eq!(
        issued(rules, &[log(1)]),
        [made("drtmMleValid", true), made("seq", "17")]
    );
    // None or two: `false` has no members.
    for count in [0, 2] {
        assert_eq!(issued(rules, &[log(count)]), [made("drtmMleValid", false)]);
    }
}

#[test]
fn registers_with_known_values() {
    let text = authorizing(
        r#"c:[type == "pcrs", issuer=="AttestationService"] =>  add(type="pcr0Validated", value=JsonToClaimValue(JmesPath(c.value, "PCRs[? Index == `0`].Digests.SHA256 | @[0] =='4c83' ")));
        [type=="pcr0Validated", value==true] => permit();"#,
    );
    for (digest, permits) in [("4c83", true), ("4c84", false)] {
        let pcrs = json!({"PCRs": [{"Index": 1, "Digests": {"SHA256": "00"}}, {"Index": 0, "Digests": {"SHA256": digest}}]});
        let pcrs = claim("pcrs", pcrs.to_string()).read_only();
        assert_eq!(is_permitted(&text, &[pcrs]), permits);
    }
    // A function on the right of a comparison, with a string within a literal of JSON.
    let rules = r#"c:[type == "pcrs", issuer=="AttestationService"] && c1:[type=="pcrMatchesExpectedValue", value==JsonToClaimValue(JmesPath(c.value, "PCRs[? Index == `0`].Digests.SHA1 | @[0] == `\"KCk6Ow\"`"))] => issue(claim = c1);"#;
    let pcrs = json!({"PCRs": [{"Index": 0, "Digests": {"SHA1": "KCk6Ow"}}]}).to_string();
    let claims = [
        claim("pcrs", pcrs).read_only(),
        claim("pcrMatchesExpectedValue", true),
        claim("pcrMatchesExpectedValue", false),
    ];
    assert_eq!(issued(rules, &claims), [made("pcrMatchesExpectedValue", true)]);
}

#[test]
fn lists_from_the_log() {
    let rules = r#"
        c:[type=="events", issuer=="AttestationService"] => issue(type="alldriverloads", value=JmesPath(c.value, "Events[? EventTypeString == 'EV_EVENT_TAG' ].ProcessedData.EVENT_TRUSTBOUNDARY.EVENT_LOADEDMODULE_AGGREGATION[].EVENT_FILEPATH"));
        c:[type=="events", issuer=="AttestationService"] => issue(type="none", value=JmesPath(c.value, "events[? PcrIndex == '13'].String"));
        c:[type=="events", issuer=="AttestationService"] => add(type="sequences", value=JmesPath(c.value, "Events[].EventSeq"));
        c:[type=="sequences", issuer=="AttestationPolicy"] => issue(type="sequence", value=JsonToClaimValue(c.value));"#;
    assert_eq!(
        issued(rules, &[events("AQ", &[], &[])]),
        [
            made(
                "alldriverloads",
                r#"["\\Windows\\System32\\Drivers\\WD\\WdBoot.sys"]"#
            ),
            made("none", "null"),
            made("sequence", 1),
            made("sequence", 90),
            made("sequence", 40),
        ]
    );
}

/// The examples of the functions' page.
#[test]
fn examples_of_functions() {
    assert_eq!(
        issued(
            r#"=>issue(type="JmesPathResult", value=JmesPath("{\"foo\": \"bar\"}", "foo"));"#,
            &[]
        ),
        [made("JmesPathResult", "\"bar\"")]
    );
    assert_eq!(
        issued(
            r#"c1:[type=="JsonData"] && c2:[type=="JmesPathQuery"] => issue(type="JmesPathResult", value=JmesPath(c1.value, c2.value));"#,
            &[
                claim("JsonData", "{\"values\": [0,1,2,3,4]}"),
                claim("JmesPathQuery", "values[2]")
            ]
        ),
        [made("JmesPathResult", "2")]
    );
    let sets = [
        claim("Subset", "abc"),
        claim("Subset", 100),
        claim("Superset", true),
        claim("Superset", "abc"),
        claim("Superset", 100),
    ];
    assert_eq!(
        issued(
            r#"c1:[type == "Subset"] && c2:[type=="Superset"] => issue(type="IsSubset", value=IsSubsetOf(c1.value, c2.value));"#,
            &sets
        ),
        [made("IsSubset", true)]
    );
    assert_eq!(
        issued(
            r#"![type=="Claim3"] => issue(type="Claim3", value=300); ![type=="Claim3"] => issue(type="Claim3", value=301);"#,
            &[]
        ),
        [made("Claim3", 300)]
    );
}

/// Misprints of the pages and what they contradict: refused, with the reason.
#[test]
fn examples_that_are_wrong() {
    for (text, message) in [
        (
            r#"version=1.0; authorizationrules{ c:[type="secureBootEnabled", issuer=="AttestationService"]=> permit(); };"#.to_owned(),
            "line 1, column 41: a condition compares with == (or != < <= > >=), = is for actions",
        ),
        (
            "version=1.0; authorizationrules{ => permit() };".to_owned(),
            "line 1, column 46: expected ;, found }",
        ),
        (
            r#"version=1.0; authorizationrules{ c:[type==”$is-debuggable”] => permit(); };"#.to_owned(),
            "line 1, column 43: '”' is a typographic quotation mark; strings stand in straight ones, \"like this\"",
        ),
        (
            issuing(r#"=> issue("PlatformAttested", value=true);"#),
            "line 3, column 10: expected type=…, value=… or claim=…, found the string \"PlatformAttested\"",
        ),
        (
            issuing(r#"c:[type=="Input"] => add(type="Result", value=NegateBol(c.value));"#),
            "line 3, column 47: there is no function NegateBol; there are JmesPath, JsonToClaimValue, IsSubsetOf, AppendString, NegateBool and ContainsOnlyValue",
        ),
        (
            issuing(r#"c:[type=="Set"] => add(type="Result", value=ContainsOnlyValue(100));"#),
            "line 3, column 45: ContainsOnlyValue takes 2 arguments, not 1",
        ),
        // The example of key attestation issues where, as the grammar says, nothing is issued.
        (
            authorizing(r#"c:[type=="requestKeyType", value=="RSA"] => issue(type="requestKeyType", value="RSA");"#),
            "line 2, column 45: issue() is not an action of authorizationrules; there are permit, deny and add",
        ),
    ] {
        assert_eq!(Policy::parse(&text).unwrap_err().to_string(), message);
    }
    // "abc" is no JSON, though one example has it.
    let text = issuing(r#"c:[type=="JsonStringData"] => add(type="x", value=JsonToClaimValue(c.value));"#);
    let error = failure(&text, &[claim("JsonStringData", "abc")]);
    assert!(error.to_string().contains("is not JSON"), "{error}");
}
