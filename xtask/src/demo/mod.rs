//! `cargo xtask demo`: the main path on a real image, from its conversion to the refusal of a changed byte.

mod broker;
mod proof;

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use harness::images::{provide, recipe};

use crate::shell;
use broker::Story;
use proof::Proof;

/// What the image prints, from a file that it holds.
const TEXT: &[u8] = b"An oyster lays nacre around what it encloses.";

/// Makes an image, converts it, runs it, proves what runs, looks at it as the host does, and changes a byte of it.
///
/// # Errors
/// When a step does not do what it says.
pub fn run() -> Result<()> {
    step("Build nacre");
    let packages = ["--package", "nacre", "--package", "attested-server"];
    shell::run(shell::cargo().args(["build", "--release"]).args(packages))?;
    let nacre = shell::target_directory()?.join("release/nacre");
    let scratch = tempfile::Builder::new().prefix("nacre-demo-").tempdir()?;

    step("An ordinary image: BusyBox, from a Debian package");
    let plain = provide(&recipe("busybox")?)?;
    println!("{}", plain.display());

    step("Convert it: no daemon, no root, no network, and nothing of it is run");
    let converted = scratch.path().join("busybox-nacre.tar");
    let image = format!("oci-archive:{}", converted.display());
    let source = format!("docker-archive:{}", plain.display());
    shell::run(show(Command::new(&nacre).args([
        "convert",
        "--allow-args",
        &source,
        &image,
    ])))?;
    shell::run(show(Command::new(&nacre).args(["inspect", &image])))?;

    step("Run it in an enclave");
    let printed = shell::output(show(Command::new(&nacre).args(["run", &image])))?;
    print!("{printed}");
    ensure!(
        printed.as_bytes().starts_with(TEXT),
        "it should have printed what the image says"
    );

    Proof {
        nacre: &nacre,
        scratch: scratch.path(),
    }
    .run(&image)?;

    step("What the host can read of it");
    let mut bytes = fs::read(&converted)?;
    let place = find(&bytes, TEXT);
    match place {
        Some(at) => println!(
            "All of the image's files: the text that was just printed lies at byte {at}. This image is protected\n\
             against changes, not against reading."
        ),
        None => println!("Not the text that was just printed: it is nowhere in the file."),
    }
    println!("An emulated enclave's memory is readable too. On SGX hardware the CPU encrypts it.");

    encrypt(&nacre, &source, scratch.path())?;

    Story {
        nacre: &nacre,
        scratch: scratch.path(),
    }
    .tell()?;

    step("What the host cannot do: change one bit of it");
    let at = place.unwrap_or(bytes.len() / 2);
    let byte = bytes.get_mut(at).context("an empty image")?;
    *byte ^= 1;
    fs::write(&converted, &bytes)?;
    let mut refused = Command::new(&nacre);
    let output = show(refused.args(["run", &image])).output()?;
    print!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    ensure!(
        !output.status.success(),
        "the changed image should have been refused"
    );
    ensure!(
        find(&output.stdout, b"oyster").is_none(),
        "no byte of it should have been shown"
    );
    println!("\nRefused, as it should be.");
    Ok(())
}

/// Converts the image once more, so that only who has the key can read it.
fn encrypt(nacre: &Path, source: &str, scratch: &Path) -> Result<()> {
    step("Encrypt it, so that it can be read with its key only");
    let (converted, key) = (scratch.join("busybox-encrypted.tar"), scratch.join("busybox.key"));
    let image = format!("oci-archive:{}", converted.display());
    let encrypt = ["convert", "--encrypt", "--image-key"];
    shell::run(show(
        Command::new(nacre).args(encrypt).arg(&key).args([source, &image]),
    ))?;
    ensure!(
        find(&fs::read(&converted)?, TEXT).is_none(),
        "nothing of the image's files should be in it"
    );
    println!("\nThe text is nowhere in it. Without the key it does not start:");
    let output = show(Command::new(nacre).args(["run", &image])).output()?;
    print!("{}", String::from_utf8_lossy(&output.stderr));
    ensure!(
        !output.status.success(),
        "it should have been refused without its key"
    );
    let with_key = shell::output(show(
        Command::new(nacre)
            .args(["run", "--image-key"])
            .arg(&key)
            .arg(&image),
    ))?;
    print!("{with_key}");
    ensure!(
        with_key.as_bytes().starts_with(TEXT),
        "it should have printed what the image says"
    );
    Ok(())
}

fn step(title: &str) {
    println!("\n== {title}");
}

/// Prints the command as one would type it.
fn show(command: &mut Command) -> &mut Command {
    let name = Path::new(command.get_program())
        .file_name()
        .unwrap_or_default()
        .display();
    let args: Vec<String> = command.get_args().map(|arg| arg.display().to_string()).collect();
    println!("$ {name} {}", args.join(" "));
    command
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
