//! `nacre convert`: makes a confidential image of a plain one.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use image_convert::{Attached, Attest, Conversion, Summary};
use image_key::KeyFileError;
use oci_image::ImageSource;
use sector_cipher::ImageKey;
use serde::Serialize;

use crate::flags::byte_size::ByteSize;
use crate::flags::conversion::{ConversionSettings, EnclaveFlags, SignatureFlags};
use crate::flags::notices::Notices;
use crate::image_place::{Source, Target};
use crate::output;
use crate::output::progress::ProgressLine;
use crate::signer;
use crate::user_cache::development_key::development_key;
use crate::user_cache::known_programs;

/// Convert an image into a confidential image
///
/// No program of the image is run. Neither a container engine nor root is needed. The same image, options and version
/// of nacre give the same bytes. `nacre convert` reads options from nacre.toml in the current directory, too.
#[derive(Args, Debug)]
pub struct Convert {
    /// The image: docker-archive:FILE[:REF], oci-archive:FILE[:REF] or oci:DIR[:REF]; or FILE or DIR alone; - is standard
    /// input. Or in a registry: docker://HOST/NAME[:TAG][@DIGEST], or NAME[:TAG]
    #[arg(value_parser = Source::parse)]
    source: Source,

    /// Where to write the confidential image: docker-archive:FILE[:REF], oci-archive:FILE[:REF], oci:DIR[:REF] or
    /// docker://HOST/NAME[:TAG]
    #[arg(value_parser = Target::parse)]
    target: Target,

    /// How large all files of the image may be together, and each of its layers when it is uncompressed: a small file can
    /// decompress to any size
    #[arg(long, value_name = "SIZE", default_value = "256GiB")]
    max_size: ByteSize,

    /// Print JSON
    #[arg(long)]
    json: bool,

    /// Attach to the image an SBOM (SPDX), made of its package databases, and a statement of how it was made (in-toto,
    /// SLSA provenance). An encrypted image gets no SBOM
    #[arg(long)]
    attest: bool,

    #[command(flatten)]
    notices: Notices,

    #[command(flatten)]
    enclave: EnclaveFlags,

    #[command(flatten)]
    signature: SignatureFlags,

    /// Encrypt the image's files, with the key in the file that --image-key names
    #[arg(long, requires = "image_key")]
    encrypt: bool,

    /// The file with the key of the encrypted image; if there is none, a key is made and written there
    #[arg(long, value_name = "FILE", requires = "encrypt")]
    image_key: Option<PathBuf>,
}

impl Convert {
    pub fn run(self) -> Result<()> {
        let settings = ConversionSettings::new(&self.enclave, &self.signature, self.notices)?;
        let key = match &settings.key {
            Some(path) => signer::open(path)?,
            None => {
                self.notices.say(
                    "signing with this user's development key; to make an image that others can trust, give --key",
                );
                Box::new(development_key()?)
            }
        };
        // What is wrong with the target is told before a pipe is read.
        let target = self.target.begin()?;
        let source = ImageSource::open(&self.source.fetch(self.notices)?)?;
        let mut image_key = self.image_key.as_deref().map(ImageKeyFile::open).transpose()?;
        let cache = known_programs::cache();
        let conversion = Conversion {
            source: &source,
            target: &target.place,
            options: &settings.options,
            key: &*key,
            image_key: image_key.as_ref().map(|file| &file.key),
            attest: self.attest.then(|| Attest {
                source_name: self.source.remote().map(ToString::to_string),
            }),
            max_size: Some(self.max_size.0),
            cache: cache.as_ref(),
            libos: enclave_payload::ENCLAVE,
            host_runtime: enclave_payload::HOST_RUNTIME,
            init: enclave_payload::INIT,
        };
        let mut bar = ProgressLine::unless_quiet(self.notices);
        let summary = conversion.run(&mut bar)?;
        drop(bar);
        target.finish(self.source.remote(), self.notices)?;
        if let Some(file) = &mut image_key {
            file.is_needed = true;
        }
        for sentence in &summary.left_out {
            self.notices.say(sentence);
        }
        for path in summary.attached.iter().flat_map(|attached| &attached.unread) {
            self.notices.say(format_args!(
                "the SBOM is not complete: nacre does not read RPM's database, which is in /{path}"
            ));
        }
        if self.json {
            return output::json(&Made::new(&self.target, &summary, image_key.as_ref()));
        }
        print(&self.target, &summary)?;
        if let Some(file) = &image_key {
            let how = if file.is_new { "made" } else { "used" };
            let (path, name) = (file.path.display(), file.key.id());
            output::line(format_args!("  image key    {path} ({how}; its name is {name})"))?;
        }
        Ok(())
    }
}

/// The file with the key of an encrypted image.
struct ImageKeyFile {
    path: PathBuf,
    key: ImageKey,
    is_new: bool,
    /// There is an image that it opens.
    is_needed: bool,
}

impl ImageKeyFile {
    /// Reads the file, or makes it. It is there before the image is: an image without its key would be lost.
    fn open(path: &Path) -> Result<Self> {
        let (key, is_new) = match image_key::make(path) {
            Ok(key) => (key, true),
            Err(KeyFileError::Exists(_)) => (image_key::load_private(path)?, false),
            Err(error) => return Err(error.into()),
        };
        Ok(Self {
            path: path.into(),
            key,
            is_new,
            is_needed: false,
        })
    }
}

impl Drop for ImageKeyFile {
    fn drop(&mut self) {
        if self.is_new && !self.is_needed {
            // The conversion's own error is what the user has to hear.
            let _ = std::fs::remove_file(&self.path);
        }
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
    /// The name of the key of an encrypted image.
    image_key: Option<String>,
    /// Programs and libraries, and how many of them were known from earlier conversions.
    programs: u64,
    programs_known: u64,
    /// How many packages the attached SBOM has.
    sbom_packages: Option<usize>,
    /// What the image asks for and does not get, in sentences.
    left_out: &'a [&'static str],
}

impl<'a> Made<'a> {
    fn new(target: &Target, summary: &'a Summary, key: Option<&ImageKeyFile>) -> Self {
        Self {
            image: target.to_string(),
            mr_enclave: summary.mr_enclave.to_string(),
            mr_signer: summary.mr_signer.to_string(),
            layer: summary.image.layer_len,
            rootfs: summary.rootfs_len,
            enclave: summary.enclave_len,
            source_layers: summary.layers_len,
            image_key: key.map(|file| file.key.id().to_string()),
            programs: summary.coverage.scanned,
            programs_known: summary.coverage.reused,
            sbom_packages: summary.attached.as_ref().and_then(|attached| attached.packages),
            left_out: &summary.left_out,
        }
    }
}

fn print(target: &Target, summary: &Summary) -> Result<()> {
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
    output::line(format_args!("  system calls {}", summary.coverage))?;
    match &summary.attached {
        None => Ok(()),
        Some(Attached {
            packages: Some(count),
            ..
        }) => output::line(format_args!(
            "  attached     SBOM of {count} packages, provenance"
        )),
        Some(_) => {
            output::line("  attached     provenance (an SBOM would tell what the encrypted image holds)")
        }
    }
}
