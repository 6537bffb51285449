//! `nacre authorize`: adds a build to a deployment policy.

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow, bail, ensure};
use clap::Args;
use deployment_policy::document::{ImageKeyId, Service, Signer, Tolerated};
use deployment_policy::{Edit, Policy, edit};

use super::inspect::EnclaveIdentity;
use super::policy::{deployment_file, diff};
use crate::image_place::Source;
use crate::input::is_standard;
use crate::output;

/// Let a build of an image be a service of a deployment policy
///
/// Adds the image's MRENCLAVE to the service's enclaves, or with --by-signer its signer, product and security version to the
/// service's signers; and the name of an encrypted image's key to its image_keys. Everything else in the file stays as it is. Shows what changes for whom.
#[derive(Args, Debug)]
pub struct Authorize {
    /// The confidential image
    #[arg(value_parser = Source::parse)]
    image: Source,

    /// The deployment policy
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,

    /// The service that the image is; needed if the policy has several, and none or more than one names this image
    #[arg(long, value_name = "NAME")]
    service: Option<String>,

    /// Accept all that the image's signer has signed as the same product, from this security version on
    #[arg(long)]
    by_signer: bool,

    /// Say what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
}

impl Authorize {
    pub fn run(self) -> Result<()> {
        ensure!(
            !is_standard(&self.policy),
            "name a file, in which the build can be written"
        );
        let (text, before) = deployment_file::load(&self.policy)?;
        let name = self.service(&before)?;
        let enclave = EnclaveIdentity::of(&self.image)?;
        let change = if self.by_signer {
            Edit::AddSigner(Signer {
                mrsigner: enclave.mr_signer,
                product_id: enclave.product,
                min_svn: enclave.security_version,
            })
        } else {
            Edit::AddEnclave(enclave.mr_enclave)
        };
        let key = enclave.image_key.map(|key| Edit::AddImageKey(ImageKeyId(key)));
        let text = std::iter::once(change)
            .chain(key)
            .try_fold(text, |text, change| edit(&text, &name, &change));
        let text = text.map_err(|error| anyhow!("{}: {error}", self.policy.display()))?;
        let after = deployment_file::parse(&text, &self.policy)?;
        output::line(diff::words(&before, &after))?;
        if let Some((_, service)) = after.service(&name)
            && enclave.is_debug
            && !tolerates_debug(service)
        {
            eprintln!(
                "nacre: this is a debug enclave, and the service does not tolerate that: it gets nothing until you convert it \
                 without --debug, or add {{ what: debug }} to its tolerate"
            );
        }
        if before != after && !self.dry_run {
            deployment_file::replace(&self.policy, &text)?;
        }
        Ok(())
    }

    /// The service that is meant: the one that was named, the only one, or the only one that names this image.
    fn service(&self, policy: &Policy) -> Result<String> {
        let services = &policy.document().services;
        if let Some(named) = &self.service {
            return Ok(named.clone());
        }
        if services.len() == 1 {
            let only = services.keys().next();
            return Ok(only.context("there is no service")?.to_string());
        }
        let image = self.image.to_string();
        let names_it = |service: &Service| service.image.as_ref().is_some_and(|named| *named == image);
        let found: Vec<_> = services.iter().filter(|(_, service)| names_it(service)).collect();
        match found.as_slice() {
            [(name, _)] => Ok(name.to_string()),
            _ => {
                let names: Vec<_> = services.keys().map(ToString::to_string).collect();
                bail!(
                    "{} has the services {}: say which this image is, with --service",
                    self.policy.display(),
                    names.join(", ")
                )
            }
        }
    }
}

fn tolerates_debug(service: &Service) -> bool {
    service
        .tolerate
        .iter()
        .any(|tolerance| tolerance.what == Tolerated::Debug)
}
