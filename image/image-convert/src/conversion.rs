//! Converts one image into one confidential image.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use enclave_config::{Config, Init, Rootfs};
use oci_image::{ImageRef, ImageSource, Kind, Limits, Tree, WrittenImage, sparse_file};
use sector_cipher::{ImageKey, SectorCipher};
use sgx_sign::{Layout, Libos, MrEnclave, MrSigner, Signer, Unsigned};
use sha2::{Digest as _, Sha256};

use crate::attest::{Attached, Attest, Documents};
use crate::call_site_cache::CallSiteCache;
use crate::call_sites::{self, Coverage};
use crate::container::{self, Facts};
use crate::package::{self, Parts};
use crate::room::Room;
use crate::tree_source::TreeSource;
use crate::{ConvertError, Options, Progress, Stage};

/// Longest /etc/passwd or /etc/group that is read, in bytes.
const MAX_ACCOUNTS_LEN: u64 = 16 << 20;

/// What dm-verity hashes before each block. The tree is no secret and its root is measured, so no salt is needed; this one is
/// containerd's, so that its nodes compute the same root over the same file system.
const SALT: [u8; 32] = [0; 32];

/// What to convert, into what, and how.
pub struct Conversion<'a> {
    /// The image to convert.
    pub source: &'a ImageSource,
    /// Where the confidential image goes; what is there is replaced when it is complete.
    pub target: &'a ImageRef,
    /// The options of the conversion.
    pub options: &'a Options,
    /// Signs the enclave.
    pub key: &'a dyn Signer,
    /// Encrypts the root file system, if it is to be encrypted.
    pub image_key: Option<&'a ImageKey>,
    /// Whether documents about the image are attached to it, and what they say of its source.
    pub attest: Option<Attest>,
    /// Most bytes that all files together may have, and each layer when it is uncompressed; none for the default of
    /// [`Limits`].
    pub max_size: Option<u64>,
    /// What is known of programs from earlier conversions. It changes the time, and nothing else.
    pub cache: Option<&'a CallSiteCache>,
    /// The LibOS's ELF file.
    pub libos: &'a [u8],
    /// The host runtime's executable.
    pub host_runtime: &'a [u8],
    /// The program that asks a key broker, which goes into images that one provisions.
    pub init: &'a [u8],
}

/// What a conversion has made.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Measurement of the enclave.
    pub mr_enclave: MrEnclave,
    /// Identity of the signer.
    pub mr_signer: MrSigner,
    /// System calls in the image's programs and libraries.
    pub coverage: Coverage,
    /// Bytes of the source's layers as they are stored.
    pub layers_len: u64,
    /// Bytes of the root file system.
    pub rootfs_len: u64,
    /// Bytes of the enclave file.
    pub enclave_len: u64,
    /// The image that was written.
    pub image: WrittenImage,
    /// What was attached to it, if that was asked for.
    pub attached: Option<Attached>,
    /// What the image asked for and does not get, in sentences.
    pub left_out: Vec<&'static str>,
}

impl Conversion<'_> {
    /// Converts. On failure nothing is left at the target.
    pub fn run(&self, progress: &mut dyn Progress) -> Result<Summary, ConvertError> {
        let libos = Libos::parse(self.libos)?;
        let image = self.source;
        if image.place().would_be_replaced_by(self.target) {
            return Err(ConvertError::OntoItself(self.target.clone()));
        }
        if package::is_confidential(image) {
            return Err(ConvertError::Confidential(image.place().clone()));
        }
        oci_image::check_target(self.target)?;

        let spool_dir = spool_dir(self.target);
        let room = Room::new(&spool_dir, self.target);
        room.for_layers(image)?;
        let mut limits = Limits::default();
        limits.content_len = self.max_size.unwrap_or(limits.content_len);
        progress.begin(Stage::Layers, image.layers_len());
        let tree = Tree::build(image, &spool_dir, &limits, &mut |at| progress.at(at))?;

        let spool_failed = |error| ConvertError::Spool(spool_dir.clone(), error);
        let rootfs = tempfile::tempfile_in(&spool_dir).map_err(spool_failed)?;
        let (written, coverage) =
            write_rootfs(&tree, &rootfs, &room, self, progress).map_err(|error| match error {
                ConvertError::Rootfs(rootfs_image::Error::Write(error)) => spool_failed(error),
                error => error,
            })?;

        let documents = match &self.attest {
            Some(attest) => Some(Documents::new(attest, self, &tree)?),
            None => None,
        };
        let config = configure(image, &tree, self.options, written, init(self.init))?;
        let mut sgxs = Vec::new();
        let mr_enclave = Layout::new(&libos, &config)?
            .write(&mut sgxs)
            .map_err(ConvertError::Layout)?;
        let signature = Unsigned::new(mr_enclave, config.debug, &self.options.sign).sign(self.key)?;

        let parts = Parts {
            host_runtime: self.host_runtime,
            init: config.broker.is_some().then_some(self.init),
            enclave: &sgxs,
            signature: &signature,
            config: &config.encode()?,
            rootfs_len: config.rootfs.total_len,
            rootfs: Box::new(rootfs),
        };
        progress.begin(Stage::Image, parts.len());
        let described = package::describe(image, &signature, &coverage);
        let mr_signer = self.key.public().mr_signer();
        let attach = |written: &WrittenImage| match &documents {
            Some(documents) => documents.about(written, mr_enclave, mr_signer),
            None => Vec::new(),
        };
        let written = package::write(self.target, parts, described, &attach, &mut |at| progress.at(at))?;
        Ok(Summary {
            mr_enclave,
            mr_signer,
            coverage,
            layers_len: image.layers_len(),
            rootfs_len: config.rootfs.total_len,
            enclave_len: sgxs.len() as u64,
            image: written,
            attached: documents.map(|documents| documents.attached),
            left_out: container::left_out(&image.config().config),
        })
    }
}

fn init(program: &[u8]) -> Init {
    Init {
        digest: Sha256::digest(program).into(),
        len: program.len() as u64,
    }
}

/// The configuration that a conversion of this image would measure, but for its root file system, which is left empty.
/// `tree` has the image's files.
///
/// # Errors
/// As a conversion would fail: the image's user, stop signal or working directory cannot be used.
pub fn configuration(image: &ImageSource, tree: &Tree, options: &Options) -> Result<Config, ConvertError> {
    let rootfs = Rootfs {
        root_hash: [0; 32],
        data_blocks: 0,
        hash_offset: 0,
        salt: Vec::new(),
        total_len: 0,
        callsites: enclave_config::Extent::default(),
        key_id: None,
    };
    configure(image, tree, options, rootfs, init(&[]))
}

fn configure(
    image: &ImageSource,
    tree: &Tree,
    options: &Options,
    rootfs: Rootfs,
    init: Init,
) -> Result<Config, ConvertError> {
    let facts = Facts {
        passwd: &read_file(tree, "/etc/passwd")?,
        group: &read_file(tree, "/etc/group")?,
        rootfs,
        source_digest: Some(*image.config_digest().as_bytes()),
        init,
    };
    Ok(container::configure(&image.config().config, options, facts)?)
}

/// Where large intermediate files go: `$TMPDIR`, or beside the target, where there is room for the result. They have
/// no name, so nothing is left of them however this process ends.
fn spool_dir(target: &ImageRef) -> PathBuf {
    // A layout's directory, and those above it, may have to be made first.
    let beside = || {
        let parents = target.path.ancestors().skip(1);
        parents
            .filter(|parent| !parent.as_os_str().is_empty())
            .find(|parent| parent.is_dir())
            .map(Path::to_owned)
    };
    std::env::var_os("TMPDIR")
        .map(PathBuf::from)
        .or_else(beside)
        .unwrap_or_else(|| ".".into())
}

/// Writes the root file system's image to `file`, which stays at its beginning.
fn write_rootfs(
    tree: &Tree,
    file: &File,
    room: &Room,
    conversion: &Conversion<'_>,
    progress: &mut dyn Progress,
) -> Result<(Rootfs, Coverage), ConvertError> {
    let key = conversion.image_key;
    let source = TreeSource(tree);
    let layout = rootfs_image::Layout::new(&source)?;
    // Encrypted zeros are none.
    room.for_rootfs(match key {
        Some(_) => layout.image_len(0),
        None => tree.data_len().map_err(ConvertError::ReadSpool)?,
    })?;
    let (maps, coverage) = call_sites::find(tree, &layout, conversion.cache, progress)?;

    progress.begin(Stage::RootFs, layout.image_len(maps.len() as u64));
    let out = SparseFile {
        file,
        written: 0,
        progress,
    };
    let written = layout.write(
        &source,
        &rootfs_image::Options {
            salt: &SALT,
            cipher: key.map(SectorCipher::new).as_ref(),
            extra: &maps,
        },
        out,
    )?;
    // It may end with zeros, which were left out.
    file.set_len(written.image_len)
        .map_err(|error| ConvertError::Rootfs(rootfs_image::Error::Write(error)))?;
    let rootfs = Rootfs {
        root_hash: written.root_hash,
        data_blocks: written.data_blocks,
        hash_offset: written.hash_offset,
        salt: SALT.to_vec(),
        total_len: written.image_len,
        callsites: enclave_config::Extent {
            offset: written.extra.offset,
            len: written.extra.len,
        },
        key_id: key.map(ImageKey::id),
    };
    Ok((rootfs, coverage))
}

/// A small file of the image, empty if it is not there. Links are followed inside the image, as container engines do.
/// What cannot be read is refused: without it, the program would run as another user than elsewhere.
fn read_file(tree: &Tree, path: &'static str) -> Result<Vec<u8>, ConvertError> {
    let refused = |problem: &str| ConvertError::Accounts(path, problem.to_owned());
    let found = tree
        .follow(path.as_bytes())
        .map_err(|limit| refused(&limit.to_string()))?;
    let mut bytes = Vec::new();
    match found.map(|id| &tree.inode(id).kind) {
        None => {}
        Some(Kind::File(content)) if content.len() <= MAX_ACCOUNTS_LEN => {
            io::copy(&mut tree.open(content), &mut bytes).map_err(ConvertError::ReadSpool)?;
        }
        Some(Kind::File(_)) => return Err(refused("it is larger than 16 MiB")),
        Some(_) => return Err(refused("it is not a regular file")),
    }
    Ok(bytes)
}

/// Writes a new file from its beginning, without zeros, and tells how much has been written.
struct SparseFile<'a> {
    file: &'a File,
    written: u64,
    progress: &'a mut dyn Progress,
}

impl Write for SparseFile<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        sparse_file::write_at(self.file, bytes, self.written)?;
        self.written += bytes.len() as u64;
        self.progress.at(self.written);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
