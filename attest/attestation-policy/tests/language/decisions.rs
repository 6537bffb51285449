//! Tests of decisions: which rules apply, and what they do.

use attestation_policy::{Claim, Decision, Denial, EvaluationProblem, Issuer, Policy, Position};

use super::{authorizing, by_policy, claim, failure, is_permitted, issued, issuing, made, parse, permission};

fn decision(text: &str, claims: &[Claim]) -> Decision {
    parse(text).evaluate(claims).expect(text)
}

const fn at(line: u32, column: u32) -> Position {
    Position { line, column }
}

#[test]
fn nothing_permits_by_itself() {
    for text in [
        "version=1.0; authorizationrules{};",
        "version=1.0; authorizationrules{ [type==\"absent\"] => permit(); };",
        "version=1.0; authorizationrules{ => add(type=\"x\", value=true); };",
    ] {
        assert_eq!(
            decision(text, &[claim("x", 1)]),
            Decision::Denied(Denial::NoRulePermits),
            "{text}"
        );
    }
}

#[test]
fn a_denial_overrules_every_permission() {
    let text = authorizing("=> permit();\n  [type==\"bad\"] => deny();\n=> permit();");
    assert!(is_permitted(&text, &[claim("good", 1)]));
    assert_eq!(
        decision(&text, &[claim("good", 1), claim("bad", 1)]),
        Decision::Denied(Denial::Rule(at(3, 3)))
    );
    let text = "version=1.0; authorizationrules{ => deny(); => permit(); };";
    assert_eq!(decision(text, &[]), Decision::Denied(Denial::Rule(at(1, 34))));
    assert_eq!(
        Denial::Rule(at(1, 34)).to_string(),
        "the rule at line 1, column 34 denies"
    );
}

#[test]
fn the_first_rule_that_permits_is_named() {
    let text = authorizing("[type==\"a\"] => permit();\n  [type==\"b\"] => permit();\n=> permit();");
    for (claims, position) in [
        (vec![claim("a", 1), claim("b", 1)], at(2, 1)),
        (vec![claim("b", 1)], at(3, 3)),
        (vec![], at(4, 1)),
    ] {
        assert_eq!(permission(&text, &claims).by, position);
    }
}

#[test]
fn a_denied_request_issues_nothing_and_skips_the_issuance_rules() {
    let text = "version=1.2; authorizationrules{ => deny(); };
        issuancerules{ => issue(type=\"x\", value=JsonToClaimValue(\"{\")); };";
    assert_eq!(decision(text, &[]), Decision::Denied(Denial::Rule(at(1, 34))));
}

#[test]
fn every_property_can_be_tested() {
    let claims = [
        claim("svn", 7),
        claim("name", "pearl"),
        claim("debug", false),
        Claim::new("name", "custom", Issuer::CustomClaim),
    ];
    for (condition, holds) in [
        (r#"[type=="svn"]"#, true),
        (r#"[type=="SVN"]"#, false),
        (r#"[type=="sv"]"#, false),
        (r#"[type!="svn", type!="name"]"#, true),
        (r#"[type!="svn", type!="name", type!="debug"]"#, false),
        (r#"[value==7]"#, true),
        (r#"[value==8]"#, false),
        (r#"[value=="pearl"]"#, true),
        (r#"[value=="Pearl"]"#, false),
        (r#"[value=="pearl", type=="svn"]"#, false),
        (r#"[value==false]"#, true),
        (r#"[value==true]"#, false),
        (r#"[valueType=="Integer"]"#, true),
        (r#"[valueType=="Integer", type=="name"]"#, false),
        (r#"[valueType=="integer"]"#, false),
        (r#"[valueType!="String", type=="debug"]"#, true),
        (r#"[issuer=="AttestationService"]"#, true),
        (r#"[issuer=="CustomClaim"]"#, true),
        (r#"[issuer=="CustomClaim", type=="svn"]"#, false),
        (r#"[issuer=="AttestationPolicy"]"#, false),
        (r#"[type=="svn", value>6]"#, true),
        (r#"[type=="svn", value>7]"#, false),
        (r#"[type=="svn", value>=7]"#, true),
        (r#"[type=="svn", value>=8]"#, false),
        (r#"[type=="svn", value<8]"#, true),
        (r#"[type=="svn", value<7]"#, false),
        (r#"[type=="svn", value<=7]"#, true),
        (r#"[type=="svn", value<=6]"#, false),
        (
            r#"[type=="svn", value>-9223372036854775808, value<9223372036854775807]"#,
            true,
        ),
        (r#"[type=="svn", value!=7]"#, false),
        (r#"[type=="svn", value!=8]"#, true),
        (r#"[type=="svn"] && [type=="name"]"#, true),
        (r#"[type=="svn"] && [type=="absent"]"#, false),
        (r#"[type=="absent"] && [type=="svn"]"#, false),
        (r#"![type=="absent"]"#, true),
        (r#"![type=="svn"]"#, false),
        (r#"![type=="svn", value==8]"#, true),
        (r#"[type=="svn"] && ![type=="name", value=="other"]"#, true),
        (r#"!unused:[type=="absent"]"#, true),
    ] {
        let text = authorizing(&format!("{condition} => permit();"));
        assert_eq!(is_permitted(&text, &claims), holds, "{condition}");
    }
}

#[test]
fn values_of_different_types_are_not_equal() {
    let claims = [
        claim("string", "true"),
        claim("number", 1),
        claim("boolean", true),
    ];
    for (condition, holds) in [
        (r#"[type=="string", value==true]"#, false),
        (r#"[type=="string", value!=true]"#, true),
        (r#"[type=="number", value=="1"]"#, false),
        (r#"[type=="number", value!="1"]"#, true),
        (r#"[type=="number", value==true]"#, false),
        (r#"[type=="boolean", value==1]"#, false),
        (r#"[type=="boolean", value=="true"]"#, false),
        // As in Microsoft's signed example, which asks all claims.
        (r#"[value==true]"#, true),
        (r#"[value==5]"#, false),
    ] {
        let text = authorizing(&format!("{condition} => permit();"));
        assert_eq!(is_permitted(&text, &claims), holds, "{condition}");
    }
}

/// A claim of the wrong type must slip neither past a rule that denies nor into one that permits.
#[test]
fn only_integers_have_an_order() {
    let claims = [claim("svn", "3"), claim("debug", false), claim("number", 3)];
    for condition in [r#"[type=="svn", value<5]"#, r#"[value<5, type=="svn"]"#] {
        for action in ["permit", "deny"] {
            let error = failure(&authorizing(&format!("{condition} => {action}();")), &claims);
            let column = condition.find("value").unwrap() as u32 + 1;
            assert_eq!(error.position, at(2, column), "{condition}");
            assert_eq!(
                error.to_string(),
                format!("line 2, column {column}: < compares integers, and the claim \"svn\" is a string")
            );
        }
    }
    // Claims that do not pass the other tests are not asked.
    for condition in [
        r#"[type=="number", value<5]"#,
        r#"[value<5, valueType=="Integer"]"#,
    ] {
        assert!(
            is_permitted(&authorizing(&format!("{condition} => permit();")), &claims),
            "{condition}"
        );
    }
    let error = failure(&authorizing("[value>=0] => permit();"), &claims);
    assert!(matches!(error.problem, EvaluationProblem::OrderOfClaim { .. }));
    // Nor can a claim be what others are compared with.
    let error = failure(
        &authorizing(r#"c:[type=="svn"] && [type=="number", value>c.value] => permit();"#),
        &claims,
    );
    assert_eq!(
        error.to_string(),
        "line 2, column 43: what > compares with is an integer, not a string"
    );
}

#[test]
fn a_name_stands_for_all_claims_that_pass() {
    let claims = [
        claim("mine", "a"),
        claim("theirs", "b"),
        claim("mine", "c"),
        claim("theirs", "c"),
    ];
    assert_eq!(
        issued(
            r#"c:[type=="mine"] => issue(type="out", value=c.value);"#,
            &claims
        ),
        [made("out", "a"), made("out", "c")]
    );
    assert_eq!(
        issued(r#"c:[type=="mine"] => issue(claim=c);"#, &claims),
        [made("mine", "a"), made("mine", "c")]
    );
    // == is for one of them, != for none of them.
    assert_eq!(
        issued(
            r#"m:[type=="mine"] && t:[type=="theirs", value==m.value] => issue(claim=t);"#,
            &claims
        ),
        [made("theirs", "c")]
    );
    assert_eq!(
        issued(
            r#"m:[type=="mine"] && t:[type=="theirs", value!=m.value] => issue(claim=t);"#,
            &claims
        ),
        [made("theirs", "b")]
    );
    // A rule acts once, however many claims its conditions find.
    assert_eq!(
        issued(
            r#"[type=="mine"] && [type=="theirs"] => issue(type="once", value=1);"#,
            &claims
        ),
        [made("once", 1)]
    );
    // Other properties, and the same type for all.
    assert_eq!(
        issued(
            r#"c:[type=="mine"] => issue(type=c.type, value=c.issuer);"#,
            &claims
        ),
        [
            made("mine", "AttestationService"),
            made("mine", "AttestationService")
        ]
    );
    let error = failure(
        &issuing(r#"c:[valueType=="String"] => issue(type=c.type, value=1);"#),
        &claims,
    );
    assert_eq!(
        error.to_string(),
        "line 3, column 39: the type of a claim is a single value, and here are 2 different ones"
    );
    let error = failure(
        &issuing(r#"c:[type=="mine"] && [type=="n", value>c.value] => issue(claim=c);"#),
        &[claim("mine", 1), claim("mine", 2), claim("n", 3)],
    );
    assert_eq!(
        error.to_string(),
        "line 3, column 39: what > compares with is a single value, and here are 2 different ones"
    );
}

#[test]
fn claims_of_a_rule_are_there_for_the_rules_after_it() {
    let text = r#"version=1.0;
        authorizationrules {
            [type=="later"] => permit();
            => add(type="later", value=1);
            [type=="later", issuer=="AttestationPolicy"] => add(type="ok", value=true);
            [type=="ok", value==true] => permit();
        };
        issuancerules {
            [type=="issued"] => issue(type="too-early", value=1);
            => issue(type="issued", value=2);
            => issueproperty(type="property", value=3);
            c:[issuer=="AttestationPolicy", valueType=="Integer"] => issue(type="all", value=c.value);
        };"#;
    let permission = permission(text, &[]);
    assert_eq!(permission.by, at(6, 13));
    assert_eq!(
        permission.issued,
        [
            by_policy("issued", 2),
            by_policy("all", 1),
            by_policy("all", 2),
            by_policy("all", 3)
        ]
    );
    assert_eq!(permission.properties, [by_policy("property", 3)]);
    assert_eq!(permission.configuration, []);
}

#[test]
fn add_issues_nothing() {
    assert_eq!(
        issued(
            r#"=> add(type="x", value=1); c:[type=="x"] => add(claim=c);"#,
            &[]
        ),
        []
    );
}

#[test]
fn a_claim_that_is_issued_as_it_is_keeps_its_issuer_and_is_not_doubled() {
    let custom = Claim::new("custom", 1, Issuer::CustomClaim);
    let text = issuing(
        r#"c:[type=="custom"] => issue(claim=c);
           [type=="custom", issuer=="AttestationPolicy"] => issue(type="laundered", value=1);
           c:[type=="custom"] => issue(type="count", value=c.value);"#,
    );
    assert_eq!(
        permission(&text, std::slice::from_ref(&custom)).issued,
        [custom.clone(), by_policy("count", 1)]
    );
}

#[test]
fn configuration_comes_first() {
    let text = r#"version=1.1;
        configurationrules {
            => issueproperty(type="x-ms-sgx-tcbidentifier", value="11");
            [type=="tee", value=="sgx"] => issueproperty(type="for-sgx", value=true);
            => issueproperty(type="unheard-of", value=15);
        };
        authorizationrules { [type=="unheard-of", value==15, issuer=="AttestationPolicy"] => permit(); };
        issuancerules { => issueproperty(type="omit_x5c", value=true); };"#;
    let always = [
        by_policy("x-ms-sgx-tcbidentifier", "11"),
        by_policy("unheard-of", 15),
    ];
    assert_eq!(parse(text).configuration(&[]).unwrap(), always);
    let permission = permission(text, &[claim("tee", "sgx")]);
    assert_eq!(
        permission.configuration,
        [always[0].clone(), by_policy("for-sgx", true), always[1].clone()]
    );
    assert_eq!(permission.properties, [by_policy("omit_x5c", true)]);
    assert_eq!(permission.issued, []);
}

#[test]
fn read_only_claims_are_examined_but_not_issued() {
    let claims = [
        claim("pcrs", "{\"a\": 1}").read_only(),
        claim("flag", true).read_only(),
        claim("free", "x"),
    ];
    assert!(is_permitted(
        &authorizing(r#"[type=="pcrs"] && [type=="flag", value==true] => permit();"#),
        &claims
    ));
    for (value, is_free) in [
        ("p.value", false),
        ("p.type", false),
        ("NegateBool(f.value)", false),
        (r#"JmesPath(p.value, "a")"#, false),
        (r#"JmesPath("{}", p.type)"#, false),
        (r#"JsonToClaimValue(JmesPath(p.value, "a"))"#, false),
        (r#"AppendString(p.value, "x")"#, false),
        (r#"AppendString("x", p.value)"#, false),
        (r#"AppendString("x", x.value)"#, true),
        ("IsSubsetOf(p.value, p.value)", true),
        ("ContainsOnlyValue(p.value, p.value)", true),
    ] {
        let conditions = r#"p:[type=="pcrs"] && f:[type=="flag"] && x:[type=="free"]"#;
        for (verb, is_allowed) in [("issue", is_free), ("issueproperty", is_free), ("add", true)] {
            let text = issuing(&format!("{conditions} => {verb}(type=\"out\", value={value});"));
            let result = parse(&text).evaluate(&claims);
            assert_eq!(result.is_ok(), is_allowed, "{text}\n{result:?}");
        }
    }
    let error = failure(&issuing(r#"c:[type=="pcrs"] => issue(claim=c);"#), &claims);
    assert_eq!(error.position, at(3, 21));
    assert!(error.to_string().contains("\"pcrs\" is read-only"), "{error}");
    // What was added from it is as read-only.
    let text = issuing(
        r#"c:[type=="pcrs"] => add(type="copy", value=c.value);
           c:[type=="copy"] => issue(type="out", value=c.value);"#,
    );
    assert_eq!(failure(&text, &claims).position, at(4, 32));
}

#[test]
fn keywords_are_the_same_in_any_case() {
    let text = r#"Version= 1.2; ConfigurationRules{}; AUTHORIZATIONRULES{ C:[Type=="x", VALUE==TRUE, VALUETYPE=="Boolean",
        Issuer=="AttestationService"] => Permit(); };
        Issuancerules{ => ISSUE(TYPE="y", Value=negatebool(False)); c:[type=="x"] => issue(Claim=c); };"#;
    let claims = [claim("x", true)];
    assert_eq!(
        permission(text, &claims).issued,
        [by_policy("y", true), claims[0].clone()]
    );
}

#[test]
fn blanks_and_comments_are_everywhere() {
    let dense = r#"version=1.0;authorizationrules{[type=="x",value==1]=>permit();};issuancerules{c:[type=="x"]=>issue(claim=c);};"#;
    let sparse = "// first
\tversion // a
 = 1.0 ;\r\n authorizationrules\n{ [ type\n==\n\"x\" , value == 1 // , value == 2
 ] => permit ( ) ; } ;//x\nissuancerules { c : [ type == \"x\" ] => issue ( claim = c ) ; } ; // end";
    let claims = [claim("x", 1)];
    let (dense, sparse) = (permission(dense, &claims), permission(sparse, &claims));
    assert_eq!(dense.issued, sparse.issued);
    // A comment's beginning within a string is none.
    assert_eq!(
        issued(r#"=> issue(type="url", value="https://example.com//");"#, &[]),
        [made("url", "https://example.com//")]
    );
}

#[test]
fn strings_have_two_escapes() {
    assert_eq!(
        issued(r#"=> issue(type="a\\b", value="say \"é\" \\n	");"#, &[]),
        [made("a\\b", "say \"é\" \\n\t")]
    );
}

/// A policy that cannot be evaluated has never permitted.
#[test]
fn an_error_after_a_permission_is_an_error() {
    let text = authorizing("=> permit();\n=> add(type=\"x\", value=JsonToClaimValue(\"{}\"));");
    assert_eq!(failure(&text, &[]).position, at(3, 41));
    let text = issuing(r#"=> issue(type="x", value=JsonToClaimValue("nonsense"));"#);
    assert_eq!(failure(&text, &[]).position, at(3, 43));
}

#[test]
fn the_same_each_time() {
    let policy = Policy::parse(attestation_policy::defaults::SGX_ENCLAVE).unwrap();
    let claims: Vec<_> = (0..50).map(|n| claim("x-ms-sgx-svn", n)).collect();
    let first = policy.evaluate(&claims);
    for _ in 0..20 {
        assert_eq!(policy.evaluate(&claims), first);
    }
}

/// A service parses a policy once and evaluates it in many threads.
#[test]
fn policies_are_shared_between_threads() {
    let policy = parse(attestation_policy::defaults::SGX_ENCLAVE);
    let claims = [claim("x-ms-sgx-svn", 1)];
    let first = policy.evaluate(&claims);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(policy.evaluate(&claims), first));
        }
    });
}
