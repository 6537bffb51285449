//! Image archives. Both kinds are an OCI image layout in a tar archive with a `manifest.json` in addition, which is what
//! `docker save` has written since Docker 25. So annotations survive in both, and `docker load` and `podman load` take
//! both. They differ in the names that an image may have, and in what the layout calls it: a docker-archive says the
//! tag, as Docker does, an oci-archive the whole reference.

use std::os::unix::fs::FileExt;
use std::path::Path;

use super::{
    Attachment, Documents, LAYOUT, LAYOUT_FILE, NewImage, WriteError, WrittenImage, blob_name, json, layer,
};
use crate::manifest::{CONTAINERD_NAME, DockerImage, INDEX, Index, REF_NAME};
use crate::reference::{ImageRef, Transport, canonical_name};
use crate::tar::emit::{self, ALIGNMENT};
use crate::unfinished::Unfinished;

/// The layer comes first, after a comment and its header, which fill one page. Its name is its digest, so the
/// header is written when the layer is complete.
const LAYER_OFFSET: u64 = ALIGNMENT;

pub(super) fn write(
    place: &ImageRef,
    image: NewImage<'_>,
    attach: &dyn Fn(&WrittenImage) -> Vec<Attachment>,
    progress: &mut dyn FnMut(u64),
) -> Result<WrittenImage, WriteError> {
    let path = place.path.as_path();
    let tag = docker_tag(place)?;
    let dir = directory_of(path);
    let archive = Unfinished::create(dir).map_err(WriteError::target(path))?;

    let layer = layer::write(image.files, archive.file(), LAYER_OFFSET, path, progress)?;
    let mut documents = Documents::new(
        image.config,
        image.annotations,
        place.reference.as_deref(),
        &layer,
        attach,
    );
    if let Some(tag) = &tag {
        let annotations = &mut documents.descriptor.annotations;
        if place.transport == Transport::DockerArchive {
            annotations.insert(REF_NAME.to_owned(), tag.tag.clone());
        }
        annotations.insert(CONTAINERD_NAME.to_owned(), tag.canonical.clone());
    }
    let layer_name = blob_name(layer.digest);
    let head = emit::aligned_file(&layer_name, 0o644, layer.len, 0)?;
    let config_name = blob_name(documents.written.config_digest);
    let index = Index {
        schema_version: 2,
        media_type: INDEX.to_owned(),
        manifests: [&documents.descriptor]
            .into_iter()
            .chain(documents.referrers.iter().map(|referrer| &referrer.descriptor))
            .cloned()
            .collect(),
    };
    let list = [DockerImage {
        config: config_name.clone(),
        repo_tags: tag.into_iter().map(|tag| tag.name).collect(),
        layers: vec![layer_name],
    }];
    let attached = documents.attached_blobs();
    let mut members = vec![
        (config_name, documents.config.clone()),
        (
            blob_name(documents.written.manifest_digest),
            documents.manifest.clone(),
        ),
    ];
    members.extend(
        attached
            .into_iter()
            .map(|(digest, bytes)| (blob_name(digest), bytes.to_vec())),
    );
    members.extend([
        ("index.json".to_owned(), json(&index)),
        (LAYOUT_FILE.to_owned(), LAYOUT.to_vec()),
        ("manifest.json".to_owned(), json(&list)),
    ]);
    let mut tail = emit::content_padding(layer.len).to_vec();
    for (name, bytes) in members {
        let len = bytes.len() as u64;
        tail.extend(emit::file(&name, 0o644, len)?);
        tail.extend(bytes);
        tail.extend(emit::content_padding(len));
    }
    tail.extend(emit::END);

    let write_at = |bytes: &[u8], offset| {
        archive
            .file()
            .write_all_at(bytes, offset)
            .map_err(WriteError::target(path))
    };
    write_at(&head, 0)?;
    write_at(&tail, LAYER_OFFSET + layer.len)?;
    archive.publish(path).map_err(WriteError::target(path))?;
    Ok(documents.written)
}

/// An archive takes the place of a file only: a device would be lost.
pub(super) fn check_target(place: &ImageRef) -> Result<(), WriteError> {
    docker_tag(place)?;
    let path = place.path.as_path();
    let dir = directory_of(path);
    if !dir.is_dir() {
        return Err(WriteError::NoDirectory {
            path: path.into(),
            dir: dir.into(),
        });
    }
    match path.metadata() {
        Ok(metadata) if metadata.is_dir() => {
            Err(WriteError::target(path)(std::io::ErrorKind::IsADirectory.into()))
        }
        Ok(metadata) if !metadata.is_file() => Err(WriteError::NotAFile { path: path.into() }),
        _ => Ok(()),
    }
}

fn directory_of(path: &Path) -> &Path {
    path.parent()
        .filter(|dir| !dir.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// The image's name for Docker. In an oci-archive, it may have one that Docker would not accept.
fn docker_tag(place: &ImageRef) -> Result<Option<DockerTag>, WriteError> {
    let tag = place.reference.as_deref().map(DockerTag::new).transpose();
    match place.transport {
        Transport::DockerArchive => tag,
        _ => Ok(tag.unwrap_or_default()),
    }
}

/// A name as Docker accepts it.
struct DockerTag {
    /// As `docker images` shows it, always with a tag.
    name: String,
    /// With registry.
    canonical: String,
    tag: String,
}

impl DockerTag {
    fn new(name: &str) -> Result<Self, WriteError> {
        let bad = || WriteError::BadReference(name.to_owned());
        let canonical = canonical_name(name);
        let (repository, tag) = canonical.rsplit_once(':').ok_or_else(bad)?;
        let is_repository = |c: char| {
            c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-' | '/' | ':')
        };
        let is_part = |part: &str| {
            let is_edge = |c: char| c.is_ascii_alphanumeric();
            part.starts_with(is_edge) && part.ends_with(is_edge)
        };
        let is_tag = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if !repository.chars().all(is_repository)
            || !repository.split('/').all(is_part)
            || !(1..=128).contains(&tag.len())
            || !tag.chars().all(is_tag)
            || tag.starts_with(['.', '-'])
        {
            return Err(bad());
        }
        let tag = tag.to_owned();
        let has_tag = name.ends_with(&format!(":{tag}"));
        Ok(Self {
            name: if has_tag {
                name.to_owned()
            } else {
                format!("{name}:{tag}")
            },
            canonical,
            tag,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_tags() {
        let name = |name| DockerTag::new(name).map(|tag| (tag.name, tag.canonical)).ok();
        let some = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
        assert_eq!(
            name("redis"),
            some("redis:latest", "docker.io/library/redis:latest")
        );
        assert_eq!(
            name("latest"),
            some("latest:latest", "docker.io/library/latest:latest")
        );
        assert_eq!(name("r:5000/a/b:1.0"), some("r:5000/a/b:1.0", "r:5000/a/b:1.0"));
        for bad in ["Redis", "a//b", "a:", "-a", "a:.b", "a@sha256:00", "/a"] {
            assert!(name(bad).is_none(), "{bad}");
        }
    }
}
