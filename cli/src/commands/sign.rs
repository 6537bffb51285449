//! `nacre sign`: signs a confidential image, with a key on this machine or a signature made elsewhere.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use enclave_config::Config;
use image_convert::{Package, Part};
use image_provenance::STATEMENT;
use serde::Serialize;
use sgx_arch::SigStruct;
use sgx_sign::{PublicKey, Sgxs, SignOptions, Unsigned};

use crate::confidential_image;
use crate::flags::conversion::SignatureFlags;
use crate::flags::notices::Notices;
use crate::image_place::{Source, Target};
use crate::output;
use crate::output::progress::ProgressLine;
use crate::signer;

/// Sign a confidential image
///
/// With a key on this machine: `nacre sign IMAGE TARGET --key KEY`. With a key elsewhere: `nacre sign IMAGE --bytes-out
/// FILE` (or --digest-out) writes what that key must sign (RSASSA-PKCS1-v1_5 with SHA-256), then `nacre sign IMAGE TARGET
/// --signature FILE --public-key FILE` adds the signature. Give the same --product, --security-version and --date both
/// times.
///
/// Product and security version stay what the image's signature says, unless they are given here.
#[derive(Args, Debug)]
pub struct Sign {
    /// The confidential image
    #[arg(value_parser = Source::parse)]
    image: Source,

    /// Where to write the signed image; IMAGE itself is allowed
    #[arg(value_parser = Target::parse)]
    target: Option<Target>,

    #[command(flatten)]
    flags: SignatureFlags,

    /// Print JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    notices: Notices,

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
        let package = confidential_image::open(&self.image.fetch(self.notices)?)?;
        let sgxs = Sgxs::read(&package.read(Part::Enclave)?)
            .with_context(|| format!("{}: /{} is damaged", self.image, Part::Enclave.path()))?;
        let config = Config::decode(&sgxs.config)
            .map_err(|error| anyhow::anyhow!("{}: the configuration is damaged: {error}", self.image))?;
        let before = signature_before(&package, &sgxs)?;
        let options = self.flags.options_after(before.as_ref())?;
        if let Some(before) = before.filter(|before| options.security_version < before.isv_svn) {
            eprintln!(
                "nacre: the security version falls from {} to {}: sealing keys of the higher one are out of reach, and \
                 relying parties may refuse the lower one",
                before.isv_svn, options.security_version
            );
        }
        let unsigned = Unsigned::new(sgxs.mr_enclave, config.debug, &options);

        if self.digest_out.is_some() || self.bytes_out.is_some() {
            if let Some(path) = &self.digest_out {
                write(path, &unsigned.digest())?;
            }
            if let Some(path) = &self.bytes_out {
                write(path, &unsigned.bytes())?;
            }
            let result = Signed::new(None, &sgxs, None, &options, config.debug);
            return result.print(self.json);
        }

        let signature = match (&self.flags.key, &self.signature, &self.public_key) {
            (Some(key), None, None) => unsigned.sign(&*signer::open(key)?)?,
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
            self.notices.say(remark);
        }
        if self.image.attachment(STATEMENT, self.notices)?.is_some() {
            self.notices
                .say("what is attached to the image is about this signature, and does not go along");
        }
        let mut bar = ProgressLine::unless_quiet(self.notices);
        let total = package.rootfs().len;
        image_convert::Progress::begin(&mut bar, image_convert::Stage::Image, total);
        let pending = target.begin()?;
        package.write_resigned(&pending.place, &signature, &mut |at| {
            image_convert::Progress::at(&mut bar, at)
        })?;
        drop(bar);
        pending.finish(self.image.remote(), self.notices)?;
        let key = PublicKey::of(&signature);
        Signed::new(Some(target), &sgxs, key, &options, config.debug).print(self.json)
    }
}

/// The image's signature, if it is one of this enclave: only then is kept what it says. Anyone could have written another.
fn signature_before(package: &Package, sgxs: &Sgxs) -> Result<Option<SigStruct>> {
    let bytes = package.read(Part::Signature)?;
    let signature = SigStruct::from_bytes(&bytes).ok();
    Ok(signature.filter(|signature| {
        signature.enclave_hash == sgxs.mr_enclave.0 && sgx_sign::verify(signature).is_ok()
    }))
}

/// What was signed, or is to be signed elsewhere. The names of the fields are those of the JSON.
#[derive(Serialize)]
struct Signed {
    image: Option<String>,
    mr_enclave: String,
    mr_signer: Option<String>,
    date: String,
    product: u16,
    security_version: u16,
    debug: bool,
}

impl Signed {
    fn new(
        target: Option<&Target>,
        sgxs: &Sgxs,
        key: Option<PublicKey>,
        options: &SignOptions,
        debug: bool,
    ) -> Self {
        Self {
            image: target.map(ToString::to_string),
            mr_enclave: sgxs.mr_enclave.to_string(),
            mr_signer: key.map(|key| key.mr_signer().to_string()),
            date: options.date.to_string(),
            product: options.product,
            security_version: options.security_version,
            debug,
        }
    }

    fn print(&self, as_json: bool) -> Result<()> {
        if as_json {
            return output::json(self);
        }
        if let Some(image) = &self.image {
            output::line(image)?;
            output::line(format_args!("  MRENCLAVE    {}", self.mr_enclave))?;
        }
        if let Some(mr_signer) = &self.mr_signer {
            output::line(format_args!("  MRSIGNER     {mr_signer}"))?;
        }
        let debug = if self.debug {
            ", DEBUG: the host can read this enclave"
        } else {
            ""
        };
        output::line(format_args!(
            "  signature    {}, product {}, security version {}{debug}",
            self.date, self.product, self.security_version
        ))
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
