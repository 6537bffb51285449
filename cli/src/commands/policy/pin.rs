//! `nacre policy pin`: names the enclaves of the images that a policy names.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow, ensure};
use clap::Args;
use deployment_policy::document::ImageKeyId;
use deployment_policy::{Edit, edit};

use super::{deployment_file, diff};
use crate::commands::inspect::EnclaveIdentity;
use crate::image_place::Source;
use crate::input::is_standard;
use crate::output;

/// Write the MRENCLAVE of each service's image into a deployment policy
///
/// Reads each image that a service names, checks it as nacre inspect does, and puts its MRENCLAVE in place of the service's
/// enclaves. Adds the name of an encrypted image's key to the service's image_keys. Everything else in the file stays as it is. Shows what changes for whom.
#[derive(Args, Debug)]
pub struct Pin {
    /// The policy
    #[arg(value_name = "FILE")]
    policy: PathBuf,

    /// Only this service; may be given several times
    #[arg(long = "service", value_name = "NAME")]
    services: Vec<String>,

    /// Say what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
}

impl Pin {
    pub fn run(self) -> Result<ExitCode> {
        ensure!(
            !is_standard(&self.policy),
            "name a file, in which the enclaves can be written"
        );
        let (mut text, before) = deployment_file::load(&self.policy)?;
        let services = &before.document().services;
        for asked in &self.services {
            let service = services.get(asked.as_str());
            let service =
                service.with_context(|| format!("{} has no service {asked:?}", self.policy.display()))?;
            ensure!(service.image.is_some(), "the service {asked:?} names no image");
        }
        let is_asked =
            |name: &str| self.services.is_empty() || self.services.iter().any(|asked| asked == name);
        let mut pinned = 0;
        for (name, service) in services {
            let Some(image) = service.image.as_ref().filter(|_| is_asked(name.as_str())) else {
                continue;
            };
            let source = Source::parse(image).with_context(|| format!("the image of the service {name}"))?;
            let enclave =
                EnclaveIdentity::of(&source).with_context(|| format!("the image of the service {name}"))?;
            let key = enclave.image_key.map(|key| Edit::AddImageKey(ImageKeyId(key)));
            for change in std::iter::once(Edit::SetEnclaves(vec![enclave.mr_enclave])).chain(key) {
                text = edit(&text, name.as_str(), &change)
                    .map_err(|error| anyhow!("{}: {error}", self.policy.display()))?;
            }
            pinned += 1;
        }
        ensure!(
            pinned > 0,
            "no service of {} names an image",
            self.policy.display()
        );
        let after = deployment_file::parse(&text, &self.policy)?;
        output::line(diff::words(&before, &after))?;
        if before != after && !self.dry_run {
            deployment_file::replace(&self.policy, &text)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
