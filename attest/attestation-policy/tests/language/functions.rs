//! Tests of the functions of version 1.2.

use attestation_policy::{Claim, Value};

use super::{claim, failure, issued, issuing, made};

/// What `=> issue(type="r", value=…)` issues, with `a` and `b` for the claims of these types.
fn values(expression: &str, claims: &[Claim]) -> Vec<Value> {
    let issued = issued(&rule(expression), claims);
    issued.into_iter().map(|(_, value)| value).collect()
}

fn rule(expression: &str) -> String {
    let mut conditions = Vec::new();
    for name in ["a", "b"] {
        if expression.contains(&format!("{name}.")) {
            conditions.push(format!("{name}:[type==\"{name}\"]"));
        }
    }
    format!(
        "{} => issue(type=\"r\", value={expression});",
        conditions.join(" && ")
    )
}

fn error(expression: &str, claims: &[Claim]) -> String {
    failure(&issuing(&rule(expression)), claims).problem.to_string()
}

#[test]
fn jmes_path_finds_json() {
    for (data, query, found) in [
        (r#"{"foo": "bar"}"#, "foo", r#""bar""#),
        (r#"{"values": [0,1,2,3,4]}"#, "values[2]", "2"),
        (r#"{"values": [0,1,2,3,4]}"#, "values[?@ > `2`]", "[3,4]"),
        (r#"{"b": 1, "a": {"x": null}}"#, "@", r#"{"a":{"x":null},"b":1}"#),
        ("{}", "absent", "null"),
        ("[]", "length(@) == `0`", "true"),
        (r#""text""#, "@", r#""text""#),
        ("9223372036854775807", "@", "9223372036854775807"),
        ("[9007199254740993]", "contains(@, `9007199254740992`)", "false"),
        ("18446744073709551615", "@ == `18446744073709551615`", "true"),
        ("1.0", "@ == `1`", "true"),
    ] {
        let claims = [claim("a", data), claim("b", query)];
        assert_eq!(
            values("JmesPath(a.value, b.value)", &claims),
            [found.into()],
            "{query}"
        );
    }
}

#[test]
fn jmes_path_says_what_is_wrong() {
    for (data, query, part) in [
        ("", "foo", "argument 1 of JmesPath is not JSON: EOF"),
        ("{\"a\":}", "foo", "argument 1 of JmesPath is not JSON"),
        (
            "{} {}",
            "foo",
            "argument 1 of JmesPath is not JSON: trailing characters",
        ),
        ("bare", "foo", "argument 1 of JmesPath is not JSON"),
        ("{}", "", "not a JMESPath query: it is empty"),
        ("{}", "foo[", "not a JMESPath query: Expected"),
        ("{}", "foo == bar ==", "not a JMESPath query"),
        (
            "{}",
            "unknown(@)",
            "not a JMESPath query: there is no function unknown",
        ),
        (
            "{}",
            "abs(@)",
            "the JMESPath query fails: abs needs a number as its argument 1, not object",
        ),
        (
            "[1, \"a\"]",
            "sort(@)",
            "the JMESPath query fails: sort compares numbers only, or strings only",
        ),
        ("[1, \"a\"]", "sum(@)", "sum needs an array of numbers"),
        (
            "[1]",
            "join('', @)",
            "join needs an array of strings as its argument 2",
        ),
    ] {
        let claims = [claim("a", data), claim("b", query)];
        let error = error("JmesPath(a.value, b.value)", &claims);
        assert!(error.contains(part), "{error} does not say: {part}");
    }
    // Each argument has its place.
    let at = |data, query| {
        let text = issuing(&rule("JmesPath(a.value, b.value)"));
        failure(&text, &[claim("a", data), claim("b", query)])
            .position
            .column
    };
    let text = rule("JmesPath(a.value, b.value)");
    let column = |part: &str| text.find(part).unwrap() as u32 + 1;
    assert_eq!(at("{", "@"), column("a.value"));
    assert_eq!(at("{}", "["), column("b.value"));
}

#[test]
fn json_to_claim_value_converts() {
    for (json, expected) in [
        ("100", vec![Value::from(100)]),
        ("-9223372036854775808", vec![Value::from(i64::MIN)]),
        ("6.0", vec![Value::from(6)]),
        ("-0.0", vec![Value::from(0)]),
        ("true", vec![Value::from(true)]),
        (r#""abc""#, vec![Value::from("abc")]),
        (r#""\u00e9\n""#, vec![Value::from("é\n")]),
        ("null", vec![]),
        ("[]", vec![]),
        ("[null, null]", vec![]),
        (
            r#"[0, "abc", true, null, 0]"#,
            vec![0.into(), "abc".into(), true.into(), 0.into()],
        ),
    ] {
        assert_eq!(
            values("JsonToClaimValue(a.value)", &[claim("a", json)]),
            expected,
            "{json}"
        );
    }
}

#[test]
fn json_to_claim_value_says_what_is_wrong() {
    for (json, part) in [
        ("abc", "argument 1 of JsonToClaimValue is not JSON"),
        ("", "argument 1 of JsonToClaimValue is not JSON"),
        ("{}", "an object cannot be the value of a claim"),
        ("[{}]", "an object within an array cannot be"),
        ("[1, [2]]", "an array within an array cannot be"),
        ("1.5", "a fraction cannot be"),
        ("[1, 1.5]", "a fraction cannot be"),
        ("1e300", "a number beyond the integers of 64 bits cannot be"),
        (
            "9223372036854775808",
            "a number beyond the integers of 64 bits cannot be",
        ),
    ] {
        let error = error("JsonToClaimValue(a.value)", &[claim("a", json)]);
        assert!(error.contains(part), "{error} does not say: {part}");
    }
}

#[test]
fn sets() {
    let set = |name: &str, values: &[Value]| -> Vec<Claim> {
        values.iter().map(|value| claim(name, value.clone())).collect()
    };
    let (abc, hundred, yes) = (Value::from("abc"), Value::from(100), Value::from(true));
    for (part, whole, is_subset) in [
        (
            vec![abc.clone(), hundred.clone()],
            vec![yes.clone(), abc.clone(), hundred.clone()],
            true,
        ),
        (vec![abc.clone()], vec![abc.clone()], true),
        (vec![abc.clone(), abc.clone()], vec![abc.clone()], true),
        (
            vec![abc.clone(), hundred.clone()],
            vec![abc.clone(), yes.clone()],
            false,
        ),
        (vec!["100".into()], vec![hundred.clone()], false),
        (vec!["true".into()], vec![yes.clone()], false),
    ] {
        let claims = [set("a", &part), set("b", &whole)].concat();
        assert_eq!(
            values("IsSubsetOf(a.value, b.value)", &claims),
            [is_subset.into()],
            "{part:?} {whole:?}"
        );
    }
    // The empty set.
    assert_eq!(
        values(r#"IsSubsetOf(JsonToClaimValue("[]"), 1)"#, &[]),
        [true.into()]
    );
    assert_eq!(
        values(r#"IsSubsetOf(1, JsonToClaimValue("[]"))"#, &[]),
        [false.into()]
    );
    assert_eq!(
        values(r#"IsSubsetOf(1, JsonToClaimValue("[2, 1]"))"#, &[]),
        [true.into()]
    );

    for (members, only, holds) in [
        (vec![hundred.clone(), 101.into()], "100", false),
        (vec![hundred.clone(), hundred.clone()], "100", true),
        (vec![hundred.clone()], "101", false),
        (vec![hundred.clone()], "\"100\"", false),
        (vec![yes.clone()], "true", true),
        (vec![yes.clone(), false.into()], "true", false),
    ] {
        let expression = format!("ContainsOnlyValue(a.value, {only})");
        assert_eq!(
            values(&expression, &set("a", &members)),
            [holds.into()],
            "{members:?} {only}"
        );
    }
    assert_eq!(
        values(r#"ContainsOnlyValue(JsonToClaimValue("[]"), 1)"#, &[]),
        [false.into()]
    );
    let two = [claim("a", 1), claim("b", 1), claim("b", 2)];
    assert_eq!(
        error("ContainsOnlyValue(a.value, b.value)", &two),
        "argument 2 of ContainsOnlyValue is a single value, and here are 2 different ones"
    );
}

#[test]
fn strings_and_booleans() {
    assert_eq!(
        values(
            "AppendString(a.value, b.value)",
            &[claim("a", "abc"), claim("b", "xyz")]
        ),
        ["abcxyz".into()]
    );
    assert_eq!(values(r#"AppendString("", "")"#, &[]), ["".into()]);
    assert_eq!(values("NegateBool(a.value)", &[claim("a", true)]), [false.into()]);
    assert_eq!(values("NegateBool(NegateBool(false))", &[]), [false.into()]);
    assert_eq!(
        values(
            r#"AppendString(AppendString("Events[? EventSeq < `", a.value), "`]")"#,
            &[claim("a", "2")]
        ),
        ["Events[? EventSeq < `2`]".into()]
    );
}

#[test]
fn arguments_have_types_that_only_claims_know() {
    let number = [claim("a", 1), claim("b", "x")];
    for (expression, expected) in [
        (
            "AppendString(a.value, b.value)",
            "argument 1 of AppendString is a string, not an integer",
        ),
        (
            "AppendString(b.value, a.value)",
            "argument 2 of AppendString is a string, not an integer",
        ),
        (
            "NegateBool(a.value)",
            "argument 1 of NegateBool is a boolean, not an integer",
        ),
        (
            "NegateBool(b.value)",
            "argument 1 of NegateBool is a boolean, not a string",
        ),
        (
            "JmesPath(a.value, b.value)",
            "argument 1 of JmesPath is a string, not an integer",
        ),
        (
            "JmesPath(b.value, a.value)",
            "argument 2 of JmesPath is a string, not an integer",
        ),
        (
            "JsonToClaimValue(a.value)",
            "argument 1 of JsonToClaimValue is a string, not an integer",
        ),
        (
            r#"NegateBool(JsonToClaimValue("null"))"#,
            "argument 1 of NegateBool is a single value, and here are 0 different ones",
        ),
        (
            r#"NegateBool(JsonToClaimValue("[true, false]"))"#,
            "argument 1 of NegateBool is a single value, and here are 2 different ones",
        ),
    ] {
        assert_eq!(error(expression, &number), expected, "{expression}");
    }
    // Several that are equal are one.
    assert_eq!(
        values("NegateBool(a.value)", &[claim("a", true), claim("a", true)]),
        [false.into()]
    );
}

#[test]
fn an_empty_value_makes_no_claim() {
    let rules = r#"c:[type=="a"] => issue(type="first", value=JsonToClaimValue(c.value));
        ![type=="first"] => issue(type="first", value=false);"#;
    assert_eq!(issued(rules, &[claim("a", "null")]), [made("first", false)]);
    assert_eq!(issued(rules, &[claim("a", "[]")]), [made("first", false)]);
    assert_eq!(issued(rules, &[claim("a", "true")]), [made("first", true)]);
}

#[test]
fn in_conditions() {
    let claims = [claim("list", "[1, 2]"), claim("n", 2), claim("n", 3)];
    for (test, expected) in [
        ("value==JsonToClaimValue(l.value)", vec![made("n", 2)]),
        ("value!=JsonToClaimValue(l.value)", vec![made("n", 3)]),
        (
            r#"value>JsonToClaimValue(JmesPath(l.value, "max(@)"))"#,
            vec![made("n", 3)],
        ),
        (r#"value==JsonToClaimValue("null")"#, vec![]),
        (
            r#"value!=JsonToClaimValue("null")"#,
            vec![made("n", 2), made("n", 3)],
        ),
    ] {
        let rule = format!("l:[type==\"list\"] && n:[type==\"n\", {test}] => issue(claim=n);");
        assert_eq!(issued(&rule, &claims), expected, "{test}");
    }
}
