//! Tests of malformed policies, and of the positions that errors name.

use attestation_policy::{Policy, Position};

/// `§` marks the first character that is wrong, in a text without it.
pub(crate) fn marked(text: &str) -> (String, Position) {
    let (before, after) = text.split_once('§').expect("a mark");
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let position = Position {
        line: line.try_into().unwrap(),
        column: column.try_into().unwrap(),
    };
    (format!("{before}{after}"), position)
}

pub(crate) fn refuse(text: &str, part: &str) {
    let (text, position) = marked(text);
    let error = Policy::parse(&text).expect_err(&text);
    assert_eq!(error.position, position, "{error}\n{text}");
    assert!(
        error.to_string().contains(part),
        "{error} does not say: {part}\n{text}"
    );
}

#[test]
fn header_and_sections() {
    for (text, part) in [
        ("§", "expected version=1.0;"),
        ("§  \n", "expected version=1.0;"),
        ("§authorizationrules{};", "found authorizationrules"),
        ("§{\"a\":1}", "found {"),
        ("version§ 1.0;", "expected ="),
        ("version§==1.0;", "expected =, found =="),
        ("version=§;", "a version like 1.0"),
        ("version=§\"1.0\";", "a version like 1.0"),
        ("version=1§;", "expected ., found ;"),
        ("version=1.§;", "a version like 1.0"),
        ("version=§1.3; authorizationrules{};", "no version 1.3"),
        ("version=§2.0; authorizationrules{};", "no version 2.0"),
        ("version=§0.9; authorizationrules{};", "no version 0.9"),
        ("version=§1.00; authorizationrules{};", "no version 1.00"),
        ("version=§01.0; authorizationrules{};", "no version 01.0"),
        ("version=§1.99999999999999999999999999; x", "no version 1.9999"),
        ("version=§-1.0;", "a version like 1.0"),
        ("version=1.0§ authorizationrules{};", "expected ;"),
        ("version=1.0;§", "the end of the policy"),
        ("version=1.0;\n§issuancerules{};", "expected authorizationrules"),
        (
            "version=1.1;\n§issuancerules{};",
            "configurationrules or authorizationrules",
        ),
        (
            "version=1.1; configurationrules{};\n\n  §issuancerules{};",
            "expected authorizationrules",
        ),
        (
            "version=1.0;\n§configurationrules{}; authorizationrules{};",
            "configurationrules need version=1.1; and this policy has version=1.0;",
        ),
        (
            "version=1.1; configurationrules{}; §configurationrules{};",
            "expected authorizationrules, found configurationrules",
        ),
        (
            "version=1.0; authorizationrules{}; §authorizationrules{};",
            "issuancerules or the end",
        ),
        (
            "version=1.1; authorizationrules{}; §configurationrules{};",
            "issuancerules or the end",
        ),
        (
            "version=1.0; authorizationrules{}; issuancerules{}; §issuancerules{};",
            "the end of the policy, found issuancerules",
        ),
        ("version=1.0; authorizationrules§;", "expected {"),
        ("version=1.0; authorizationrules{}§", "expected ;"),
        (
            "version=1.0; authorizationrules{}§ issuancerules{};",
            "expected ;, found issuancerules",
        ),
        (
            "version=1.0; authorizationrules{ => permit(); §",
            "found the end of the policy",
        ),
        ("version=1.0; authorizationrules{};§;", "found ;"),
        ("version=1.0; §version=1.0;", "expected authorizationrules"),
        (
            "version=1.0; §rules{};",
            "expected authorizationrules, found rules",
        ),
        ("§\u{feff}version=1.0;", "has no meaning here"),
    ] {
        // The mark stands before blanks where the error is behind them.
        refuse(&behind_blanks(text), part);
    }
}

/// An error is where the next token begins.
fn behind_blanks(text: &str) -> String {
    let (before, after) = text.split_once('§').expect("a mark");
    let rest = after.trim_start_matches([' ', '\n', '\t']);
    let blanks = &after[..after.len() - rest.len()];
    format!("{before}{blanks}§{rest}")
}

#[test]
fn rules_and_conditions() {
    for (rule, part) in [
        ("permit§();", "expected :, found ("),
        ("§;", "a condition like c:[type==\"x\"], => or }"),
        ("§=permit();", "a condition like"),
        ("§= > permit();", "a condition like"),
        ("[§] => permit();", "type, value, valueType or issuer, found ]"),
        ("[type§] => permit();", "== != < <= > or >="),
        ("[type§=\"x\"] => permit();", "a condition compares with =="),
        (
            "c:[type§ = \"x\", issuer==\"y\"] => permit();",
            "= is for actions",
        ),
        ("[type==§] => permit();", "a value, found ]"),
        ("[type==§=\"x\"] => permit();", "a value, found ="),
        ("[type§=>\"x\"] => permit();", "found =>"),
        ("[type==\"x\"§ => permit();", ", or ]"),
        (
            "[type==\"x\"§ issuer==\"y\"] => permit();",
            ", or ], found issuer",
        ),
        ("[type==\"x\",§] => permit();", "type, value, valueType or issuer"),
        ("[§claim==\"x\"] => permit();", "type, value, valueType or issuer"),
        ("[§name==\"x\"] => permit();", "type, value, valueType or issuer"),
        ("[§\"type\"==\"x\"] => permit();", "the string \"type\""),
        ("[§, type==\"x\"] => permit();", "found ,"),
        ("[type==\"x\"] §permit();", "&& or =>, found permit"),
        ("[type==\"x\"] §& [value==1] => permit();", "has no meaning"),
        ("[type==\"x\"] §| [value==1] => permit();", "has no meaning"),
        ("[type==\"x\"] §[value==1] => permit();", "&& or =>"),
        ("[type==\"x\"] && §=> permit();", "expected [, found =>"),
        ("[type==\"x\"] && permit§();", "expected :"),
        ("c§[type==\"x\"] => permit();", "expected :"),
        ("c:§=> permit();", "expected [, found =>"),
        ("c:§c:[type==\"x\"] => permit();", "expected [, found c"),
        ("§1:[type==\"x\"] => permit();", "a condition like"),
        (
            "c:[type==\"x\"] && §c:[type==\"y\"] => permit();",
            "two conditions of this rule are named c",
        ),
        ("!§!c:[type==\"x\"] => permit();", "expected [, found !"),
        ("c:§![type==\"x\"] => permit();", "expected [, found !"),
        ("§(type==\"x\") => permit();", "found ("),
        ("[type§=~\"x\"] => permit();", "a condition compares with =="),
        ("[type§!\"x\"] => permit();", "== != < <= > or >="),
        ("[§type<\"x\"] => permit();", "compares is an integer"),
        (
            "[type==§c.type] => permit();",
            "no condition before this one in the rule is named c",
        ),
        ("c:[type==§c.type] => permit();", "no condition before"),
        (
            "[type==§d.type] && d:[type==\"x\"] => permit();",
            "no condition before",
        ),
        ("c:[type==\"x\"] && [type==§C.type] => permit();", "is named C"),
        (
            "c:[type==\"x\"] && [value==c§] => permit();",
            "expected . and a property, as in c.value, found ]",
        ),
        (
            "c:[type==\"x\"] && [value==c.§] => permit();",
            "type, value, valueType or issuer, found ]",
        ),
        ("c:[type==\"x\"] && [value==c.§claim] => permit();", "found claim"),
        (
            "!c:[type==\"x\"] && [value==§c.value] => permit();",
            "c names a condition with !",
        ),
    ] {
        refuse(
            &behind_blanks(&format!("version=1.2;\nauthorizationrules\n{{\n\t{rule}\n}};")),
            part,
        );
    }
}

#[test]
fn actions() {
    for (rule, part) in [
        ("=> §;", "an action: add, issue and issueproperty, found ;"),
        (
            "=> §grant();",
            "an action: add, issue and issueproperty, found grant",
        ),
        (
            "=> §permit();",
            "permit() is not an action of issuancerules; there are add",
        ),
        ("=> §deny();", "deny() is not an action of issuancerules"),
        ("=> add§;", "expected ("),
        ("=> add(§);", "type=…, value=… or claim=…, found )"),
        ("=> issue(§\"x\", value=1);", "type=…, value=… or claim=…"),
        ("=> issue(type=\"x\"§);", ", and both type=… and value=…"),
        ("=> issue(value=1§);", ", and both type=… and value=…"),
        ("=> issue(type=\"x\", §);", "type=…, value=… or claim=…, found )"),
        ("=> issue(type=\"x\", §type=\"y\");", "found a second type"),
        ("=> issue(type=\"x\", value=1, §value=2);", "found a second value"),
        ("=> issue(type§==\"x\", value=1);", "expected =, found =="),
        ("=> issue(type=§, value=1);", "a value, found ,"),
        (
            "=> issue(type=§1, value=1);",
            "the type of a claim is a string, not an integer",
        ),
        (
            "=> issue(value=1, type=§true);",
            "the type of a claim is a string, not a boolean",
        ),
        ("=> issue(type=§NegateBool(true), value=1);", "not a boolean"),
        (
            "=> issue(type=\"x\", value=1, §issuer=\"AttestationService\");",
            "issuer cannot be chosen",
        ),
        (
            "=> issue(§issuer=\"AttestationService\", type=\"x\", value=1);",
            "issuer cannot be chosen",
        ),
        (
            "=> issue(type=\"x\", §valueType=\"Integer\", value=1);",
            "valueType cannot be chosen",
        ),
        ("=> issue(type=\"x\" §value=1);", ", and both"),
        ("=> issue(type=\"x\", value=1§", "expected ), found }"),
        ("=> issue(type=\"x\", value=1)§", "expected ;, found }"),
        ("=> issue(claim=§);", "the name of a condition"),
        ("=> issue(claim=§\"c\");", "the name of a condition"),
        ("=> issue(claim=§c);", "no condition before"),
        ("c:[type==\"x\"] => issue(claim=§d);", "no condition before"),
        ("c:[type==\"x\"] => issue(claim§==c);", "expected ="),
        ("c:[type==\"x\"] => issue(claim=c§, type=\"x\");", "expected )"),
        ("c:[type==\"x\"] => issue(claim=c§.value);", "expected ), found ."),
        (
            "c:[type==\"x\"] => issue(type=\"x\", §claim=c);",
            "type=…, value=… or claim=…",
        ),
        (
            "!c:[type==\"x\"] => issue(claim=§c);",
            "c names a condition with !",
        ),
        (
            "=> issue(type=\"x\", value=1)§, issue(type=\"y\", value=1);",
            "expected ;, found ,",
        ),
        ("=> add(type=\"x\", value=§c.value);", "no condition before"),
    ] {
        refuse(
            &behind_blanks(&format!(
                "version=1.2; authorizationrules{{=> permit();}};\nissuancerules {{ {rule} }};"
            )),
            part,
        );
    }
    for (section, rule, part) in [
        ("authorizationrules", "=> permit(§1);", "expected ), found 1"),
        ("authorizationrules", "=> permit§;", "expected ("),
        ("authorizationrules", "=> permit()§}; ", "expected ;"),
        (
            "authorizationrules",
            "=> §issue(type=\"x\", value=1);",
            "there are permit, deny and add",
        ),
        (
            "authorizationrules",
            "=> §issueproperty(type=\"x\", value=1);",
            "issueproperty() is not an action",
        ),
        ("configurationrules", "=> §permit();", "there are issueproperty"),
        (
            "configurationrules",
            "=> §add(type=\"x\", value=1);",
            "add() is not an action of configurationrules",
        ),
        (
            "configurationrules",
            "=> §issue(type=\"x\", value=1);",
            "issue() is not an action",
        ),
    ] {
        refuse(&format!("version=1.2; {section} {{ {rule} }};"), part);
    }
}

#[test]
fn literals() {
    for (value, part) in [
        ("§\"open);", "this string is not closed"),
        ("§\"ends with a backslash\\\n", "not closed"),
        ("§\"two\nlines\"", "not closed on its line"),
        ("§\"two\r\nlines\"", "not closed on its line"),
        ("\"a §\\n b\"", "\\n is no escape"),
        ("\"a §\\' b\"", "\\' is no escape"),
        ("\"a §\\u0041\"", "\\u is no escape"),
        ("\"nul §\0\"", "control character U+0000"),
        ("\"escape §\u{1b}[31m\"", "control character U+001B"),
        ("\"return §\r here\"", "control character U+000D"),
        ("§'x'", "'\\'' has no meaning here"),
        ("§“x”", "typographic quotation mark"),
        ("\"x\"§”", "typographic quotation mark"),
        ("§9223372036854775808", "not within the integers of 64 bits"),
        ("§-9223372036854775809", "not within the integers of 64 bits"),
        ("§99999999999999999999999999999999999999999", "not within"),
        ("-§", "a number, found )"),
        ("-§-1", "a number, found -"),
        ("-§true", "a number, found true"),
        ("§+1", "'+' has no meaning here"),
        ("1§.5", "expected ), found ."),
        ("0§x10", "expected ), found x10"),
        ("1§ 2", "expected ), found 2"),
        (
            "§null",
            "a value: a string, an integer, true, false, name.value or a function, found null",
        ),
        ("§yes", "found yes"),
        ("§[1]", "a value, found ["),
        ("§{}", "a value, found {"),
        ("§#", "'#' has no meaning here"),
        ("§/* comment */ 1", "'/' has no meaning here"),
        ("§é", "'é' has no meaning here"),
        ("\"é日本\" §é", "'é' has no meaning here"),
    ] {
        refuse(
            &behind_blanks(&format!(
                "version=1.0; authorizationrules{{}}; // é\nissuancerules {{ => add(type=\"x\", value={value}); }};"
            )),
            part,
        );
    }
}

#[test]
fn types() {
    for (test, part) in [
        ("type==§1", "type is a string, not an integer"),
        ("type!=§true", "type is a string, not a boolean"),
        ("issuer==§false", "issuer is a string, not a boolean"),
        ("valueType==§5", "valueType is a string, not an integer"),
        ("§type>\"x\"", "what > compares is an integer, not a string"),
        ("§issuer<=3", "what <= compares is an integer"),
        ("§valueType<3", "what < compares is an integer"),
        ("value>=§\"3\"", "what >= compares is an integer, not a string"),
        ("value<§true", "what < compares is an integer, not a boolean"),
        ("value<§AppendString(\"1\", \"2\")", "not a string"),
        ("value<§IsSubsetOf(1, 2)", "not a boolean"),
        ("type==§NegateBool(true)", "type is a string, not a boolean"),
        ("value>§o.type", "not a string"),
        ("value>§o.issuer", "not a string"),
    ] {
        refuse(
            &format!("version=1.2; authorizationrules{{ o:[type==\"o\"] && [{test}] => permit(); }};"),
            part,
        );
    }
}

#[test]
fn function_calls() {
    for (value, part) in [
        ("§Upper(\"x\")", "there is no function Upper; there are JmesPath"),
        ("§NegateBol(true)", "there is no function NegateBol"),
        ("§true(1)", "there is no function true"),
        ("NegateBool§ true", "expected (, found true"),
        ("NegateBool§", "expected (, found )"),
        ("§NegateBool()", "NegateBool takes 1 arguments, not 0"),
        ("§NegateBool(true, false)", "NegateBool takes 1 arguments, not 2"),
        ("§AppendString(\"x\")", "AppendString takes 2 arguments, not 1"),
        ("§JmesPath(\"{}\")", "JmesPath takes 2 arguments, not 1"),
        ("§JsonToClaimValue()", "JsonToClaimValue takes 1 arguments, not 0"),
        ("§IsSubsetOf(1, 2, 3)", "IsSubsetOf takes 2 arguments, not 3"),
        (
            "§ContainsOnlyValue(100)",
            "ContainsOnlyValue takes 2 arguments, not 1",
        ),
        (
            "NegateBool(§\"true\")",
            "argument 1 of NegateBool is a boolean, not a string",
        ),
        (
            "NegateBool(§1)",
            "argument 1 of NegateBool is a boolean, not an integer",
        ),
        (
            "NegateBool(§JmesPath(\"true\", \"@\"))",
            "argument 1 of NegateBool is a boolean, not a string",
        ),
        (
            "AppendString(\"x\", §1)",
            "argument 2 of AppendString is a string, not an integer",
        ),
        (
            "AppendString(§IsSubsetOf(1, 1), \"x\")",
            "argument 1 of AppendString is a string",
        ),
        ("JmesPath(§true, \"x\")", "argument 1 of JmesPath is a string"),
        ("JmesPath(\"{}\", §7)", "argument 2 of JmesPath is a string"),
        (
            "JsonToClaimValue(§12)",
            "argument 1 of JsonToClaimValue is a string",
        ),
        ("JmesPath(\"{}\", §\"\")", "not a JMESPath query: it is empty"),
        ("JmesPath(\"{}\", §\" \")", "not a JMESPath query: it is empty"),
        ("JmesPath(\"{}\", §\"a[\")", "not a JMESPath query"),
        ("JmesPath(\"{}\", §\"a.b == \")", "not a JMESPath query"),
        (
            "JmesPath(\"{}\", §\"nothing(@)\")",
            "there is no function nothing",
        ),
        (
            "JmesPath(\"{}\", §\"length()\")",
            "length takes 1 arguments, not 0",
        ),
        (
            "JmesPath(\"{}\", §\"not_null()\")",
            "not_null takes at least 1 arguments, not 0",
        ),
        (
            "JmesPath(\"{}\", §\"map(@, @)\")",
            "argument 1 of map is an expression with &",
        ),
        (
            "JmesPath(\"{}\", §\"length(&a)\")",
            "argument 1 of length is no expression with &",
        ),
        ("JmesPath(\"{}\", §\"&a\")", "& is for the arguments of functions"),
        ("JmesPath(\"{}\", §\"[::0]\")", "the step of a slice cannot be 0"),
        ("AppendString(\"x\"§ \"y\")", ", or )"),
        ("AppendString(\"x\", §)", "a value, found )"),
        ("AppendString(§,\"x\")", "a value, found ,"),
        (
            "AppendString(\"x\", AppendString(\"y\", §z))",
            "a value: a string",
        ),
    ] {
        refuse(
            &behind_blanks(&format!(
                "version=1.2; authorizationrules{{}};\nissuancerules {{ => add(type=\"x\", value={value}); }};"
            )),
            part,
        );
    }
}

#[test]
fn later_versions() {
    for version in ["1.0", "1.1"] {
        let text = |rule: &str| format!("version={version}; authorizationrules{{\n  {rule} }};");
        refuse(
            &text("§![type==\"x\"] => permit();"),
            &format!("conditions with ! need version=1.2; and this policy has version={version};"),
        );
        refuse(
            &text("=> add(type=\"x\", value=§NegateBool(true));"),
            "functions need version=1.2;",
        );
        refuse(
            &text("[value==§JsonToClaimValue(\"1\")] => permit();"),
            "functions need version=1.2;",
        );
    }
}

#[test]
fn long_words_are_shortened_in_messages() {
    let error = Policy::parse(&"x".repeat(1000)).unwrap_err().to_string();
    assert!(error.len() < 150, "{error}");
}
