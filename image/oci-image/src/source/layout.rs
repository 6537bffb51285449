//! OCI image layout: `index.json` leads to manifests, directly or by further indexes.

use std::collections::HashSet;

use super::{Found, SourceProblem, Store, from_json, read_document, sha256};
use crate::digest::{AnyDigest, Digest};
use crate::manifest::{
    Annotations, CONTAINERD_NAME, Descriptor, Index, Manifest, Platform, REF_NAME, Target, layer_media_type,
};
use crate::reference::canonical_name;

pub(super) const INDEX: &str = "index.json";
/// An index lists images, each by an index of its platforms; deeper nesting is refused.
const MAX_DEPTH: usize = 4;
const MAX_MANIFESTS: usize = 4096;

pub(super) fn find(store: &Store, reference: Option<&str>) -> Result<Found, SourceProblem> {
    let index = top(store)?.ok_or_else(|| {
        let has = |name| matches!(store.file(name), Ok(Some(_)));
        let hint = match store {
            Store::Dir(_) if has("manifest.json") && has("version") => {
                "this is a directory as skopeo's dir: has it; copy it with skopeo copy dir:PATH oci-archive:FILE"
            }
            Store::Dir(_) if has("manifest.json") => {
                "this is an unpacked archive of docker save; use the archive, with docker-archive:"
            }
            Store::Archive(_) if has("manifest.json") => {
                "this is an archive made by docker save; use docker-archive:"
            }
            _ => "this is not an OCI image layout, or it is incomplete",
        };
        SourceProblem::Missing {
            name: INDEX.to_owned(),
            hint,
        }
    })?;
    let (manifest, document) = choose(store, index, reference)?;
    let config = store.document("the image configuration", &document.config)?;
    let layers = document
        .layers
        .iter()
        .enumerate()
        .map(|(index, layer)| {
            layer_media_type(&layer.media_type).map_err(|reason| SourceProblem::LayerType {
                number: index + 1,
                media_type: layer.media_type.clone(),
                reason,
            })?;
            Ok((store.blob(layer)?, Some(sha256(layer)?)))
        })
        .collect::<Result<_, SourceProblem>>()?;
    Ok(Found {
        config,
        manifest_digest: Some(sha256(&manifest)?),
        annotations: document.annotations,
        layers,
    })
}

/// The manifest of the image with this configuration, if the store is an image layout that has one.
pub(super) fn manifest_of_config(
    store: &Store,
    config: Digest,
) -> Result<Option<(Digest, Annotations)>, SourceProblem> {
    let Some(index) = top(store)? else { return Ok(None) };
    for image in index {
        for manifest in walk(store, &image)? {
            if !matches!(manifest.target(), Target::Manifest) || manifest.is_artifact() {
                continue;
            }
            // docker save leaves out the manifests of other platforms.
            let Ok(document) = read_manifest(store, &manifest) else {
                continue;
            };
            if document.config.digest == AnyDigest::Sha256(config) {
                return Ok(Some((sha256(&manifest)?, document.annotations)));
            }
        }
    }
    Ok(None)
}

/// The configuration of the image with this manifest, if the store is an image layout that has one.
pub(super) fn config_of_manifest(store: &Store, manifest: Digest) -> Result<Option<Digest>, SourceProblem> {
    let Some(index) = top(store)? else { return Ok(None) };
    // docker save leaves out indexes of what it did not save; the digest may still be another's.
    let found = by_digest(store, &index, &manifest.to_string()).unwrap_or_default();
    match found.first() {
        Some(descriptor) if matches!(descriptor.target(), Target::Manifest) => {
            Ok(Some(sha256(&read_manifest(store, descriptor)?.config)?))
        }
        _ => Ok(None),
    }
}

pub(super) fn top(store: &Store) -> Result<Option<Vec<Descriptor>>, SourceProblem> {
    let Some(blob) = store.file(INDEX)? else {
        return Ok(None);
    };
    let index: Index = from_json(INDEX, &read_document(INDEX, &blob)?)?;
    Ok(Some(index.manifests))
}

fn read_manifest(store: &Store, descriptor: &Descriptor) -> Result<Manifest, SourceProblem> {
    const WHAT: &str = "the image manifest";
    from_json(WHAT, &store.document(WHAT, descriptor)?)
}

/// The one image that `reference` names and that is for our platform.
fn choose(
    store: &Store,
    index: Vec<Descriptor>,
    reference: Option<&str>,
) -> Result<(Descriptor, Manifest), SourceProblem> {
    let names: Vec<String> = index.iter().map(name).collect();
    let wanted = match reference {
        None => index,
        Some(reference) => match reference.strip_prefix('@') {
            Some(digest) => by_digest(store, &index, digest)?,
            None => index
                .into_iter()
                .filter(|image| is_named(image, reference))
                .collect(),
        },
    };
    if wanted.is_empty() {
        return Err(match reference {
            Some(reference) if !names.is_empty() => SourceProblem::NoSuchImage {
                reference: reference.to_owned(),
                names,
            },
            _ => SourceProblem::Empty,
        });
    }
    let mut chosen: Vec<(String, Descriptor, Manifest)> = Vec::new();
    let mut rejected = Rejected::default();
    for image in &wanted {
        if let Some((manifest, document)) = first_of_ours(store, image, &mut rejected)? {
            let name = name(image);
            // Of two images of one name, the first is meant.
            if chosen
                .iter()
                .all(|(known, other, _)| *known != name && other.digest != manifest.digest)
            {
                chosen.push((name, manifest, document));
            }
        }
    }
    // A name or a digest means one image, and the first entry is the one.
    chosen.truncate(if reference.is_some() { 1 } else { usize::MAX });
    let mut chosen = chosen.into_iter();
    match (chosen.next(), chosen.next()) {
        (Some((_, manifest, document)), None) => Ok((manifest, document)),
        (Some(first), Some(second)) => {
            let all = [first, second].into_iter().chain(chosen);
            Err(SourceProblem::Ambiguous(all.map(|(name, ..)| name).collect()))
        }
        (None, _) => Err(rejected.problem()),
    }
}

/// Why none of several manifests was chosen.
#[derive(Default)]
struct Rejected {
    platforms: Vec<String>,
    artifact: Option<String>,
    unreadable: Option<SourceProblem>,
}

impl Rejected {
    fn problem(self) -> SourceProblem {
        if let Some(problem) = self.unreadable {
            problem
        } else if !self.platforms.is_empty() {
            SourceProblem::WrongPlatform(self.platforms.join(", "))
        } else {
            self.artifact
                .map_or(SourceProblem::Empty, SourceProblem::NotAnImage)
        }
    }
}

/// The image for our platform that a descriptor leads to. Of several, the first, as the specification has it and as
/// containerd and skopeo do it: those whose platform is said before those whose configuration has to say it, and those
/// that need a newer processor last.
fn first_of_ours(
    store: &Store,
    image: &Descriptor,
    rejected: &mut Rejected,
) -> Result<Option<(Descriptor, Manifest)>, SourceProblem> {
    let mut candidates = Vec::new();
    for descriptor in walk(store, image)? {
        match (descriptor.target(), &descriptor.platform) {
            (Target::Index, _) => {}
            (Target::Manifest, _) if descriptor.is_artifact() => {
                let kind = match descriptor.artifact_type.as_str() {
                    "" => "an attestation",
                    artifact_type => artifact_type,
                };
                rejected.artifact.get_or_insert(kind.to_owned());
            }
            (Target::Manifest, Some(platform)) if !platform.is_ours() => {
                rejected.platforms.push(platform.to_string());
            }
            (Target::Manifest, _) => candidates.push(descriptor),
            (Target::Other, _) => {
                rejected.artifact.get_or_insert(descriptor.media_type);
            }
        }
    }
    candidates.sort_by_key(|descriptor| match &descriptor.platform {
        Some(platform) if platform.is_baseline() => (0, String::new()),
        None => (1, String::new()),
        Some(platform) => (2, platform.variant.clone()),
    });
    for descriptor in candidates {
        match examine(store, &descriptor) {
            Ok(Examined::Image(document)) => return Ok(Some((descriptor, *document))),
            Ok(Examined::Artifact(kind)) => drop(rejected.artifact.get_or_insert(kind)),
            Ok(Examined::Foreign(platform)) => rejected.platforms.push(platform.to_string()),
            // Nothing says that it would be ours, and tools leave out what they were not asked for.
            Err(problem @ SourceProblem::MissingBlob(_)) if descriptor.platform.is_none() => {
                rejected.unreadable.get_or_insert(problem);
            }
            Err(problem) => return Err(problem),
        }
    }
    Ok(None)
}

/// What a manifest turned out to be.
enum Examined {
    Image(Box<Manifest>),
    Artifact(String),
    Foreign(Platform),
}

fn examine(store: &Store, descriptor: &Descriptor) -> Result<Examined, SourceProblem> {
    const WHAT: &str = "the image configuration";
    let manifest = read_manifest(store, descriptor)?;
    if let Some(kind) = manifest.artifact_type() {
        return Ok(Examined::Artifact(kind.to_owned()));
    }
    if descriptor.platform.is_none() {
        let platform: Platform = from_json(WHAT, &store.document(WHAT, &manifest.config)?)?;
        if !platform.is_ours() {
            return Ok(Examined::Foreign(platform));
        }
    }
    Ok(Examined::Image(Box::new(manifest)))
}

/// What has this digest in the index or in those that it leads to.
fn by_digest(store: &Store, index: &[Descriptor], digest: &str) -> Result<Vec<Descriptor>, SourceProblem> {
    let is_wanted = |descriptor: &Descriptor| descriptor.digest.to_string() == digest;
    // What stands here needs no look into the others.
    if let Some(found) = index.iter().find(|image| is_wanted(image)) {
        return Ok(vec![found.clone()]);
    }
    for image in index {
        if let Some(found) = walk(store, image)?.into_iter().find(is_wanted) {
            return Ok(vec![found]);
        }
    }
    Ok(Vec::new())
}

/// A descriptor and all that it leads to by indexes, in their order.
fn walk(store: &Store, image: &Descriptor) -> Result<Vec<Descriptor>, SourceProblem> {
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    let mut pending = vec![(image.clone(), 0)];
    while let Some((descriptor, depth)) = pending.pop() {
        if !seen.insert(descriptor.digest.clone()) {
            continue;
        }
        if depth > MAX_DEPTH || seen.len() > MAX_MANIFESTS {
            return Err(SourceProblem::NestedTooDeep);
        }
        if let Target::Index = descriptor.target()
            && !descriptor.is_artifact()
        {
            const WHAT: &str = "an image index";
            let nested: Index = from_json(WHAT, &store.document(WHAT, &descriptor)?)?;
            // The last one pushed is visited first.
            let nested = nested.manifests.into_iter().rev();
            pending.extend(nested.map(|nested| (nested, depth + 1)));
        }
        found.push(descriptor);
    }
    Ok(found)
}

fn is_named(image: &Descriptor, reference: &str) -> bool {
    let annotation = |key| image.annotations.get(key);
    annotation(REF_NAME).is_some_and(|name| name == reference)
        || annotation(CONTAINERD_NAME).is_some_and(|name| canonical_name(name) == canonical_name(reference))
}

/// How a user can name the image.
fn name(image: &Descriptor) -> String {
    let named = image
        .annotations
        .get(CONTAINERD_NAME)
        .or_else(|| image.annotations.get(REF_NAME));
    named.cloned().unwrap_or_else(|| format!("@{}", image.digest))
}
