//! What is generated from the definition of the flags: completions, manual pages, and the version's details.

use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};

/// The commands of this build, as `nacre --help` lists them.
fn commands() -> Vec<String> {
    let help = succeed(&["--help"]);
    let (_, list) = help.split_once("Commands:\n").expect("a list of commands");
    let (list, _) = list.split_once("\n\n").expect("options after the commands");
    let names = list.lines().filter_map(|line| line.strip_prefix("  "));
    let names = names.filter(|line| !line.starts_with(' '));
    let names: Vec<_> = names
        .filter_map(|line| Some(line.split_whitespace().next()?.to_owned()))
        .filter(|name| name != "help")
        .collect();
    assert!(names.contains(&"version".to_owned()), "{help}");
    names
}

fn nacre(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nacre"));
    command.args(args).output().expect("nacre starts")
}

fn succeed(args: &[&str]) -> String {
    let output = nacre(args);
    assert!(output.status.success(), "{args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What a program prints that reads this script.
fn fed(program: &str, args: &[&str], script: &str) -> String {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let mut input = child.stdin.take().unwrap();
    input.write_all(script.as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn bash_completes_every_command() {
    let script = succeed(&["completion", "bash"]);
    fed("bash", &["-n"], &script);
    // The script's own function answers for what was typed after `nacre`.
    let ask = format!(
        "{script}\nCOMP_WORDS=(nacre ''); COMP_CWORD=1; _nacre nacre '' nacre; echo \"${{COMPREPLY[@]}}\"\n"
    );
    let answer = fed("bash", &["--norc"], &ask);
    let words: Vec<_> = answer.split_whitespace().collect();
    for name in commands() {
        assert!(words.contains(&name.as_str()), "{name}: {answer}");
    }
}

#[test]
fn other_shells_know_every_command() {
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        let script = succeed(&["completion", shell]);
        for name in commands() {
            assert!(script.contains(&name), "{shell}: {name}");
        }
    }
    assert_eq!(nacre(&["completion", "csh"]).status.code(), Some(125));
}

#[test]
fn there_is_a_manual_page_for_every_command() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("man1");
    succeed(&["man", target.to_str().unwrap()]);
    let main = fs::read_to_string(target.join("nacre.1")).unwrap();
    assert!(main.starts_with(".ie") || main.contains(".TH nacre 1"), "{main}");
    for name in commands() {
        let page = fs::read_to_string(target.join(format!("nacre-{name}.1"))).unwrap();
        assert!(page.contains(".SH SYNOPSIS"), "{name}: {page}");
        // Hyphens are escaped in roff.
        assert!(
            main.contains(&format!("nacre\\-{}", name.replace('-', "\\-"))),
            "{name}: {main}"
        );
    }
    // It is for packages, not for users.
    assert!(!commands().contains(&"man".to_owned()));
}

#[test]
fn the_version_says_what_is_built_in() {
    let short = succeed(&["version"]);
    assert_eq!(short, succeed(&["--version"]));
    let verbose = succeed(&["version", "--verbose"]);
    assert!(verbose.starts_with(&short), "{verbose}");
    let value = |name: &str| {
        let row = verbose.lines().find(|line| line.starts_with(name));
        row.map(|row| row.trim_start_matches(name).trim().to_owned())
    };
    assert!(value("commit").is_some(), "{verbose}");
    let features = value("features").expect("the features");
    let is_built = |feature: &str| features.split(", ").any(|name| name == feature);
    let hash = value("payload SHA-256");
    assert_eq!(hash.is_some(), is_built("convert"), "{verbose}");
    if let Some(hash) = hash {
        let is_digit = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        assert!(hash.len() == 64 && hash.chars().all(is_digit), "{verbose}");
    }
    assert_eq!(value("processor").is_some(), is_built("run"), "{verbose}");
}
