#!/usr/bin/env bash
# The Rust crate `jmespath`: how it compares integers.
#
# Guess: two different integers of 64 bits are not equal, since the crate keeps and prints them exactly, and
# since the Python package of the same name says so.
# True: the crate compares all numbers as doubles. Above 2^53 two different integers can be equal.
set -euo pipefail

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

cd "$scratch"
mkdir src
cat > Cargo.toml <<'TOML'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"

[dependencies]
jmespath = "=0.5.0"
TOML
cat > src/main.rs <<'RUST'
fn main() {
    let data = r#"{"large": 9007199254740992, "larger": 9007199254740993}"#;
    for query in ["[large, larger]", "large == larger", "large < larger"] {
        let data = jmespath::Variable::from_json(data).expect("JSON");
        let found = jmespath::compile(query).expect("a query").search(data);
        println!("{query} = {}", found.expect("a result"));
    }
}
RUST
cargo run --quiet > rust
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check --only-binary=:all: jmespath==1.0.1
venv/bin/python > python <<'PYTHON'
import json

import jmespath

data = {"large": 9007199254740992, "larger": 9007199254740993}
for query in ["[large, larger]", "large == larger", "large < larger"]:
    print(query, "=", json.dumps(jmespath.search(query, data), separators=(",", ":")))
PYTHON

echo "jmespath 0.5.0 for Rust:"
cat rust
echo "jmespath 1.0.1 for Python:"
cat python

exact=$'[large, larger] = [9007199254740992,9007199254740993]\nlarge == larger = false\nlarge < larger = true'
doubles=$'[large, larger] = [9007199254740992,9007199254740993]\nlarge == larger = true\nlarge < larger = false'
if [[ $(< rust) != "$doubles" || $(< python) != "$exact" ]]; then
    echo "The behaviour has changed." >&2
    exit 1
fi
echo "The finding holds."
