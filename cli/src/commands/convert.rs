//! `nacre convert`: makes a confidential image of a plain one.

use anyhow::Result;
use clap::Args;
use image_convert::{Conversion, Summary};
use oci_image::{ImageRef, ImageSource};
use serde::Serialize;
use sgx_sign::SigningKey;

use crate::flags::byte_size::ByteSize;
use crate::flags::conversion::{ConversionSettings, EnclaveFlags, SignatureFlags};
use crate::flags::notices::Notices;
use crate::output;
use crate::output::progress::ProgressLine;
use crate::user_cache::development_key::development_key;

/// Convert an image into a confidential image
///
/// No program of the image is run. Neither a container engine nor root is needed. The same image, options and version
/// of nacre give the same bytes. `nacre convert` reads options from nacre.toml in the current directory, too.
#[derive(Args, Debug)]
pub struct Convert {
    /// The image: docker-archive:FILE[:REF], oci-archive:FILE[:REF] or oci:DIR[:REF]; or FILE or DIR alone. - is standard
    /// input
    #[arg(value_parser = ImageRef::of_source)]
    source: ImageRef,

    /// Where to write the confidential image: docker-archive:FILE[:REF], oci-archive:FILE[:REF] or oci:DIR[:REF]
    target: ImageRef,

    /// Print JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    notices: Notices,

    #[command(flatten)]
    enclave: EnclaveFlags,

    #[command(flatten)]
    signature: SignatureFlags,
}

impl Convert {
    pub fn run(self) -> Result<()> {
        let settings = ConversionSettings::new(&self.enclave, &self.signature, self.notices)?;
        let key = match &settings.key {
            Some(path) => SigningKey::load(path)?,
            None => {
                self.notices.say(
                    "signing with this user's development key; to make an image that others can trust, give --key",
                );
                development_key()?
            }
        };
        // What is wrong with the target is told before a pipe is read.
        oci_image::check_target(&self.target)?;
        let source = ImageSource::open(&self.source)?;
        let conversion = Conversion {
            source: &source,
            target: &self.target,
            options: &settings.options,
            key: &key,
            libos: enclave_payload::ENCLAVE,
            host_runtime: enclave_payload::HOST_RUNTIME,
        };
        let mut bar = ProgressLine::unless_quiet(self.notices);
        let summary = conversion.run(&mut bar)?;
        drop(bar);
        for sentence in &summary.left_out {
            self.notices.say(sentence);
        }
        if self.json {
            return output::json(&Made::new(&self.target, &summary));
        }
        print(&self.target, &summary)
    }
}

/// What was made. The names of the fields are those of the JSON.
#[derive(Serialize)]
struct Made<'a> {
    image: String,
    mr_enclave: String,
    mr_signer: String,
    /// Bytes.
    layer: u64,
    rootfs: u64,
    enclave: u64,
    source_layers: u64,
    /// What the image asks for and does not get, in sentences.
    left_out: &'a [&'static str],
}

impl<'a> Made<'a> {
    fn new(target: &ImageRef, summary: &'a Summary) -> Self {
        Self {
            image: target.to_string(),
            mr_enclave: summary.mr_enclave.to_string(),
            mr_signer: summary.mr_signer.to_string(),
            layer: summary.image.layer_len,
            rootfs: summary.rootfs_len,
            enclave: summary.enclave_len,
            source_layers: summary.layers_len,
            left_out: &summary.left_out,
        }
    }
}

fn print(target: &ImageRef, summary: &Summary) -> Result<()> {
    output::line(target)?;
    output::line(format_args!("  MRENCLAVE    {}", summary.mr_enclave))?;
    output::line(format_args!("  MRSIGNER     {}", summary.mr_signer))?;
    output::line(format_args!(
        "  size         {}: root file system {}, enclave {} (layers of the source: {})",
        ByteSize(summary.image.layer_len),
        ByteSize(summary.rootfs_len),
        ByteSize(summary.enclave_len),
        ByteSize(summary.layers_len),
    ))?;
    output::line(format_args!("  system calls {}", summary.coverage))
}
