//! Builds images for the tests, by an independent writer of archives (the `tar` crate) and by hand.
#![expect(dead_code, reason = "each test file uses a part of it")]

use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use oci_image::{Digest, ImageRef, ImageSource, InodeId, Kind, Limits, LocatedFile, Tree, TreeError};
use serde_json::{Value, json};

pub const TAR: &str = "application/vnd.oci.image.layer.v1.tar";
pub const TAR_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
pub const TAR_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A tar archive under construction.
pub struct Layer(tar::Builder<Vec<u8>>);

impl Layer {
    pub fn new() -> Self {
        Self(tar::Builder::new(Vec::new()))
    }

    pub fn dir(self, path: &str) -> Self {
        self.dir_mode(path, 0o755)
    }

    pub fn dir_mode(self, path: &str, mode: u32) -> Self {
        self.entry(path, tar::EntryType::Directory, b"", |header| {
            header.set_mode(mode)
        })
    }

    pub fn file(self, path: &str, content: &[u8]) -> Self {
        self.entry(path, tar::EntryType::Regular, content, |_| {})
    }

    pub fn symlink(self, path: &str, target: &str) -> Self {
        self.entry(path, tar::EntryType::Symlink, b"", |header| {
            set_link(header, target)
        })
    }

    pub fn hard_link(self, path: &str, target: &str) -> Self {
        self.entry(path, tar::EntryType::Link, b"", |header| set_link(header, target))
    }

    pub fn fifo(self, path: &str) -> Self {
        self.entry(path, tar::EntryType::Fifo, b"", |_| {})
    }

    /// Records for the entry that follows.
    pub fn pax(mut self, records: &[(&str, &[u8])]) -> Self {
        self.0.append_pax_extensions(records.iter().copied()).unwrap();
        self
    }

    /// An entry whose path is stored exactly as given, even if it is one that the tar crate would refuse.
    pub fn entry(
        mut self,
        path: &str,
        kind: tar::EntryType,
        content: &[u8],
        change: impl FnOnce(&mut tar::Header),
    ) -> Self {
        let mut header = tar::Header::new_ustar();
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1_000_000_000);
        header.set_size(content.len() as u64);
        change(&mut header);
        header.set_cksum();
        self.0.append(&header, content).unwrap();
        self
    }

    pub fn build(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }
}

fn set_link(header: &mut tar::Header, target: &str) {
    header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

/// The files of an image layout, by path.
#[derive(Default, Clone)]
pub struct Layout {
    pub files: Vec<(String, Vec<u8>)>,
    pub manifests: Vec<Value>,
}

impl Layout {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a blob and returns its descriptor.
    pub fn blob(&mut self, media_type: &str, bytes: &[u8]) -> Value {
        let digest = Digest::of(bytes);
        self.files
            .push((format!("blobs/sha256/{}", digest.hex()), bytes.to_vec()));
        json!({ "mediaType": media_type, "digest": digest.to_string(), "size": bytes.len() })
    }

    /// Adds an image of layers (media type, uncompressed archive, blob) and returns its manifest's descriptor.
    pub fn image(&mut self, architecture: &str, layers: &[(&str, Vec<u8>, Vec<u8>)]) -> Value {
        let diff_ids: Vec<String> = layers
            .iter()
            .map(|(_, archive, _)| Digest::of(archive).to_string())
            .collect();
        let config = json!({
            "architecture": architecture, "os": "linux",
            "config": { "Entrypoint": ["/app"], "Env": ["A=b"] },
            "rootfs": { "type": "layers", "diff_ids": diff_ids },
        });
        let config = self.blob(
            "application/vnd.oci.image.config.v1+json",
            config.to_string().as_bytes(),
        );
        let layers: Vec<Value> = layers
            .iter()
            .map(|(media_type, _, blob)| self.blob(media_type, blob))
            .collect();
        let manifest =
            json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers });
        self.blob(MANIFEST, manifest.to_string().as_bytes())
    }

    pub fn index(&mut self, manifests: Vec<Value>) -> Value {
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests });
        self.blob(INDEX, index.to_string().as_bytes())
    }

    /// A layout with one image of uncompressed layers.
    pub fn of_layers(layers: &[Vec<u8>]) -> Self {
        let mut layout = Self::new();
        let layers: Vec<_> = layers
            .iter()
            .map(|layer| (TAR, layer.clone(), layer.clone()))
            .collect();
        let manifest = layout.image("amd64", &layers);
        layout.manifests.push(manifest);
        layout
    }

    pub fn all_files(&self) -> Vec<(String, Vec<u8>)> {
        let index = json!({ "schemaVersion": 2, "manifests": self.manifests });
        let mut files = self.files.clone();
        files.push(("index.json".into(), index.to_string().into_bytes()));
        files.push(("oci-layout".into(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec()));
        files
    }

    pub fn write_dir(&self, dir: &Path) {
        for (name, bytes) in self.all_files() {
            let path = dir.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
    }

    pub fn archive(&self) -> Vec<u8> {
        archive(&self.all_files())
    }
}

/// A tar archive of files.
pub fn archive(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    files
        .iter()
        .fold(Layer::new(), |archive, (name, bytes)| archive.file(name, bytes))
        .build()
}

/// What `docker save` wrote before version 25, for one image of uncompressed layers.
pub fn docker_archive(tags: &[&str], layers: &[Vec<u8>]) -> Vec<(String, Vec<u8>)> {
    let diff_ids: Vec<String> = layers.iter().map(|layer| Digest::of(layer).to_string()).collect();
    let config = json!({
        "architecture": "amd64", "os": "linux", "config": { "Cmd": ["/app"], "Entrypoint": null },
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
    })
    .to_string()
    .into_bytes();
    let config_name = format!("{}.json", Digest::of(&config).hex());
    let mut files = vec![(config_name.clone(), config)];
    let mut names = Vec::new();
    for (number, layer) in layers.iter().enumerate() {
        names.push(format!("layer{number}/layer.tar"));
        files.push((names[number].clone(), layer.clone()));
    }
    let list = json!([{ "Config": config_name, "RepoTags": tags, "Layers": names }]);
    files.push(("manifest.json".into(), list.to_string().into_bytes()));
    files
}

/// A directory for one test, and image references into it.
pub struct Scratch(pub tempfile::TempDir);

impl Scratch {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn place(&self, transport: &str, name: &str) -> ImageRef {
        format!("{transport}:{}", self.path(name).display())
            .parse()
            .unwrap()
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    pub fn names(&self) -> Vec<String> {
        let names = std::fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> = names
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

pub fn open_error(place: &ImageRef) -> String {
    ImageSource::open(place).unwrap_err().to_string()
}

pub fn build(image: &ImageSource) -> Result<Tree, TreeError> {
    Tree::build(image, &std::env::temp_dir(), &Limits::default(), &mut |_| {})
}

/// The files at these paths, which must be there.
pub fn locate(image: &ImageSource, paths: &[&str]) -> Vec<LocatedFile> {
    let located = image.locate(paths, None, &mut |_| ()).unwrap();
    located.files.into_iter().map(Option::unwrap).collect()
}

pub fn read_located(located: &LocatedFile) -> Vec<u8> {
    let mut bytes = vec![0; located.len as usize];
    located.open.read_exact_at(&mut bytes, located.offset).unwrap();
    bytes
}

/// The tree of uncompressed layers.
pub fn try_tree(layers: &[Vec<u8>]) -> Result<Tree, String> {
    let scratch = Scratch::new();
    Layout::of_layers(layers).write_dir(&scratch.path("image"));
    let image = ImageSource::open(&scratch.place("oci", "image")).map_err(|error| error.to_string())?;
    build(&image).map_err(|error| error.to_string())
}

pub fn tree(layers: &[Vec<u8>]) -> Tree {
    try_tree(layers).unwrap()
}

pub fn content(tree: &Tree, id: InodeId) -> Vec<u8> {
    let Kind::File(content) = &tree.inode(id).kind else {
        panic!("no file")
    };
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut tree.open(content), &mut bytes).unwrap();
    bytes
}

/// All paths of a tree with what is there: `dir/`, `file=content`, `link->target`.
pub fn listing(tree: &Tree) -> Vec<String> {
    let mut lines = Vec::new();
    let mut pending = vec![(String::new(), InodeId::ROOT)];
    while let Some((path, id)) = pending.pop() {
        match &tree.inode(id).kind {
            Kind::Directory(entries) => {
                lines.push(format!("{path}/"));
                for (name, &id) in entries {
                    let name = name.escape_ascii();
                    let path = if path.is_empty() {
                        name.to_string()
                    } else {
                        format!("{path}/{name}")
                    };
                    pending.push((path, id));
                }
            }
            Kind::File(_) => lines.push(format!("{path}={}", content(tree, id).escape_ascii())),
            Kind::Symlink(target) => lines.push(format!("{path}->{}", target.escape_ascii())),
            kind => lines.push(format!("{path} {kind:?}")),
        }
    }
    lines.retain(|line| line != "/");
    lines.sort();
    lines
}

/// Runs a tool, or says loudly that the test is skipped because the machine lacks it.
pub fn tool(command: &mut Command) -> Option<Output> {
    match command.output() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let name = command.get_program().to_string_lossy().into_owned();
            assert!(
                std::env::var_os("CI").is_none(),
                "{name} is missing, and CI must not skip this test"
            );
            eprintln!("SKIPPED: {name} is not installed (apt-get install {name})");
            None
        }
        Err(error) => panic!("{command:?}: {error}"),
    }
}

/// Runs a tool that must succeed.
pub fn tool_ok(command: &mut Command) -> Option<String> {
    let output = tool(command)?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{command:?}: {text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Some(text)
}

/// What the tool itself makes of the bytes.
pub fn packed(tool: &str, bytes: &[u8]) -> Vec<u8> {
    let mut process = Command::new(tool)
        .arg("-9")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{tool}: {error}: install the packages bzip2 and xz-utils"));
    let mut stdin = process.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&bytes));
    let output = process.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success());
    output.stdout
}
