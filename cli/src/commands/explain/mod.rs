//! `nacre explain`: says before a run what an image will meet, and after a verification what is wrong with a quote.
//!
//! `nacre explain quote` is the subcommand for quotes; any other word is an image (`./quote` for one of that name).

#[cfg(feature = "convert")]
mod elf;
#[cfg(feature = "convert")]
mod entry_point;
#[cfg(feature = "convert")]
mod finding;
#[cfg(feature = "convert")]
mod image;
#[cfg(feature = "convert")]
mod image_files;
#[cfg(feature = "convert")]
mod programs;
#[cfg(feature = "verify")]
mod quote;
#[cfg(feature = "convert")]
mod report;
#[cfg(feature = "convert")]
mod resources;
#[cfg(feature = "convert")]
mod settings;
#[cfg(feature = "convert")]
mod syscall_table;
#[cfg(feature = "convert")]
mod unsupported;

use std::process::ExitCode;

use anyhow::Result;
#[cfg(all(feature = "convert", feature = "verify"))]
use anyhow::bail;
use clap::Args;
#[cfg(feature = "verify")]
use clap::Subcommand;

#[cfg(feature = "convert")]
use self::report::Format;
#[cfg(feature = "convert")]
use crate::flags::conversion::EnclaveFlags;
#[cfg(feature = "convert")]
use crate::flags::notices::Notices;
#[cfg(feature = "convert")]
use crate::image_place::Source;

/// Explain what an image will meet in an enclave, or what is wrong with a quote
///
/// Of an image, nothing is run. Options are those that it would be converted with; nacre.toml in the current directory is
/// read, too. An image of the name `quote` is `./quote`.
///
/// Ends with status 1 if something keeps the image's program from starting.
#[derive(Args, Debug)]
#[cfg_attr(
    all(feature = "convert", feature = "verify"),
    command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)
)]
pub struct Explain {
    /// The image: docker-archive:FILE[:REF], oci-archive:FILE[:REF] or oci:DIR[:REF]; or FILE or DIR alone. - is standard
    /// input
    #[cfg(feature = "convert")]
    #[arg(value_parser = Source::parse, required = true)]
    image: Option<Source>,

    /// Print JSON, with all programs and libraries
    #[cfg(feature = "convert")]
    #[arg(long)]
    json: bool,

    /// List all programs and libraries, not only those that something is to be said about
    #[cfg(feature = "convert")]
    #[arg(long)]
    all: bool,

    #[cfg(feature = "convert")]
    #[command(flatten)]
    enclave: EnclaveFlags,

    #[cfg(feature = "verify")]
    #[command(subcommand)]
    what: Option<What>,
}

#[cfg(feature = "verify")]
#[derive(Subcommand, Debug)]
enum What {
    Quote(quote::ExplainQuote),
}

impl Explain {
    #[cfg(all(feature = "convert", feature = "verify"))]
    pub fn run(self) -> Result<ExitCode> {
        let format = self.format();
        match (self.what, self.image) {
            (Some(What::Quote(quote)), _) => quote.run(),
            (None, Some(image)) => image::explain(&image.fetch(Notices::default())?, &self.enclave, format),
            (None, None) => bail!("name an image, or `quote` (see nacre explain --help)"),
        }
    }

    #[cfg(all(feature = "convert", not(feature = "verify")))]
    pub fn run(self) -> Result<ExitCode> {
        let format = self.format();
        let image = anyhow::Context::context(self.image, "name an image (see nacre explain --help)")?;
        image::explain(&image.fetch(Notices::default())?, &self.enclave, format)
    }

    #[cfg(all(feature = "verify", not(feature = "convert")))]
    pub fn run(self) -> Result<ExitCode> {
        let what = anyhow::Context::context(
            self.what,
            "name what to explain: `quote` (see nacre explain --help)",
        )?;
        let What::Quote(quote) = what;
        quote.run()
    }

    #[cfg(feature = "convert")]
    fn format(&self) -> Format {
        match (self.json, self.all) {
            (true, _) => Format::Json,
            (false, true) => Format::Long,
            (false, false) => Format::Short,
        }
    }
}
