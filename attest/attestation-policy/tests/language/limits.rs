//! Tests of limits: policies that loop or explode end with an error, and soon.

use attestation_policy::limits::{
    MAX_CLAIMS, MAX_COMPARISONS, MAX_CONDITIONS, MAX_CREATED, MAX_DEPTH, MAX_QUERY, MAX_QUERY_OPERATORS,
    MAX_RULES, MAX_STEPS, MAX_TEXT, MAX_VALUE,
};
use attestation_policy::{EvaluationProblem, Policy};

use super::{authorizing, claim, failure, issued, issuing, parse};

#[test]
fn of_the_text() {
    type PolicyWith = fn(usize) -> String;
    let limits: [(&str, PolicyWith, usize); 4] = [
        (
            "the policy has too many rules",
            |rules| authorizing(&"=> permit();\n".repeat(rules)),
            MAX_RULES,
        ),
        (
            "the rule has too many conditions",
            |conditions| {
                let conditions = vec!["[type==\"x\"]"; conditions];
                authorizing(&format!("{} => permit();", conditions.join(" && ")))
            },
            MAX_CONDITIONS,
        ),
        (
            "the condition has too many comparisons",
            |tests| authorizing(&format!("[{}] => permit();", vec!["value!=1"; tests].join(","))),
            MAX_COMPARISONS,
        ),
        (
            "functions are nested too deeply",
            |depth| {
                let value = format!("{}true{}", "NegateBool(".repeat(depth), ")".repeat(depth));
                issuing(&format!("=> issue(type=\"x\", value={value});"))
            },
            MAX_DEPTH,
        ),
    ];
    for (message, text, limit) in limits {
        assert!(Policy::parse(&text(limit)).is_ok(), "{message}");
        let error = Policy::parse(&text(limit + 1)).unwrap_err().to_string();
        assert!(
            error.contains(&format!("{message}: at most {limit} are allowed")),
            "{error}"
        );
    }
    let text = |len: usize| {
        let policy = authorizing("");
        format!("{policy}{}", " ".repeat(len - policy.len()))
    };
    assert!(Policy::parse(&text(MAX_TEXT)).is_ok());
    let error = Policy::parse(&text(MAX_TEXT + 1)).unwrap_err().to_string();
    assert!(error.contains("the policy has too many bytes"), "{error}");
}

/// Deep nesting of everything that nests, far beyond the limits, on a small stack.
#[test]
fn nothing_recurs_without_bound() {
    on_a_small_stack(|| {
        let many = 40_000;
        for text in [
            authorizing(&"!".repeat(many)),
            authorizing(&"[".repeat(many)),
            authorizing(&"{".repeat(many)),
            issuing(&format!("=> issue(type=\"x\", value={}", "(".repeat(many))),
            issuing(&format!(
                "=> issue(type=\"x\", value={}",
                "AppendString(".repeat(MAX_TEXT / 20)
            )),
        ] {
            assert!(Policy::parse(&text).is_err());
        }
    });
}

/// The deepest queries that are allowed, and deeper ones, on a small stack.
#[test]
fn queries_do_not_recur_without_bound() {
    on_a_small_stack(|| {
        for unit in [
            "!",
            "(",
            "[",
            "a.",
            "a|",
            "[*].",
            "[].",
            "*.",
            "a[?",
            "a&&",
            "a||",
            "a==",
            "{a:",
            "[0].",
            "[*][*]",
            "[][]",
            "map(&",
            "not_null(",
            "&",
            "to_array(",
            "@[?",
        ] {
            for count in [
                MAX_QUERY_OPERATORS / 2,
                MAX_QUERY_OPERATORS,
                MAX_QUERY / unit.len(),
                MAX_QUERY,
            ] {
                let open = unit.repeat(count);
                let close: String = open
                    .chars()
                    .rev()
                    .filter_map(|sign| match sign {
                        '(' => Some(')'),
                        '[' => Some(']'),
                        '{' => Some('}'),
                        _ => None,
                    })
                    .collect();
                for query in [
                    format!("{open}a"),
                    format!("{open}a{close}"),
                    format!("{open}@"),
                    open.clone(),
                ] {
                    let text = issuing(
                        "q:[type==\"q\"] => issue(type=\"x\", value=JmesPath(\"[[[1]]]\", q.value));",
                    );
                    let _ = parse(&text).evaluate(&[claim("q", query)]);
                }
            }
        }
    });
}

/// Half of what a thread of the standard library has, in a debug build.
fn on_a_small_stack(run: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(1 << 20).spawn(run);
    thread.unwrap().join().unwrap();
}

#[test]
fn strings_that_double() {
    let double = "c:[type==\"x\"] => add(type=\"y\", value=AppendString(c.value, c.value));
        c:[type==\"y\"] => add(type=\"x\", value=AppendString(c.value, c.value));\n";
    // Rules that double one after the other, each by the name of its own.
    let rules: String = (0..40)
        .map(|n| {
            format!(
                "c:[type==\"{n}\"] => add(type=\"{}\", value=AppendString(c.value, c.value));\n",
                n + 1
            )
        })
        .collect();
    let error = failure(&issuing(&rules), &[claim("0", "x".repeat(100))]);
    assert_eq!(error.problem, EvaluationProblem::ValueTooLong);
    assert_eq!(
        error.to_string(),
        format!("line 15, column 40: a value has more than {MAX_VALUE} bytes")
    );
    // With one name for all, the second round has different values.
    let error = failure(&issuing(&double.repeat(20)), &[claim("x", "x")]);
    assert!(matches!(error.problem, EvaluationProblem::NotSingle { .. }));
    // Within one expression.
    let mut value = "c.value".to_owned();
    for _ in 0..10 {
        value = format!("AppendString({value}, {value})");
        if value.len() > 50_000 {
            break;
        }
    }
    let text = issuing(&format!("c:[type==\"x\"] => issue(type=\"r\", value={value});"));
    let error = failure(&text, &[claim("x", "x".repeat(MAX_VALUE / 100))]);
    assert_eq!(error.problem, EvaluationProblem::ValueTooLong);
}

#[test]
fn claims_that_multiply() {
    // Each rule makes as many claims as there are.
    let rules = "c:[type==\"x\"] => add(type=\"x\", value=c.value);\n".repeat(40);
    let error = failure(&issuing(&rules), &[claim("x", 1)]);
    assert_eq!(error.problem, EvaluationProblem::TooManyClaims);
    assert_eq!(
        error.to_string(),
        format!("line 15, column 18: there are more than {MAX_CLAIMS} claims")
    );
    // An array becomes a claim for each element.
    let list = format!("[{}]", vec!["1"; MAX_CLAIMS + 1].join(","));
    let text = issuing("c:[type==\"x\"] => issue(type=\"y\", value=JsonToClaimValue(c.value));");
    let error = failure(&text, &[claim("x", list)]);
    assert_eq!(error.problem, EvaluationProblem::TooManyClaims);
    // Those given count.
    let claims = vec![claim("x", 1); MAX_CLAIMS];
    assert_eq!(issued("c:[type==\"y\"] => issue(claim=c);", &claims), []);
    assert_eq!(
        failure(&issuing("=> add(type=\"y\", value=1);"), &claims).problem,
        EvaluationProblem::TooManyClaims
    );
    let claims = vec![claim("x", 1); MAX_CLAIMS + 1];
    assert_eq!(
        failure(&issuing(""), &claims).problem,
        EvaluationProblem::TooManyClaims
    );
}

#[test]
fn bytes_that_are_made() {
    let value = "x".repeat(MAX_VALUE - 10);
    let rules =
        "c:[type==\"x\"] => issue(type=\"copy\", value=c.value);\n".repeat(MAX_CREATED / MAX_VALUE + 1);
    let error = failure(&issuing(&rules), &[claim("x", value.clone())]);
    assert_eq!(error.problem, EvaluationProblem::TooManyBytes);
    let rules = "c:[type==\"x\"] => issue(claim=c);\n".repeat(MAX_CREATED / MAX_VALUE + 1);
    let error = failure(&issuing(&rules), &[claim("x", value)]);
    assert_eq!(error.problem, EvaluationProblem::TooManyBytes);
    assert_eq!(
        error.problem.to_string(),
        format!("the claims that rules make have more than {MAX_CREATED} bytes")
    );
    // A given claim that is too long is refused before anything is done with it.
    let error = failure(&issuing(""), &[claim("x", "x".repeat(MAX_VALUE + 1))]);
    assert_eq!(error.problem, EvaluationProblem::ValueTooLong);
}

/// The product of a rule's conditions: each compares all claims with all that passed another.
#[test]
fn conditions_that_compare_everything_with_everything() {
    let rule = "a:[type==\"x\"] && b:[type==\"x\", value!=a.value] && c:[type==\"x\", value!=b.value] => issue(claim=c);\n";
    let mut claims: Vec<_> = (0..2000).map(|n| claim("x", n)).collect();
    claims.extend((0..2000).map(|n| claim("y", n)));
    let error = failure(&issuing(rule), &claims);
    assert_eq!(error.problem, EvaluationProblem::TooMuchWork);
    assert_eq!(
        error.problem.to_string(),
        format!("the evaluation takes more than {MAX_STEPS} steps")
    );
    // And the largest policy over the most claims.
    let claims = vec![claim("x", "1"); MAX_CLAIMS];
    let condition = format!("[{}]", vec!["value!=1"; MAX_COMPARISONS].join(","));
    let rule = format!("{condition} && ![type==\"x\"] => permit();\n");
    let text = authorizing(&rule.repeat(MAX_TEXT / rule.len() - 1));
    assert_eq!(failure(&text, &claims).problem, EvaluationProblem::TooMuchWork);
    // Long values take their length.
    let claims = vec![
        claim("x", "x".repeat(MAX_VALUE)),
        claim("y", "x".repeat(MAX_VALUE)),
    ];
    let rule = "a:[type==\"x\"] && b:[type==\"y\", value!=a.value] => permit();\n";
    let text = authorizing(&rule.repeat(MAX_RULES));
    assert_eq!(failure(&text, &claims).problem, EvaluationProblem::TooMuchWork);
}

fn search(data: &str, query: &str) -> EvaluationProblem {
    let text =
        issuing("q:[type==\"q\"] && d:[type==\"d\"] => issue(type=\"x\", value=JmesPath(d.value, q.value));");
    failure(&text, &[claim("d", data), claim("q", query)]).problem
}

#[test]
fn queries_that_double() {
    for (query, expected) in [
        // Arrays twice as long each time.
        ("[@,@][] | ".repeat(30), EvaluationProblem::TooMuchWork),
        // Trees twice as large, of which memory has each part once.
        ("[@,@] | ".repeat(40), EvaluationProblem::ValueTooLong),
        ("{a:@,b:@} | ".repeat(24), EvaluationProblem::ValueTooLong),
        ("to_string([@,@]) | ".repeat(30), EvaluationProblem::ValueTooLong),
        ("join('', [@,@]) | ".repeat(24), EvaluationProblem::ValueTooLong),
    ] {
        let start = if query.contains("join") { "'xx' | " } else { "" };
        assert_eq!(search("[1]", &format!("{start}{query}@")), expected, "{query}");
    }
    // Compared, sorted, searched.
    let tree = "[@,@] | ".repeat(38);
    for query in [
        format!("{tree}@ == @"),
        format!("{tree}contains(@, @[0])"),
        format!("{tree}[@, @] | contains(@, @[0])"),
        format!("{tree}@[0] != @[1]"),
    ] {
        assert_eq!(search("[1]", &query), EvaluationProblem::TooMuchWork, "{query}");
    }
    let numbers = "[@,@][] | ".repeat(17);
    for query in [
        "sort(@)",
        "sort_by(@, &@)",
        "map(&[@,@,@,@,@,@,@,@,@,@,@,@,@,@,@,@], @)",
    ] {
        assert_eq!(
            search("[1]", &format!("{numbers}{query}")),
            EvaluationProblem::TooMuchWork,
            "{query}"
        );
    }
}

#[test]
fn of_queries() {
    let query = |problem| match problem {
        EvaluationProblem::Query(reason) => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        query(search("{}", &"x".repeat(MAX_QUERY + 1))),
        format!("it has more than {MAX_QUERY} bytes")
    );
    assert_eq!(
        query(search("{}", &"a.".repeat(MAX_QUERY_OPERATORS + 1))),
        format!("it has more than {MAX_QUERY_OPERATORS} operators and brackets")
    );
    // JSON that is too deep for its reader.
    let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
    let problem = search(&deep, "@").to_string();
    assert!(problem.contains("recursion limit"), "{problem}");
    let problem = search("{}", &format!("`{deep}`"));
    assert!(matches!(problem, EvaluationProblem::Query(_)), "{problem}");
}
