//! A key broker: an encrypted Redis that starts only after attestation, and gets its password inside the enclave.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use harness::Running;
use harness::images::{provide, recipe};
use serde_json::Value;

use super::{show, step};
use crate::shell;

/// The `nacre` command, and a folder of the demo's own.
pub(super) struct Story<'a> {
    pub nacre: &'a Path,
    pub scratch: &'a Path,
}

/// Bytes of a page.
const PAGE: usize = 4096;
/// How long Redis may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

impl Story<'_> {
    /// Tells it.
    ///
    /// # Errors
    /// When a step does not do what it says.
    pub fn tell(&self) -> Result<()> {
        step("A key broker: keys and secrets for attested enclaves only");
        self.run("simulated-platform export platform")?;
        let mut person = Command::new("openssl");
        person
            .args(
                "req -x509 -nodes -days 2 -subj /CN=admin -newkey ec -pkeyopt ec_paramgen_curve:P-256"
                    .split(' '),
            )
            .args(["-keyout", "admin.key", "-out", "admin.pem"])
            .current_dir(self.scratch)
            .stderr(Stdio::null());
        shell::run(show(&mut person))?;
        self.run("broker init --store store --root-key root.key --administrator admin.pem")?;
        let mut serve = self.command(
            "broker serve --listen 127.0.0.1:0 --store store --root-key root.key \
             --collateral platform/collateral.json --dangerous-trust-simulated platform/root.pem",
        );
        let (_broker, line) = Running::start(show(serve.stderr(Stdio::null())))?;
        println!("{line}");
        let url = line.strip_prefix("serving at ").context("the broker's address")?;
        println!("\nHere it runs outside of an enclave, so it has no quote to show:");
        self.run(&format!("broker trust {url} --dangerous-without-quote"))?;

        step("An encrypted Redis for this broker");
        let port = url.rsplit(':').next().context("the broker's port")?;
        let plain = provide(&recipe("redis")?)?;
        self.run(&format!(
            "convert --encrypt --image-key redis.key --broker-ca broker-ca.pem --host-loopback {port} \
             docker-archive:{} oci-archive:redis.tar",
            plain.display()
        ))?;
        let shown: Value = serde_json::from_str(&shell::output(
            &mut self.command("inspect --json oci-archive:redis.tar"),
        )?)?;
        let text = |value: &Value| value.as_str().map(str::to_owned).context("what the image is");
        let (enclave, key) = (
            text(&shown["mr_enclave"])?,
            text(&shown["configuration"]["image_key"])?,
        );

        step("The policy: which enclave gets what");
        let redis = free_port()?;
        let policy = policy(&enclave, &key, redis);
        print!("{policy}");
        fs::write(self.scratch.join("shop.yaml"), &policy)?;
        let digest = self.ask(&format!("policy apply shop.yaml {}", as_admin(url)))?;
        let digest = digest
            .trim_end()
            .strip_prefix("in force: ")
            .context("the policy's digest")?;
        self.ask(&format!("secret image-key shop redis.key {}", as_admin(url)))?;

        step("Redis starts, and its password is nobody's outside");
        let mut run = self.command(&format!("run --broker {url} oci-archive:redis.tar"));
        let log = fs::File::create(self.scratch.join("redis.log"))?;
        let mut server = show(run.stdout(Stdio::null()).stderr(log)).spawn()?;
        let answer = ping(redis);
        let ended = server.kill().and_then(|()| server.wait());
        let log = fs::read_to_string(self.scratch.join("redis.log"))?;
        print!("{log}");
        let answer = answer?;
        ended?;
        println!("PING without a password: {}", answer.trim_end());
        ensure!(answer.starts_with("-NOAUTH"), "Redis should want a password");

        step("Another policy: this enclave gets nothing any more");
        let other = policy.replace(&enclave, &"00".repeat(32));
        fs::write(self.scratch.join("shop.yaml"), other)?;
        self.ask(&format!(
            "policy apply shop.yaml --replaces {digest} {}",
            as_admin(url)
        ))?;
        self.refused(url, "the broker refuses")?;
        println!("\nThe host has a reference. The owner has the reason:");
        let log = shell::output(&mut self.command(&format!("audit export {}", as_admin(url))))?;
        let last = log
            .lines()
            .rfind(|line| line.contains(&enclave))
            .context("the audit log")?;
        let entry: Value = serde_json::from_str(last)?;
        println!("{} {}: {}", entry["outcome"], entry["reference"], entry["reason"]);
        ensure!(entry["outcome"] == "refused", "it should have been refused");

        step("A changed image does not run");
        let archive = self.scratch.join("redis.tar");
        let mut bytes = fs::read(&archive)?;
        // One bit in each page of the middle, which is the root file system's: whichever Redis reads first.
        let half = bytes.len() / 2;
        let middle = bytes.iter_mut().skip(half / 2).take(half);
        middle.step_by(PAGE).for_each(|byte| *byte ^= 1);
        fs::write(&archive, bytes)?;
        fs::write(self.scratch.join("shop.yaml"), &policy)?;
        let digest = self.digest(url)?;
        self.ask(&format!(
            "policy apply shop.yaml --replaces {digest} {}",
            as_admin(url)
        ))?;
        self.refused(url, "changed")
    }

    /// Runs Redis, which must end, and say why.
    fn refused(&self, url: &str, why: &str) -> Result<()> {
        let output =
            show(&mut self.command(&format!("run --broker {url} oci-archive:redis.tar"))).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        print!("{said}");
        ensure!(
            !output.status.success() && said.contains(why),
            "it should have been refused"
        );
        Ok(())
    }

    /// The digest of the policy that is in force.
    fn digest(&self, url: &str) -> Result<String> {
        let history = shell::output(&mut self.command(&format!("policy history shop {}", as_admin(url))))?;
        let words = history.split_whitespace();
        let mut digests = words.filter(|word| word.len() == 64);
        digests
            .next_back()
            .map(str::to_owned)
            .context("the policy's history")
    }

    fn command(&self, words: &str) -> Command {
        let mut command = Command::new(self.nacre);
        command.args(words.split_whitespace()).current_dir(self.scratch);
        command
    }

    fn run(&self, words: &str) -> Result<()> {
        shell::run(show(&mut self.command(words)))
    }

    /// As [`Self::run`], with what it prints.
    fn ask(&self, words: &str) -> Result<String> {
        let printed = shell::output(show(&mut self.command(words)))?;
        print!("{printed}");
        Ok(printed)
    }
}

fn as_admin(url: &str) -> String {
    format!("--broker {url} --broker-ca broker-ca.pem --cert admin.pem --cert-key admin.key")
}

fn policy(enclave: &str, key: &str, port: u16) -> String {
    format!(
        "\
name: shop
services:
  cache:
    enclaves: [{enclave}]
    image_keys: [{key}]
    tolerate: [{{ what: simulated, reason: a demonstration }}]
    arguments: [redis-server, --port, '{port}', --requirepass, '{{{{ secret \"password\" }}}}']
secrets:
  password: {{ kind: password, length: 32 }}
"
    )
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// What Redis says to a client without a password, once it is there.
fn ping(port: u16) -> Result<String> {
    let begin = Instant::now();
    loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(mut stream) => {
                stream.write_all(b"PING\r\n")?;
                let mut answer = [0; 64];
                let count = stream.read(&mut answer)?;
                return Ok(String::from_utf8_lossy(answer.get(..count).unwrap_or_default()).into_owned());
            }
            Err(error) if begin.elapsed() > PATIENCE => return Err(error).context("Redis does not answer"),
            Err(_) => std::thread::sleep(Duration::from_millis(100)),
        }
    }
}
