//! `nacre sign`: signs a confidential image, with a key on this machine or a signature made elsewhere.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use enclave_config::Config;
use image_convert::Part;
use oci_image::ImageRef;
use sgx_sign::{PublicKey, Sgxs, SigningKey, Unsigned};

use crate::confidential_image;
use crate::flags::conversion::SignatureFlags;
use crate::output;
use crate::output::progress::ProgressLine;

/// Sign a confidential image
///
/// With a key on this machine: `nacre sign IMAGE TARGET --key KEY`. With a key elsewhere: `nacre sign IMAGE --bytes-out
/// FILE` (or --digest-out) writes what that key must sign (RSASSA-PKCS1-v1_5 with SHA-256), then `nacre sign IMAGE TARGET
/// --signature FILE --public-key FILE` adds the signature. Give the same --product, --security-version and --date both
/// times.
#[derive(Args, Debug)]
pub struct Sign {
    /// The confidential image
    #[arg(value_parser = ImageRef::of_source)]
    image: ImageRef,

    /// Where to write the signed image; IMAGE itself is allowed
    target: Option<ImageRef>,

    #[command(flatten)]
    flags: SignatureFlags,

    /// Write the SHA-256 digest to be signed to this file (32 bytes)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["key", "signature", "target"])]
    digest_out: Option<PathBuf>,

    /// Write the bytes to be signed to this file (256 bytes)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["key", "signature", "target"])]
    bytes_out: Option<PathBuf>,

    /// Add this signature (384 bytes)
    #[arg(long, value_name = "FILE", requires = "public_key", conflicts_with = "key")]
    signature: Option<PathBuf>,

    /// The key that made the signature (PEM)
    #[arg(long, value_name = "FILE", requires = "signature")]
    public_key: Option<PathBuf>,
}

impl Sign {
    pub fn run(self) -> Result<()> {
        let package = confidential_image::open(&self.image)?;
        let sgxs = Sgxs::read(&package.read(Part::Enclave)?)
            .with_context(|| format!("{}: /{} is damaged", self.image, Part::Enclave.path()))?;
        let config = Config::decode(&sgxs.config)
            .map_err(|error| anyhow::anyhow!("{}: the configuration is damaged: {error}", self.image))?;
        let unsigned = Unsigned::new(sgxs.mr_enclave, config.debug, &self.flags.options()?);

        if self.digest_out.is_some() || self.bytes_out.is_some() {
            if let Some(path) = &self.digest_out {
                write(path, &unsigned.digest())?;
            }
            if let Some(path) = &self.bytes_out {
                write(path, &unsigned.bytes())?;
            }
            return Ok(());
        }

        let signature = match (&self.flags.key, &self.signature, &self.public_key) {
            (Some(key), None, None) => unsigned.sign(&SigningKey::load(key)?)?,
            (None, Some(signature), Some(key)) => {
                let bytes = read(signature)?;
                unsigned
                    .with_signature(&bytes, &PublicKey::load(key)?)
                    .with_context(|| {
                        format!(
                            "{} does not fit (give the same --product, --security-version and --date as with --bytes-out)",
                            signature.display()
                        )
                    })?
            }
            _ => bail!(
                "give a key with --key, or a signature with --signature and --public-key (see nacre sign --help)"
            ),
        };
        let Some(target) = &self.target else {
            bail!(
                "name the place for the signed image: nacre sign {} TARGET …",
                self.image
            );
        };
        for remark in confidential_image::remarks(package.outside()) {
            eprintln!("nacre: {remark}");
        }
        let mut bar = ProgressLine::new();
        let total = package.locate(Part::Rootfs).len;
        image_convert::Progress::begin(&mut bar, image_convert::Stage::Image, total);
        package.write_resigned(target, &signature, &mut |at| {
            image_convert::Progress::at(&mut bar, at)
        })?;
        drop(bar);
        output::line(target)?;
        output::line(format_args!("  MRENCLAVE    {}", sgxs.mr_enclave))?;
        if let Some(key) = PublicKey::of(&signature) {
            output::line(format_args!("  MRSIGNER     {}", key.mr_signer()))?;
        }
        Ok(())
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    ensure!(!bytes.is_empty(), "{} is empty", path.display());
    Ok(bytes)
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}
