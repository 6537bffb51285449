//! The documents that a conversion attaches to its image: what is in it, and how it was made.

use enclave_config::{HostEnv, Loopback, Port, Resolver};
use image_provenance::{Inventory, Made, PREDICATE, PREDICATE_TYPE, SPDX, STATEMENT, Source};
use oci_image::{Annotations, Attachment, Tree, WrittenImage};
use serde_json::{Value, json};
use sgx_sign::{MrEnclave, MrSigner};

use crate::signal_name::signal_name;
use crate::{Conversion, ConvertError, Options};

/// That documents about the image are wanted.
#[derive(Clone, Debug, Default)]
pub struct Attest {
    /// The source's name in a registry, if it came from one. Names of files say nothing to others.
    pub source_name: Option<String>,
}

/// What was attached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attached {
    /// The packages in the SBOM; none if there is no SBOM, since the image is encrypted.
    pub packages: Option<usize>,
    /// Package databases that are in the image and were not read.
    pub unread: Vec<&'static str>,
}

/// The documents, as far as they are known before the image is written.
pub(crate) struct Documents {
    sbom: Option<Vec<u8>>,
    source: Source,
    options: Value,
    pub(crate) attached: Attached,
}

impl Documents {
    /// Reads what is in the tree. An encrypted image gets no SBOM: it would tell what the image holds.
    pub(crate) fn new(
        attest: &Attest,
        conversion: &Conversion<'_>,
        tree: &Tree,
    ) -> Result<Self, ConvertError> {
        let image = conversion.source;
        let source = Source {
            name: attest.source_name.clone(),
            manifest: image.manifest_digest(),
            config: image.config_digest(),
        };
        let mut attached = Attached::default();
        let mut sbom = None;
        if conversion.image_key.is_none() {
            let inventory = Inventory::of(tree)?;
            let name = source.name.clone().unwrap_or_else(|| source.config.to_string());
            let made = image.config().created.as_deref();
            sbom = Some(image_provenance::sbom(&inventory, &name, source.config, made));
            attached.packages = Some(inventory.packages.len());
            attached.unread = inventory.unread;
        }
        let mut options = options(conversion.options);
        if let (Some(key), Some(options)) = (conversion.image_key, options.as_object_mut()) {
            options.insert("imageKey".into(), key.id().to_string().into());
        }
        Ok(Self {
            sbom,
            source,
            options,
            attached,
        })
    }

    /// What is attached to the image that was written.
    pub(crate) fn about(
        &self,
        written: &WrittenImage,
        mr_enclave: MrEnclave,
        mr_signer: MrSigner,
    ) -> Vec<Attachment> {
        let made = Made {
            manifest: written.manifest_digest,
            mr_enclave: mr_enclave.to_string(),
            mr_signer: mr_signer.to_string(),
        };
        let sbom = self.sbom.as_ref().map(|bytes| Attachment {
            media_type: SPDX,
            annotations: Annotations::new(),
            bytes: bytes.clone(),
        });
        let provenance = Attachment {
            media_type: STATEMENT,
            annotations: Annotations::from([(PREDICATE.into(), PREDICATE_TYPE.into())]),
            bytes: image_provenance::provenance(&self.source, &self.options, &made),
        };
        sbom.into_iter().chain([provenance]).collect()
    }
}

/// All options by which the same source gives the same enclave; names are those of nacre.toml, with its defaults filled in.
fn options(options: &Options) -> Value {
    let texts = |list: &[Vec<u8>]| -> Value {
        let texts = list.iter().map(|text| String::from_utf8_lossy(text).into_owned());
        texts.collect::<Vec<_>>().into()
    };
    let mut enclave = json!({
        "size": options.memory,
        "threads": options.threads,
        "hostname": options.hostname,
        "debug": options.debug,
    });
    let signals = (1..=64).filter(|&signal| options.host_signals.has(signal));
    let mut host = json!({
        "allow-args": options.allow_args,
        "allow-env": match &options.host_env {
            HostEnv::Names(names) => texts(names),
            HostEnv::Any => "*".into(),
        },
        "allow-signals": signals.map(signal_name).collect::<Vec<_>>(),
        "allow-resolver": options.resolver == Resolver::OfHost,
        "allow-loopback": options.loopback == Loopback::OfHost,
    });
    if let (Some(enclave), Resolver::Servers(servers)) = (enclave.as_object_mut(), &options.resolver) {
        enclave.insert("name-servers".into(), texts(servers));
    }
    if let (Some(host), Loopback::OfContainer(ports)) = (host.as_object_mut(), &options.loopback) {
        let names = |ports: &[Port]| ports.iter().map(Port::to_string).collect::<Vec<_>>();
        host.insert("publish-loopback".into(), names(&ports.published).into());
        host.insert("host-loopback".into(), names(&ports.reached).into());
    }
    json!({
        "enclave": enclave,
        "host": host,
        "signature": {
            "product": options.sign.product,
            "security-version": options.sign.security_version,
            "date": options.sign.date.to_string(),
        },
    })
}
