//! Encrypted images: making them, against the tools that a user would take for it, and reading from them.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::operations::LARGE;
use super::process::watch;
use super::side::{Bench, Image, Side};
use super::table::Results;
use crate::shell;

/// `read-random`, `read-cold` and `read-warm`: each line of `bench/guests/blocks.c`.
pub fn reading(bench: &mut Bench, results: &mut Results) -> Result<()> {
    let image = bench.guests("blocks", &["blocks"], bench.amount(LARGE))?;
    let image = bench.encrypted(image, "blocks")?;
    for _ in 0..bench.rounds(3) {
        results.add("read-cold", Side::Native, cipher_limit(bench)? / 1e6);
        for side in Side::BOTH {
            let mut command = image.program(bench, side, "blocks");
            let text = shell::output(command.current_dir(&image.root).arg("usr/share/bench/data"))?;
            for line in text.lines() {
                let (name, value) = line.split_once(' ').context("a line without a number")?;
                // What the page cache of this machine gives is no measure for blocks that are verified and decrypted.
                if side == Side::Enclave || name == "read-warm" {
                    results.add(name, side, value.parse()?);
                }
            }
        }
    }
    Ok(())
}

/// `convert-encrypted`: CPU time for Python's image.
pub fn making(bench: &mut Bench, results: &mut Results) -> Result<()> {
    let python = bench.packages("python", "usr/bin/python3")?;
    for _ in 0..bench.rounds(3) {
        results.add("convert-encrypted", Side::Native, by_tools(bench, &python)?);
        let target = bench.scratch().join("encrypted-again.tar");
        let (mut command, _) = bench.conversion(&python.plain, &target);
        command.args(["--encrypt", "--image-key"]).arg(bench.image_key());
        let usage = watch(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?)?;
        results.add("convert-encrypted", Side::Enclave, usage.cpu_seconds);
    }
    Ok(())
}

/// CPU seconds that mkfs.erofs and veritysetup take for the image's files, and OpenSSL for encrypting what mkfs.erofs made:
/// cryptsetup itself needs a kernel with device mapper, and its ciphers are the same.
fn by_tools(bench: &Bench, image: &Image) -> Result<f64> {
    let (data, tree) = (
        bench.scratch().join("tools.erofs"),
        bench.scratch().join("tools.verity"),
    );
    let timed = |command: &mut Command| {
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        Ok::<_, anyhow::Error>(watch(child)?.cpu_seconds)
    };
    let made = timed(Command::new("mkfs.erofs").args([data.as_path(), image.root.as_path()]))?;
    let hashed = timed(
        Command::new("/usr/sbin/veritysetup")
            .args([Path::new("format"), &data, &tree])
            .args(["--hash=sha256", "--salt=00"]),
    )?;
    let encrypted = fs::metadata(&data)?.len() as f64 / openssl_speed(bench, "aes-256-xts")?;
    Ok(made + hashed + encrypted)
}

/// Bytes per second that OpenSSL hashes and decrypts on one core, one after the other, in pieces of a block.
fn cipher_limit(bench: &Bench) -> Result<f64> {
    let [hashing, decrypting] = ["sha256", "aes-256-xts"].map(|cipher| openssl_speed(bench, cipher));
    Ok(1.0 / (1.0 / hashing? + 1.0 / decrypting?))
}

/// Bytes per second.
fn openssl_speed(bench: &Bench, cipher: &str) -> Result<f64> {
    let seconds = bench.rounds(2).to_string();
    let mut command = Command::new("openssl");
    // In machine-readable form the last line is `+F:22:name:rate`.
    command.args([
        "speed", "-mr", "-seconds", &seconds, "-bytes", "4096", "-evp", cipher,
    ]);
    let text = shell::output(command.stderr(Stdio::null()))?;
    let line = text.lines().rfind(|line| line.starts_with("+F:"));
    let rate = line.and_then(|line| line.rsplit(':').next());
    rate.with_context(|| format!("openssl speed says no rate: {text}"))?
        .parse()
        .context("openssl speed's rate is no number")
}
