//! `nacre secret`: gives values to a broker, and lists what it has.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use sector_cipher::{ImageKey, KEY_SIZE};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::flags::broker::{BrokerFlags, name, text, time, unless_refused};
use crate::{input, output};

/// Bytes of the largest value.
const MAX_SECRET_SIZE: u64 = 1 << 20;

/// Give secrets to a key broker, and list those that it has; no command shows their values
#[derive(Args, Debug)]
pub struct Secret {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    Set(Set),
    ImageKey(ImageKeyCommand),
    Rotate(Rotate),
    List(List),
}

/// Set the value of an imported secret
#[derive(Args, Debug)]
struct Set {
    /// The deployment
    #[arg(value_name = "DEPLOYMENT", value_parser = name)]
    deployment: String,

    /// The secret
    #[arg(value_name = "SECRET", value_parser = name)]
    secret: String,

    /// The file with the value, byte by byte, or `-` for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,

    #[command(flatten)]
    broker: BrokerFlags,
}

/// Give the key of an encrypted image
#[derive(Args, Debug)]
struct ImageKeyCommand {
    /// The deployment
    #[arg(value_name = "DEPLOYMENT", value_parser = name)]
    deployment: String,

    /// The file with the key, as nacre convert --image-key has made it
    #[arg(value_name = "FILE")]
    file: PathBuf,

    #[command(flatten)]
    broker: BrokerFlags,
}

/// Have the broker make another value of a secret that it has made, when it is needed next
#[derive(Args, Debug)]
struct Rotate {
    /// The deployment
    #[arg(value_name = "DEPLOYMENT", value_parser = name)]
    deployment: String,

    /// The secret
    #[arg(value_name = "SECRET", value_parser = name)]
    secret: String,

    #[command(flatten)]
    broker: BrokerFlags,
}

/// List the secrets of a deployment, without their values
#[derive(Args, Debug)]
struct List {
    /// The deployment
    #[arg(value_name = "DEPLOYMENT", value_parser = name)]
    deployment: String,

    #[command(flatten)]
    broker: BrokerFlags,
}

impl Secret {
    pub fn run(self) -> Result<ExitCode> {
        match self.what {
            What::Set(set) => set.run(),
            What::ImageKey(key) => key.run(),
            What::Rotate(rotate) => rotate.run(),
            What::List(list) => list.run(),
        }
    }
}

impl Set {
    fn run(self) -> Result<ExitCode> {
        let value = Zeroizing::new(input::read(&self.file, MAX_SECRET_SIZE)?);
        let path = format!("/v1/deployments/{}/secrets/{}", self.deployment, self.secret);
        unless_refused(self.broker.client()?.ask("PUT", &path, &value)?, |_| Ok(()))
    }
}

impl ImageKeyCommand {
    fn run(self) -> Result<ExitCode> {
        let bytes = Zeroizing::new(input::read(&self.file, KEY_SIZE as u64)?);
        let key = ImageKey::new(&bytes).with_context(|| self.file.display().to_string())?;
        let path = format!("/v1/deployments/{}/image-keys/{}", self.deployment, key.id());
        unless_refused(self.broker.client()?.ask("PUT", &path, &bytes)?, |_| {
            output::line(format_args!("image key {}", key.id()))
        })
    }
}

impl Rotate {
    fn run(self) -> Result<ExitCode> {
        let path = format!("/v1/deployments/{}/secrets/{}", self.deployment, self.secret);
        unless_refused(self.broker.client()?.ask("DELETE", &path, b"")?, |_| Ok(()))
    }
}

impl List {
    fn run(self) -> Result<ExitCode> {
        let path = format!("/v1/deployments/{}/secrets", self.deployment);
        let list: Result<Value, String> = self.broker.client()?.get(&path)?;
        unless_refused(list, |list| {
            for secret in list["secrets"].as_array().into_iter().flatten() {
                let state = match (secret["made"].as_u64(), secret["instances"].as_u64()) {
                    (_, Some(count)) => format!("{count} instances have one"),
                    (Some(_), None) => {
                        format!("made {}, until {}", time(&secret["made"]), time(&secret["until"]))
                    }
                    (None, None) if secret["kind"] == "imported" => "NOT SET".to_owned(),
                    (None, None) => "made when it is needed".to_owned(),
                };
                output::line(format_args!(
                    "{:<24} {:<12} {state}",
                    text(&secret["name"]),
                    text(&secret["kind"])
                ))?;
            }
            for id in list["image_keys"].as_array().into_iter().flatten() {
                output::line(format_args!("{:<24} image key", text(id)))?;
            }
            Ok(())
        })
    }
}
