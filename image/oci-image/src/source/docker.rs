//! docker-archive: `manifest.json` lists images by the paths of their configuration and layers.
//!
//! Since Docker 25 the archive is an OCI image layout as well, and the paths are those of its blobs. The
//! manifest then found there adds its digest and annotations.

use super::{Found, SourceProblem, Store, from_json, layout, read_document};
use crate::blob::Blob;
use crate::digest::{self, Digest};
use crate::manifest::{Annotations, DockerImage};
use crate::reference::canonical_name;

const LIST: &str = "manifest.json";

pub(super) fn find(store: &Store, reference: Option<&str>) -> Result<Found, SourceProblem> {
    let list = store.file(LIST)?.ok_or_else(|| {
        let hint = match store.file("index.json") {
            Ok(Some(_)) => "this is an OCI archive; use oci-archive:",
            _ => "this is not an archive made by docker save (it may be incomplete, or a root file system)",
        };
        SourceProblem::Missing {
            name: LIST.to_owned(),
            hint,
        }
    })?;
    let images: Vec<DockerImage> = from_json(LIST, &read_document(LIST, &list)?)?;
    // A digest is that of a configuration, or of a manifest if the archive is a layout, too.
    let named = reference.and_then(|reference| reference.strip_prefix('@'));
    let by_manifest = match named.and_then(|digest| digest.parse().ok()) {
        Some(digest) => layout::config_of_manifest(store, digest)?.map(|config| format!("@{config}")),
        None => None,
    };
    let image = choose(images, by_manifest.as_deref().or(reference))?;

    let config = read_document("the image configuration", &member(store, &image.config)?)?;
    if let Some(promised) = digest_in_name(&image.config) {
        digest::verify("the image configuration", &config, promised)?;
    }
    let layers = image
        .layers
        .iter()
        .map(|path| Ok((member(store, path)?, None)))
        .collect::<Result<_, SourceProblem>>()?;
    let (manifest_digest, annotations) = match layout::manifest_of_config(store, Digest::of(&config))? {
        Some((digest, annotations)) => (Some(digest), annotations),
        None => (None, Annotations::new()),
    };
    Ok(Found {
        config,
        manifest_digest,
        annotations,
        layers,
    })
}

fn choose(images: Vec<DockerImage>, reference: Option<&str>) -> Result<DockerImage, SourceProblem> {
    let names = || images.iter().flat_map(names).collect::<Vec<_>>();
    let is_wanted = |image: &DockerImage| match reference {
        None => true,
        Some(reference) => match reference.strip_prefix('@') {
            Some(digest) => digest_in_name(&image.config).is_some_and(|own| own.to_string() == digest),
            None => image
                .repo_tags
                .iter()
                .any(|tag| canonical_name(tag) == canonical_name(reference)),
        },
    };
    let mut wanted = images.iter().enumerate().filter(|(_, image)| is_wanted(image));
    let index = match (wanted.next(), wanted.next(), reference) {
        (Some((index, _)), None, _) => index,
        (Some(_), Some(_), _) => return Err(SourceProblem::Ambiguous(names())),
        (None, _, Some(_)) if images.is_empty() => return Err(SourceProblem::Empty),
        (None, _, Some(reference)) => {
            return Err(SourceProblem::NoSuchImage {
                reference: reference.to_owned(),
                names: names(),
            });
        }
        (None, _, None) => return Err(SourceProblem::Empty),
    };
    images.into_iter().nth(index).ok_or(SourceProblem::Empty)
}

/// How a user can name the image.
fn names(image: &DockerImage) -> Vec<String> {
    match (image.repo_tags.as_slice(), digest_in_name(&image.config)) {
        ([], Some(digest)) => vec![format!("@{digest}")],
        ([], None) => vec![format!("(no name, {})", image.config)],
        (tags, _) => tags.to_vec(),
    }
}

/// `<hex>.json` or `blobs/sha256/<hex>`: the configuration is named for its digest.
fn digest_in_name(path: &str) -> Option<Digest> {
    let name = path.rsplit('/').next()?;
    Digest::from_hex(name.strip_suffix(".json").unwrap_or(name))
}

fn member(store: &Store, path: &str) -> Result<Blob, SourceProblem> {
    let hint = "manifest.json names it, so the archive is incomplete";
    store.file(path)?.ok_or_else(|| SourceProblem::Missing {
        name: path.to_owned(),
        hint,
    })
}
