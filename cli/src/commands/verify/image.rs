//! `nacre verify image`: whether a confidential image was made of a plain one.

use std::fmt::Display;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use enclave_config::Config;
use image_convert::{Conversion, Options, Package, Part};
use oci_image::{ImageRef, ImageSource, Transport};
use sector_cipher::ImageKey;
use serde::Serialize;
use serde_json::Value;
use sgx_sign::{Sgxs, SignOptions, SigningKey};

use crate::commands::inspect::Configuration;
use crate::flags::notices::Notices;
use crate::image_place::Source;
use crate::output::progress::ProgressLine;
use crate::{confidential_image, output};

/// Verify that a confidential image was made of a plain one
///
/// Converts the plain image again, with the options of the confidential one and this version of nacre, and compares the
/// measurements. Ends with status 0 if they are the same, 1 if they are not, and 125 if an image could not be read.
#[derive(Args, Debug)]
pub struct VerifyImage {
    /// The confidential image
    #[arg(value_parser = Source::parse)]
    image: Source,

    /// The plain image that it is said to be made of
    #[arg(long, value_name = "IMAGE", value_parser = Source::parse)]
    source: Source,

    /// The file with the key of an encrypted image
    #[arg(long, value_name = "FILE")]
    image_key: Option<PathBuf>,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What is shown. The names of the fields are those of the JSON.
#[derive(Serialize)]
struct Report {
    same: bool,
    mr_enclave: String,
    /// Of what was made of the source now.
    made_again: String,
    /// What the two configurations have otherwise, in sentences. With another measurement and none of these, the enclave's own
    /// code is another.
    differences: Vec<String>,
}

impl VerifyImage {
    pub fn run(self) -> Result<ExitCode> {
        let package = confidential_image::open(&self.image.fetch(Notices::default())?)?;
        let (ours, config) = enclave_of(&package, &self.image)?;
        let key = self
            .image_key
            .as_deref()
            .map(image_key::load_private)
            .transpose()?;
        if let Err(wrong) = config.rootfs.check_key(key.as_ref().map(ImageKey::id)) {
            bail!("{}: {wrong}", self.image);
        }
        let (made, made_config) = self.make_again(&config, key.as_ref())?;
        let same = ours.mr_enclave == made.mr_enclave;
        let report = Report {
            same,
            mr_enclave: ours.mr_enclave.to_string(),
            made_again: made.mr_enclave.to_string(),
            differences: if same {
                Vec::new()
            } else {
                differences(&config, &made_config)?
            },
        };
        if self.json {
            output::json(&report)?;
        } else {
            report.print(&self.image, &self.source)?;
        }
        Ok(if same {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    /// The enclave that the source gives with these options. The signature is not measured, so any key will do.
    fn make_again(&self, config: &Config, key: Option<&ImageKey>) -> Result<(Sgxs, Config)> {
        let source = ImageSource::open(&self.source.fetch(Notices::default())?)?;
        let dir = tempfile::tempdir().context("cannot make a temporary directory (set TMPDIR)")?;
        let target = ImageRef {
            transport: Transport::OciArchive,
            path: dir.path().join("made.tar"),
            reference: None,
        };
        let conversion = Conversion {
            source: &source,
            target: &target,
            options: &options_of(config)?,
            key: &SigningKey::generate()?,
            image_key: key,
            attest: None,
            max_size: None,
            // It is made again from nothing but the source.
            cache: None,
            libos: enclave_payload::ENCLAVE,
            host_runtime: enclave_payload::HOST_RUNTIME,
            init: enclave_payload::INIT,
        };
        conversion.run(&mut ProgressLine::new())?;
        enclave_of(&Package::open(&target)?, &target)
    }
}

impl Report {
    fn print(&self, image: &Source, source: &Source) -> Result<()> {
        if self.same {
            output::line(format_args!(
                "MADE OF IT: {image} is what this nacre makes of {source}"
            ))?;
            return output::line(format_args!("MRENCLAVE        {}", self.mr_enclave));
        }
        output::line(format_args!(
            "NOT MADE OF IT: {source} gives another enclave than {image}"
        ))?;
        output::line(format_args!("MRENCLAVE        {}", self.mr_enclave))?;
        output::line(format_args!("made again       {}", self.made_again))?;
        if self.differences.is_empty() {
            output::line(
                "The configurations are the same: the enclave's own code is another, by another version of nacre.",
            )?;
        }
        self.differences.iter().try_for_each(output::line)
    }
}

/// The enclave of a confidential image, and its configuration.
fn enclave_of(package: &Package, place: &dyn Display) -> Result<(Sgxs, Config)> {
    let damaged = || format!("{place}: /{} is damaged", Part::Enclave.path());
    let sgxs = Sgxs::read(&package.read(Part::Enclave)?).with_context(damaged)?;
    let config = Config::decode(&sgxs.config)
        .map_err(anyhow::Error::new)
        .with_context(damaged)?;
    Ok((sgxs, config))
}

/// The options that a configuration comes from.
fn options_of(config: &Config) -> Result<Options> {
    Ok(Options {
        memory: config.memory,
        threads: config.threads,
        allow_args: config.allow_args,
        host_env: config.host_env.clone(),
        host_signals: config.host_signals,
        debug: config.debug,
        hostname: String::from_utf8(config.hostname.clone()).context("the image's host name is not UTF-8")?,
        resolver: config.resolver.clone(),
        loopback: config.loopback.clone(),
        broker: config.broker.as_ref().map(|broker| broker.authority.clone()),
        sign: SignOptions::default(),
    })
}

/// The fields that differ, with both values.
fn differences(ours: &Config, made: &Config) -> Result<Vec<String>> {
    let fields = |config| serde_json::to_value(Configuration::new(config));
    let (ours, made) = (fields(ours)?, fields(made)?);
    let members = |value: &Value| value.as_object().cloned().unwrap_or_default();
    let made = members(&made);
    let differing = members(&ours).into_iter().filter_map(|(name, ours)| {
        let made = made.get(&name)?;
        (ours != *made).then(|| format!("{name}: {ours} in the image, {made} of the source"))
    });
    Ok(differing.collect())
}
