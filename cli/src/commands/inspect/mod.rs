//! `nacre inspect`: shows a confidential image, and checks what can be checked without running it.

#[cfg(feature = "verify")]
mod identity;
mod toml;

use anyhow::{Context, Result};
use base16ct::lower;
use clap::Args;
use enclave_config::{Config, HostEnv, Loopback, Port, Resolver};
use image_convert::{Package, Part, label, signal_name};
use oci_image::ImageRef;
use serde::Serialize;
use sgx_arch::{Attributes, SigStruct};
use sgx_sign::{Date, MrEnclave, PublicKey, Sgxs};
use sha2::{Digest as _, Sha256};

#[cfg(feature = "verify")]
pub use self::identity::EnclaveIdentity;
use self::toml::nacre_toml;
use crate::confidential_image;
use crate::flags::byte_size::ByteSize;
use crate::flags::notices::Notices;
use crate::image_place::Source;
use crate::output;

/// Show the configuration, measurement and signature of a confidential image
///
/// All of the image is read and compared with what was measured. Ends with status 125 if something does not match.
#[derive(Args, Debug)]
pub struct Inspect {
    /// The confidential image
    #[arg(value_parser = Source::parse)]
    image: Source,

    /// Print JSON
    #[arg(long)]
    json: bool,

    /// Print the image's options as a nacre.toml
    #[arg(long, conflicts_with = "json")]
    toml: bool,

    /// Print the SBOM that is attached to the image (SPDX), and nothing else
    #[arg(long, conflicts_with_all = ["json", "toml"])]
    sbom: bool,

    /// Print the statement of how the image was made (in-toto), which is attached to it, and nothing else
    #[arg(long, conflicts_with_all = ["json", "toml", "sbom"])]
    provenance: bool,
}

/// What is shown. The names of the fields are those of the JSON.
#[derive(Serialize)]
struct Report {
    image: String,
    /// What does not match; empty for an intact image.
    problems: Vec<String>,
    mr_enclave: String,
    mr_signer: Option<String>,
    signature: Signature,
    configuration: Configuration,
    sizes: Sizes,
    /// How the layer with the enclave is compressed; nothing if `nacre run` can map it where it is.
    compression: Option<&'static str>,
    /// What was added to the image after its conversion, in sentences. It is outside of the enclave.
    outside: Vec<String>,
    /// The version of nacre that converted it. It comes from a label, which is not measured.
    made_by: Option<String>,
    /// How many of the system calls are replaced by jumps: `526/527`. It comes from a label, which is not measured.
    call_sites: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Signature {
    valid: bool,
    date: String,
    product: u16,
    security_version: u16,
    debug: bool,
}

#[derive(Serialize)]
pub struct Configuration {
    args: Vec<String>,
    env: Vec<String>,
    working_dir: String,
    uid: u32,
    gid: u32,
    groups: Vec<u32>,
    hostname: String,
    /// Addresses; `*` if the host chooses them.
    name_servers: Vec<String>,
    /// SHA-256 of the certificate of who vouches for the key broker that provisions the container.
    broker_ca: Option<String>,
    /// Ports of the container's servers on loopback addresses that the host's programs reach; `*` for all.
    published_loopback: Vec<String>,
    /// Ports of the host's servers on loopback addresses that programs reach; `*` for all.
    host_loopback: Vec<String>,
    stop_signal: u8,
    /// Names.
    host_may_send: Vec<String>,
    host_may_set_args: bool,
    /// Names, or `*` for all.
    host_may_set_env: Vec<String>,
    debug: bool,
    memory: u64,
    threads: u32,
    volumes: Vec<String>,
    rootfs_hash: String,
    /// The name of the key that the root file system is encrypted with.
    image_key: Option<String>,
    source_image_id: Option<String>,
}

#[derive(Serialize)]
struct Sizes {
    rootfs: u64,
    enclave: u64,
    host_runtime: u64,
    enclave_pages: u64,
}

impl Inspect {
    pub fn run(self) -> Result<bool> {
        if self.sbom || self.provenance {
            let (media_type, name) = if self.sbom {
                (image_provenance::SPDX, "SBOM")
            } else {
                (image_provenance::STATEMENT, "statement of how it was made")
            };
            let document = self.image.attachment(media_type, Notices::default())?;
            let document = document.with_context(|| {
                format!(
                    "{}: no {name} is attached to the image; nacre convert --attest attaches one",
                    self.image
                )
            })?;
            output::bytes(&document)?;
            return Ok(true);
        }
        let report = Report::new(&self.image.fetch(Notices::default())?, &self.image)?;
        if self.toml {
            let toml = nacre_toml(&report.configuration, &report.signature);
            output::line(toml.with_context(|| self.image.to_string())?.trim_end())?;
        } else if self.json {
            output::line(serde_json::to_string_pretty(&report)?)?;
        } else {
            report.print()?;
        }
        for problem in &report.problems {
            eprintln!("nacre: {}: {problem}", self.image);
        }
        Ok(report.problems.is_empty())
    }
}

impl Report {
    fn new(place: &ImageRef, image: &Source) -> Result<Self> {
        let package = confidential_image::open(place)?;
        let damaged = |part: Part| format!("{place}: /{} is damaged", part.path());
        let sgxs = Sgxs::read(&package.read(Part::Enclave)?).with_context(|| damaged(Part::Enclave))?;
        let sig = SigStruct::from_bytes(&package.read(Part::Signature)?)
            .map_err(anyhow::Error::new)
            .with_context(|| damaged(Part::Signature))?;
        let config = Config::decode(&sgxs.config)
            .map_err(anyhow::Error::new)
            .with_context(|| damaged(Part::Enclave))?;

        let verified = sgx_sign::verify(&sig);
        let mut problems = Vec::new();
        let mut check = |holds: bool, problem: String| {
            if !holds {
                problems.push(problem);
            }
        };
        if let Err(error) = &verified {
            check(false, error.to_string());
        }
        let signed = MrEnclave(sig.enclave_hash);
        check(
            signed == sgxs.mr_enclave,
            format!(
                "the signature is for another enclave: this one measures {}, the signed one {signed}",
                sgxs.mr_enclave
            ),
        );
        check(
            package.read(Part::Config)? == sgxs.config,
            format!(
                "/{} differs from the configuration in the enclave",
                Part::Config.path()
            ),
        );
        check(
            u64::from(config.threads) == sgxs.pages.tcs,
            format!(
                "the configuration has {} threads, the enclave {}",
                config.threads, sgxs.pages.tcs
            ),
        );
        let debug = sig.attributes.flags & Attributes::DEBUG != 0;
        check(
            config.debug == debug,
            "the signature and the configuration disagree about debugging".into(),
        );
        let rootfs_len = package.rootfs().len;
        check(
            rootfs_len == config.rootfs.total_len,
            format!(
                "/{} has {rootfs_len} bytes instead of {}",
                Part::Rootfs.path(),
                config.rootfs.total_len
            ),
        );
        if rootfs_len == config.rootfs.total_len
            && let Some(damage) = package.rootfs_damage(&config.rootfs)?
        {
            check(false, format!("/{} is damaged: {damage}", Part::Rootfs.path()));
        }
        let labels = &package.image().config.labels;
        check(
            labels
                .get(label::MR_ENCLAVE)
                .is_none_or(|labelled| *labelled == sgxs.mr_enclave.to_string()),
            format!("the label {} names another enclave", label::MR_ENCLAVE),
        );

        Ok(Self {
            image: image.to_string(),
            problems,
            mr_enclave: sgxs.mr_enclave.to_string(),
            mr_signer: PublicKey::of(&sig).map(|key| key.mr_signer().to_string()),
            signature: Signature {
                valid: verified.is_ok() && signed == sgxs.mr_enclave,
                date: Date::from_bcd(sig.date).to_string(),
                product: sig.isv_prod_id,
                security_version: sig.isv_svn,
                debug,
            },
            configuration: Configuration::new(&config),
            sizes: Sizes {
                rootfs: rootfs_len,
                enclave: length(&package, Part::Enclave),
                host_runtime: length(&package, Part::HostRuntime),
                enclave_pages: sgxs.pages.total(),
            },
            compression: package.rootfs().compression.name(),
            outside: confidential_image::remarks(package.outside()),
            made_by: labels.get(label::VERSION).cloned(),
            call_sites: labels.get(label::CALL_SITES).cloned(),
        })
    }

    fn print(&self) -> Result<()> {
        let row = |name: &str, value: &dyn std::fmt::Display| output::line(format_args!("{name:<16}{value}"));
        let (config, signature) = (&self.configuration, &self.signature);
        row("image", &self.image)?;
        row("MRENCLAVE", &self.mr_enclave)?;
        row(
            "MRSIGNER",
            &self.mr_signer.as_deref().unwrap_or("(not an RSA-3072 key)"),
        )?;
        let validity = if signature.valid { "valid" } else { "NOT VALID" };
        let debug = if signature.debug {
            ", DEBUG: the host can read this enclave"
        } else {
            ""
        };
        row(
            "signature",
            &format!(
                "{validity}, {}, product {}, security version {}{debug}",
                signature.date, signature.product, signature.security_version
            ),
        )?;
        row("runs", &format!("{:?}", config.args))?;
        row(
            "as",
            &format!(
                "{}:{} (groups {:?}) in {}",
                config.uid, config.gid, config.groups, config.working_dir
            ),
        )?;
        for entry in &config.env {
            row("environment", entry)?;
        }
        row(
            "host may set",
            &match (config.host_may_set_args, config.host_may_set_env.join(" ")) {
                (false, env) if env.is_empty() => "nothing".into(),
                (true, env) if env.is_empty() => "arguments".into(),
                (false, env) => format!("variables: {env}"),
                (true, env) => format!("arguments; variables: {env}"),
            },
        )?;
        for volume in &config.volumes {
            row("volume", volume)?;
        }
        row("memory", &ByteSize(config.memory))?;
        row("threads", &config.threads)?;
        row("host name", &config.hostname)?;
        for server in &config.name_servers {
            let server = if server == "*" {
                "those of the host"
            } else {
                server
            };
            row("name server", &server)?;
        }
        row(
            "127.0.0.1",
            &match [&config.published_loopback, &config.host_loopback].map(|ports| ports.join(" ")) {
                [published, _] if published == "*" => "the host's".to_owned(),
                [published, of_host] => {
                    let part = |words: &str, ports: String| match ports.as_str() {
                        "" => String::new(),
                        ports => format!(", {words} {ports}"),
                    };
                    format!(
                        "inside{}{}",
                        part("published:", published),
                        part("of the host:", of_host)
                    )
                }
            },
        )?;
        row("stop signal", &config.stop_signal)?;
        row("host may send", &config.host_may_send.join(" "))?;
        row("root hash", &config.rootfs_hash)?;
        row(
            "encryption",
            &match &config.image_key {
                None => "none: whoever has the image can read its files".into(),
                Some(name) => format!("AES-256-XTS, with the key {name}"),
            },
        )?;
        if let Some(digest) = &config.broker_ca {
            row(
                "key broker",
                &format!("vouched for by the certificate with SHA-256 {digest}"),
            )?;
        }
        row(
            "made from",
            &config.source_image_id.as_deref().unwrap_or("(unknown)"),
        )?;
        let made_by = self.made_by.as_ref().map(|version| format!("nacre {version}"));
        row("made by", &made_by.as_deref().unwrap_or("(unknown)"))?;
        let sizes = &self.sizes;
        row(
            "size",
            &format!(
                "root file system {}, enclave {} ({} pages), host runtime {}",
                ByteSize(sizes.rootfs),
                ByteSize(sizes.enclave),
                sizes.enclave_pages,
                ByteSize(sizes.host_runtime)
            ),
        )?;
        row(
            "layer",
            &match self.compression {
                None => "not compressed: runs where it is".into(),
                Some(name) => format!("compressed ({name}): runs from an unpacked copy"),
            },
        )?;
        for remark in &self.outside {
            row("outside", remark)?;
        }
        row(
            "system calls",
            &format!("{} replaced", self.call_sites.as_deref().unwrap_or("(unknown)")),
        )?;
        Ok(())
    }
}

impl Configuration {
    pub fn new(config: &Config) -> Self {
        let [published_loopback, host_loopback] = match &config.loopback {
            Loopback::OfContainer(ports) => {
                [&ports.published, &ports.reached].map(|ports| ports.iter().map(Port::to_string).collect())
            }
            Loopback::OfHost => [vec!["*".into()], vec!["*".into()]],
        };
        Self {
            args: texts(&config.args),
            env: texts(&config.env),
            working_dir: text(&config.cwd),
            uid: config.user.uid,
            gid: config.user.gid,
            groups: config.user.groups.clone(),
            hostname: text(&config.hostname),
            name_servers: match &config.resolver {
                Resolver::Servers(servers) => texts(servers),
                Resolver::OfHost => vec!["*".into()],
            },
            published_loopback,
            host_loopback,
            stop_signal: config.stop_signal,
            host_may_send: (1..=64)
                .filter(|&signal| config.host_signals.has(signal))
                .map(signal_name)
                .collect(),
            host_may_set_args: config.allow_args,
            host_may_set_env: match &config.host_env {
                HostEnv::Names(names) => texts(names),
                HostEnv::Any => vec!["*".into()],
            },
            debug: config.debug,
            memory: config.memory,
            threads: config.threads,
            volumes: texts(&config.volumes),
            rootfs_hash: lower::encode_string(&config.rootfs.root_hash),
            image_key: config.rootfs.key_id.map(|id| id.to_string()),
            broker_ca: config
                .broker
                .as_ref()
                .map(|broker| lower::encode_string(&Sha256::digest(&broker.authority))),
            source_image_id: config
                .source_digest
                .map(|digest| format!("sha256:{}", lower::encode_string(&digest))),
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn texts(list: &[Vec<u8>]) -> Vec<String> {
    list.iter().map(|bytes| text(bytes)).collect()
}

fn length(package: &Package, part: Part) -> u64 {
    package.locate(part).map_or(0, |located| located.len)
}
