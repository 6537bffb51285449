//! The files of a confidential image: how they are written, and found again.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use enclave_config::Rootfs;
use oci_image::{
    Annotations, Attachment, ContainerConfig, ImageConfig, ImageRef, ImageSource, LayerFile, LocatedFile,
    NewImage,
};
use oci_image::{WriteError, WrittenImage};
use rootfs_image::Written;
use sgx_arch::SigStruct;
use sgx_sign::{MrEnclave, PublicKey};

use crate::call_sites::Coverage;
use crate::{Progress, Silent, Stage};

/// A file of a confidential image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The host runtime, a static program: the image's entry point.
    HostRuntime,
    /// The enclave (SGXS).
    Enclave,
    /// Its SIGSTRUCT.
    Signature,
    /// The canonical bytes of its configuration, a copy of those in the enclave.
    Config,
    /// The root file system.
    Rootfs,
    /// The program that asks a key broker, in images that one provisions.
    Init,
}

impl Part {
    /// Those that every image has.
    pub const ALWAYS: [Self; 5] = [
        Self::HostRuntime,
        Self::Enclave,
        Self::Signature,
        Self::Config,
        Self::Rootfs,
    ];

    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::HostRuntime,
        Self::Enclave,
        Self::Signature,
        Self::Config,
        Self::Rootfs,
        Self::Init,
    ];

    /// Path in the image, without a leading slash.
    pub fn path(self) -> &'static str {
        match self {
            Self::HostRuntime => "nacre/nacre-host",
            Self::Enclave => "nacre/enclave.sgxs",
            Self::Signature => "nacre/enclave.sig",
            Self::Config => "nacre/enclave.config",
            Self::Rootfs => "nacre/rootfs.img",
            Self::Init => "nacre/nacre-init",
        }
    }

    /// Longest that is read into memory, in bytes; the root file system never is.
    fn max_len(self) -> u64 {
        match self {
            Self::HostRuntime | Self::Enclave => 256 << 20,
            Self::Signature => SigStruct::SIZE as u64,
            Self::Config => enclave_config::MAX_ENCODED as u64,
            Self::Rootfs => 0,
            Self::Init => enclave_config::MAX_INIT,
        }
    }
}

/// Labels, and annotations of the manifest, that describe a confidential image. For people and tools that list images:
/// whoever relies on them has to check the enclave itself.
pub mod label {
    /// What all of them begin with.
    pub const PREFIX: &str = "nacre.";
    /// MRENCLAVE, in hexadecimal.
    pub const MR_ENCLAVE: &str = "nacre.mrenclave";
    /// MRSIGNER, in hexadecimal.
    pub const MR_SIGNER: &str = "nacre.mrsigner";
    /// System calls of the image's programs that are replaced by jumps, and all of them: `526/527`.
    pub const CALL_SITES: &str = "nacre.callsites";
    /// The ID of the source image: the digest of its configuration.
    pub const SOURCE: &str = "nacre.source";
    /// The version of nacre that converted it.
    pub const VERSION: &str = "nacre.version";
}

/// A confidential image that has been found.
#[derive(Clone, Debug)]
pub struct Package {
    image: ImageConfig,
    files: [LocatedFile; 5],
    init: Option<LocatedFile>,
    outside: Outside,
}

/// What was done to a confidential image after its conversion, for instance by a Dockerfile that begins with it. The
/// enclave is what it was: it has none of this.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outside {
    /// Files other than those of the confidential image, without a leading slash.
    pub files: Vec<PathBuf>,
    /// What the image's configuration says to the programs in it, by the names of the fields (`Env`).
    pub settings: Vec<&'static str>,
    /// The entry point, if it does not run the enclave any more.
    pub entry_point: Option<Vec<String>>,
}

impl Outside {
    fn of(image: &ContainerConfig, files: Vec<PathBuf>) -> Self {
        let set = [
            ("User", !image.user.is_empty()),
            ("Env", !image.env.is_empty()),
            ("Cmd", !image.cmd.is_empty()),
            ("WorkingDir", !matches!(image.working_dir.as_str(), "" | "/")),
            ("Volumes", !image.volumes.is_empty()),
        ];
        let runs_the_enclave = image
            .entrypoint
            .first()
            .is_some_and(|program| program == &host_path());
        Self {
            files,
            settings: set
                .iter()
                .filter(|(_, is_set)| *is_set)
                .map(|(name, _)| *name)
                .collect(),
            entry_point: (!runs_the_enclave)
                .then(|| image.entrypoint.iter().chain(&image.cmd).cloned().collect()),
        }
    }
}

/// Why an image is not a confidential one, or a part of it cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// The image cannot be opened.
    #[error(transparent)]
    Source(#[from] oci_image::SourceError),
    /// An image that nacre did not write.
    #[error("{0} is not a confidential image (convert it with `nacre convert`)")]
    Plain(ImageRef),
    /// A confidential image whose files cannot be reached where they are.
    #[error("{0}: {1}")]
    Locate(ImageRef, #[source] oci_image::LocateError),
    /// A part is missing.
    #[error("{0} is damaged: it has no /{path}", path = .1.path())]
    Missing(ImageRef, Part),
    /// A part that not every image has.
    #[error("the image has no /{path}", path = .0.path())]
    None(Part),
    /// A part is longer than it can be.
    #[error("the image is damaged: /{path} is {1} bytes long", path = .0.path())]
    TooLong(Part, u64),
    /// A part cannot be read.
    #[error("cannot read /{path} of the image", path = .0.path())]
    Read(Part, #[source] io::Error),
}

impl Package {
    /// Finds the parts of a confidential image. A compressed layer is unpacked to a temporary file.
    pub fn open(place: &ImageRef) -> Result<Self, PackageError> {
        Self::find(&ImageSource::open(place)?, None, &mut Silent)
    }

    /// Finds the parts in an image that has been opened. Reads headers only, so the time does not grow with the image,
    /// unless a layer is compressed: that is unpacked first, into the directory `kept_in`, where the next call finds it.
    pub fn find(
        source: &ImageSource,
        kept_in: Option<&Path>,
        progress: &mut dyn Progress,
    ) -> Result<Self, PackageError> {
        let place = source.place();
        if !is_confidential(source) {
            return Err(PackageError::Plain(place.clone()));
        }
        progress.begin(Stage::Layers, source.layers_len());
        let located = source
            .locate(&Part::ALL.map(Part::path), kept_in, &mut |at| progress.at(at))
            .map_err(|error| PackageError::Locate(place.clone(), error))?;
        let mut found = located.files.into_iter();
        let mut files = Vec::new();
        for (part, file) in Part::ALWAYS.into_iter().zip(&mut found) {
            files.push(file.ok_or_else(|| PackageError::Missing(place.clone(), part))?);
        }
        let files = files
            .try_into()
            .map_err(|_| PackageError::Missing(place.clone(), Part::Rootfs))?;
        Ok(Self {
            image: source.config().clone(),
            files,
            init: found.next().flatten(),
            outside: Outside::of(&source.config().config, located.others),
        })
    }

    /// What is in the image, and not in the enclave.
    pub fn outside(&self) -> &Outside {
        &self.outside
    }

    /// The image's own configuration document, labels among it.
    pub fn image(&self) -> &ImageConfig {
        &self.image
    }

    /// Where a part is; `None` for [`Part::Init`] in an image that no key broker provisions.
    pub fn locate(&self, part: Part) -> Option<&LocatedFile> {
        let [host, enclave, signature, config, rootfs] = &self.files;
        match part {
            Part::HostRuntime => Some(host),
            Part::Enclave => Some(enclave),
            Part::Signature => Some(signature),
            Part::Config => Some(config),
            Part::Rootfs => Some(rootfs),
            Part::Init => self.init.as_ref(),
        }
    }

    /// Where the root file system is.
    pub fn rootfs(&self) -> &LocatedFile {
        let [.., rootfs] = &self.files;
        rootfs
    }

    /// The bytes of a part (not of the root file system, which may be large).
    ///
    /// # Errors
    /// It cannot be read, or the image has no such part.
    pub fn read(&self, part: Part) -> Result<Vec<u8>, PackageError> {
        let located = self.locate(part).ok_or(PackageError::None(part))?;
        let len = located.len;
        if len > part.max_len() {
            return Err(PackageError::TooLong(part, len));
        }
        let mut bytes = Vec::new();
        let read = PartReader::new(located).read_to_end(&mut bytes);
        match read {
            Ok(read) if read as u64 == len => Ok(bytes),
            Ok(_) => Err(PackageError::Read(part, io::ErrorKind::UnexpectedEof.into())),
            Err(error) => Err(PackageError::Read(part, error)),
        }
    }

    /// Reads all of the root file system. `None` if it is what this configuration says, or else what is wrong with it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn rootfs_damage(&self, rootfs: &Rootfs) -> Result<Option<&'static str>, PackageError> {
        let written = Written {
            root_hash: rootfs.root_hash,
            data_blocks: rootfs.data_blocks,
            hash_offset: rootfs.hash_offset,
            image_len: rootfs.total_len,
            extra: rootfs_image::Extent {
                offset: rootfs.callsites.offset,
                len: rootfs.callsites.len,
            },
        };
        let damage = rootfs_image::damage(PartReader::new(self.rootfs()), &written, &rootfs.salt);
        damage.map_err(|error| PackageError::Read(Part::Rootfs, io::Error::other(error)))
    }

    /// Writes the same image with another signature.
    pub fn write_resigned(
        &self,
        target: &ImageRef,
        signature: &SigStruct,
        progress: &mut dyn FnMut(u64),
    ) -> Result<WrittenImage, ResignError> {
        let init = self.init.as_ref().map(|_| self.read(Part::Init)).transpose()?;
        let parts = Parts {
            host_runtime: &self.read(Part::HostRuntime)?,
            init: init.as_deref(),
            enclave: &self.read(Part::Enclave)?,
            signature,
            config: &self.read(Part::Config)?,
            rootfs_len: self.rootfs().len,
            rootfs: Box::new(PartReader::new(self.rootfs())),
        };
        let labels = self
            .image
            .config
            .labels
            .iter()
            .filter(|(name, _)| name.starts_with(label::PREFIX));
        let annotations = labels
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let mut described = Described {
            config: self.image.clone(),
            annotations,
        };
        described.set_signature(signature);
        Ok(write(target, parts, described, &|_| Vec::new(), progress)?)
    }
}

/// Reads a range of a file, whatever others read of it.
struct PartReader {
    file: Arc<File>,
    position: u64,
    left: u64,
}

impl PartReader {
    fn new(located: &LocatedFile) -> Self {
        Self {
            file: located.open.clone(),
            position: located.offset,
            left: located.len,
        }
    }
}

impl Read for PartReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let count = self
            .file
            .read_at(buffer.get_mut(..len).unwrap_or_default(), self.position)?;
        self.position += count as u64;
        self.left -= count as u64;
        Ok(count)
    }
}

/// Whether an image says of itself that it is a confidential one, by its label or by its entry point: a tool may drop
/// the one, a Dockerfile may replace the other.
pub(crate) fn is_confidential(source: &ImageSource) -> bool {
    let config = &source.config().config;
    config.labels.contains_key(label::MR_ENCLAVE)
        || config
            .entrypoint
            .first()
            .is_some_and(|program| program == &host_path())
}

/// The host runtime in a container.
fn host_path() -> String {
    format!("/{}", Part::HostRuntime.path())
}

/// Why an image with another signature cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum ResignError {
    /// A part cannot be read.
    #[error(transparent)]
    Read(#[from] PackageError),
    /// The image cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// The contents of a confidential image.
pub(crate) struct Parts<'a> {
    pub(crate) host_runtime: &'a [u8],
    pub(crate) init: Option<&'a [u8]>,
    pub(crate) enclave: &'a [u8],
    pub(crate) signature: &'a SigStruct,
    pub(crate) config: &'a [u8],
    pub(crate) rootfs_len: u64,
    pub(crate) rootfs: Box<dyn Read + 'a>,
}

impl Parts<'_> {
    pub(crate) fn len(&self) -> u64 {
        let init = self.init.map_or(0, <[u8]>::len);
        let small = self.host_runtime.len() + init + self.enclave.len() + SigStruct::SIZE + self.config.len();
        small as u64 + self.rootfs_len
    }
}

/// What an image says about itself.
pub(crate) struct Described {
    config: ImageConfig,
    annotations: Annotations,
}

impl Described {
    fn set(&mut self, label: &str, value: String) {
        self.config.config.labels.insert(label.into(), value.clone());
        self.annotations.insert(label.into(), value);
    }

    fn set_signature(&mut self, signature: &SigStruct) {
        self.set(label::MR_ENCLAVE, MrEnclave(signature.enclave_hash).to_string());
        if let Some(key) = PublicKey::of(signature) {
            self.set(label::MR_SIGNER, key.mr_signer().to_string());
        }
    }
}

/// The description of the confidential image of a plain one: what concerns those who run it stays, what concerns the
/// program alone is in the measured configuration.
pub(crate) fn describe(source: &ImageSource, signature: &SigStruct, coverage: &Coverage) -> Described {
    let plain = source.config();
    let config = ContainerConfig {
        // What follows is the program's: `docker run IMAGE --save ""`.
        entrypoint: vec![host_path(), "--".into()],
        exposed_ports: plain.config.exposed_ports.clone(),
        labels: plain.config.labels.clone(),
        stop_signal: plain.config.stop_signal.clone(),
        ..ContainerConfig::default()
    };
    let mut described = Described {
        config: ImageConfig {
            created: plain.created.clone(),
            config,
            ..ImageConfig::default()
        },
        annotations: Annotations::new(),
    };
    described.set_signature(signature);
    described.set(label::SOURCE, source.config_digest().to_string());
    described.set(label::VERSION, env!("CARGO_PKG_VERSION").to_owned());
    described.set(
        label::CALL_SITES,
        format!("{}/{}", coverage.counts.patched(), coverage.counts.sites()),
    );
    described
}

pub(crate) fn write(
    target: &ImageRef,
    parts: Parts,
    described: Described,
    attach: &dyn Fn(&WrittenImage) -> Vec<Attachment>,
    progress: &mut dyn FnMut(u64),
) -> Result<WrittenImage, WriteError> {
    let signature = parts.signature.to_bytes();
    let mut files = vec![
        LayerFile::from_bytes(Part::HostRuntime.path(), 0o755, parts.host_runtime),
        LayerFile::from_bytes(Part::Enclave.path(), 0o644, parts.enclave),
        LayerFile::from_bytes(Part::Signature.path(), 0o644, &signature),
        LayerFile::from_bytes(Part::Config.path(), 0o644, parts.config),
    ];
    files.extend(
        parts
            .init
            .map(|init| LayerFile::from_bytes(Part::Init.path(), 0o644, init)),
    );
    // Last, as it is large.
    files.push(LayerFile {
        path: Part::Rootfs.path().into(),
        mode: 0o644,
        len: parts.rootfs_len,
        content: parts.rootfs,
    });
    let image = NewImage {
        config: described.config,
        annotations: described.annotations,
        files,
    };
    oci_image::write_attached(target, image, attach, progress)
}
