//! OCI image layout: `index.json` leads to manifests, directly or by further indexes.

use std::collections::HashSet;

use super::{Found, SourceProblem, Store, from_json, read_document};
use crate::digest::Digest;
use crate::manifest::{
    Annotations, CONTAINERD_NAME, Descriptor, Index, Manifest, REF_NAME, Target, layer_media_type,
};
use crate::reference::canonical_name;

const INDEX: &str = "index.json";
/// An index lists images, each by an index of its platforms; deeper nesting is refused.
const MAX_DEPTH: usize = 4;
const MAX_MANIFESTS: usize = 4096;

pub(super) fn find(store: &Store, reference: Option<&str>) -> Result<Found, SourceProblem> {
    let index = top(store)?.ok_or_else(|| {
        let hint = match store.file("manifest.json") {
            Ok(Some(_)) => "this is an archive made by docker save; use docker-archive:",
            _ => "this is not an OCI image layout, or it is incomplete",
        };
        SourceProblem::Missing {
            name: INDEX.to_owned(),
            hint,
        }
    })?;
    let manifest = choose(store, index, reference)?;
    let document: Manifest = read_manifest(store, &manifest)?;
    if !document.config.is_image_config() {
        return Err(SourceProblem::NotAnImage(document.config.media_type));
    }
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
            Ok((store.blob(layer)?, Some(layer.digest)))
        })
        .collect::<Result<_, SourceProblem>>()?;
    Ok(Found {
        config,
        manifest_digest: Some(manifest.digest),
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
        for manifest in expand(store, &image)? {
            // docker save leaves out the manifests of other platforms.
            if store
                .file(&format!("blobs/sha256/{}", manifest.digest.hex()))?
                .is_none()
            {
                continue;
            }
            let document = read_manifest(store, &manifest)?;
            if document.config.digest == config {
                return Ok(Some((manifest.digest, document.annotations)));
            }
        }
    }
    Ok(None)
}

fn top(store: &Store) -> Result<Option<Vec<Descriptor>>, SourceProblem> {
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

/// The one manifest that `reference` names and that is for our platform.
fn choose(
    store: &Store,
    index: Vec<Descriptor>,
    reference: Option<&str>,
) -> Result<Descriptor, SourceProblem> {
    let names: Vec<String> = index.iter().map(name).collect();
    let wanted: Vec<Descriptor> = match reference {
        Some(reference) => index
            .into_iter()
            .filter(|image| is_named(image, reference))
            .collect(),
        None => index,
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
    let mut chosen: Vec<(String, Descriptor)> = Vec::new();
    let mut others = Vec::new();
    for image in &wanted {
        let manifests = expand(store, image)?;
        let (ours, foreign): (Vec<_>, Vec<_>) = manifests
            .into_iter()
            .partition(|m| m.platform.as_ref().is_none_or(|platform| platform.is_ours()));
        others.extend(
            foreign
                .into_iter()
                .filter_map(|m| m.platform)
                .map(|platform| platform.to_string()),
        );
        // Of amd64, v2 and v3, the baseline runs everywhere.
        let variant = |m: &Descriptor| m.platform.as_ref().and_then(|platform| platform.variant.clone());
        if let Some(best) = ours.into_iter().min_by_key(variant)
            && chosen.iter().all(|(_, manifest)| manifest.digest != best.digest)
        {
            chosen.push((name(image), best));
        }
    }
    let mut chosen = chosen.into_iter();
    match (chosen.next(), chosen.next()) {
        (Some((_, manifest)), None) => Ok(manifest),
        (Some(first), Some(second)) => {
            let all = [first, second].into_iter().chain(chosen);
            Err(SourceProblem::Ambiguous(all.map(|(name, _)| name).collect()))
        }
        (None, _) if others.is_empty() => Err(SourceProblem::Empty),
        (None, _) => Err(SourceProblem::WrongPlatform(others.join(", "))),
    }
}

/// The manifests of images that a descriptor leads to.
fn expand(store: &Store, image: &Descriptor) -> Result<Vec<Descriptor>, SourceProblem> {
    let mut manifests = Vec::new();
    let mut seen = HashSet::new();
    let mut pending = vec![(image.clone(), 0)];
    while let Some((descriptor, depth)) = pending.pop() {
        if !seen.insert(descriptor.digest) || descriptor.is_attestation() {
            continue;
        }
        if depth > MAX_DEPTH || seen.len() > MAX_MANIFESTS {
            return Err(SourceProblem::NestedTooDeep);
        }
        match descriptor.target() {
            Target::Manifest => manifests.push(descriptor),
            Target::Index => {
                const WHAT: &str = "an image index";
                let nested: Index = from_json(WHAT, &store.document(WHAT, &descriptor)?)?;
                pending.extend(nested.manifests.into_iter().map(|nested| (nested, depth + 1)));
            }
            Target::Other if depth == 0 => return Err(SourceProblem::NotAnImage(descriptor.media_type)),
            Target::Other => {}
        }
    }
    Ok(manifests)
}

fn is_named(image: &Descriptor, reference: &str) -> bool {
    if let Some(digest) = reference.strip_prefix('@') {
        return image.digest.to_string() == digest;
    }
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
