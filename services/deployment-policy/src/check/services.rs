//! Services: who they are, and what they get.

use std::collections::BTreeSet;

use super::{Problems, templates};
use crate::document::{Document, Name, PeerName, Platforms, SecretKind, Service, Tls};
use crate::limits::{MAX_PER_SERVICE, MAX_SENTENCE};

/// Where Linux's own file systems are.
const KERNELS: [&str; 3] = ["/proc", "/sys", "/dev"];

pub(super) fn check(document: &Document, problems: &mut Problems) {
    for (name, service) in &document.services {
        check_service(document, name, service, problems);
    }
}

fn check_service(document: &Document, name: &Name, service: &Service, problems: &mut Problems) {
    let path = format!("services.{name}");
    let many = [
        ("enclaves", service.enclaves.len()),
        ("signers", service.signers.len()),
        ("tolerate", service.tolerate.len()),
        ("arguments", service.arguments.as_ref().map_or(0, Vec::len)),
        ("environment", service.environment.len()),
        ("files", service.files.len()),
        ("volumes", service.volumes.len()),
        ("image_keys", service.image_keys.len()),
    ];
    for (field, count) in many {
        problems.at_most(MAX_PER_SERVICE, count, format_args!("{path}.{field}"));
    }
    if many.iter().any(|(_, count)| *count > MAX_PER_SERVICE) {
        return;
    }
    problems.add_if(
        service.enclaves.is_empty() && service.signers.is_empty() && service.image.is_none(),
        &path,
        "which enclave is this? name enclaves, signers, or an image for nacre policy pin",
    );
    if let Some(image) = &service.image {
        let is_bad = image.is_empty() || image.len() > MAX_SENTENCE || image.contains(char::is_control);
        problems.add_if(
            is_bad,
            format_args!("{path}.image"),
            "this is no reference of an image",
        );
    }
    check_tolerances(service, &path, problems);
    if let Some(platforms) = &service.platforms {
        check_platforms(platforms, &format!("{path}.platforms"), problems);
    }
    if let Some(arguments) = &service.arguments {
        let message = "the program's name is missing; leave arguments out to use the image's";
        problems.add_if(arguments.is_empty(), format_args!("{path}.arguments"), message);
        for (at, argument) in arguments.iter().enumerate() {
            templates::check_text(argument, document, &format!("{path}.arguments[{at}]"), problems);
        }
    }
    for (variable, value) in &service.environment {
        templates::check_text(
            value,
            document,
            &format!("{path}.environment.{variable}"),
            problems,
        );
    }
    check_places(document, service, &path, problems);
    if let Some(tls) = &service.tls {
        check_tls(document, name, tls, &path, problems);
    }
    problems.add_if(
        service.limits.instances == Some(0),
        format_args!("{path}.limits.instances"),
        "no instance could run; leave it out for any number",
    );
}

fn check_tolerances(service: &Service, path: &str, problems: &mut Problems) {
    let mut seen = BTreeSet::new();
    for (at, tolerance) in service.tolerate.iter().enumerate() {
        let path = format!("{path}.tolerate[{at}]");
        let is_new = seen.insert(&tolerance.what);
        problems.add_if(
            !is_new,
            &path,
            format_args!("{} is tolerated twice", tolerance.what),
        );
        let reason = tolerance.reason.as_deref().unwrap_or_default();
        let is_long = reason.chars().count() > MAX_SENTENCE;
        let message = format!("it is longer than {MAX_SENTENCE} characters");
        problems.add_if(is_long, format_args!("{path}.reason"), message);
    }
}

pub(super) fn check_platforms(platforms: &Platforms, path: &str, problems: &mut Problems) {
    problems.at_most(
        MAX_PER_SERVICE,
        platforms.nodes.len(),
        format_args!("{path}.nodes"),
    );
    let message =
        "no machine is named: write nodes or a registry, or leave platforms out to accept any machine";
    problems.add_if(
        platforms.nodes.is_empty() && platforms.registry.is_none(),
        path,
        message,
    );
    for (at, node) in platforms.nodes.iter().enumerate() {
        problems.add_if(
            node.ppid.is_none() && node.platform_instance_id.is_none(),
            format_args!("{path}.nodes[{at}]"),
            "it has neither ppid nor platform_instance_id, so it would be any machine",
        );
    }
    problems.add_if(
        platforms.registry.is_none() && platforms.registry_max_age.is_some(),
        format_args!("{path}.registry_max_age"),
        "there is no registry",
    );
}

/// Files and volumes: each at a place of its own.
fn check_places(document: &Document, service: &Service, path: &str, problems: &mut Problems) {
    for (place, file) in &service.files {
        let path = format!("{path}.files.{place}");
        match (&file.content, &file.content_base64) {
            (None, None) => problems.add(&path, "it has no content: write content or content_base64"),
            (Some(_), Some(_)) => problems.add(&path, "it has two contents: remove one"),
            (Some(template), None) => templates::check_bytes(template, document, &path, problems),
            (None, Some(_)) => {}
        }
        problems.add_if(place.as_str() == "/", &path, "a file needs a name");
        check_place(place.as_str(), &path, problems);
        for above in ancestors(place.as_str()) {
            let is_file = service.files.get(above).is_some();
            problems.add_if(
                is_file,
                &path,
                format_args!("{above} is a file, and not a directory"),
            );
            let is_volume = service.volumes.get(above).is_some();
            let message = format!("{above} is a volume, and files are made outside of volumes");
            problems.add_if(is_volume, &path, message);
        }
        let is_volume = service.volumes.get(place).is_some();
        problems.add_if(is_volume, &path, "a volume is mounted here");
    }
    for (place, mount) in &service.volumes {
        let path = format!("{path}.volumes.{place}");
        problems.add_if(place.as_str() == "/", &path, "a volume cannot replace the image");
        check_place(place.as_str(), &path, problems);
        for above in ancestors(place.as_str()) {
            let is_volume = service.volumes.get(above).is_some();
            problems.add_if(is_volume, &path, format_args!("it lies in the volume at {above}"));
            let is_file = service.files.get(above).is_some();
            problems.add_if(
                is_file,
                &path,
                format_args!("{above} is a file, and not a directory"),
            );
        }
        let volume = mount.volume.as_str();
        if document.volumes.get(volume).is_none() {
            let known = document.volumes.keys().map(Name::as_str);
            problems.unknown(&path, "volume", volume, known);
        }
    }
}

fn check_place(place: &str, path: &str, problems: &mut Problems) {
    for kernels in KERNELS {
        let is_below = place == kernels || ancestors(place).any(|above| above == kernels);
        problems.add_if(is_below, path, format_args!("nothing can be put below {kernels}"));
    }
}

/// The directories above an absolute path, `/` not among them.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    let slashes = path.match_indices('/').map(|(at, _)| at).filter(|at| *at > 0);
    slashes.filter_map(|at| path.get(..at))
}

fn check_tls(document: &Document, name: &Name, tls: &Tls, path: &str, problems: &mut Problems) {
    let identity = tls.identity.as_str();
    let at = format!("{path}.tls.identity");
    match document.secrets.get(identity).map(|secret| secret.value.kind()) {
        None => {
            let known = document.secrets.keys().map(Name::as_str);
            problems.unknown(&at, "secret", identity, known);
        }
        Some(SecretKind::X509) => {}
        Some(kind) => problems.add(
            &at,
            format_args!(
                "{identity:?} is of the kind {}, and an identity is of the kind x509",
                kind.name()
            ),
        ),
    }
    let has_it = |service: &Service| {
        service
            .tls
            .as_ref()
            .is_some_and(|other| other.identity == tls.identity)
    };
    let other = document
        .services
        .iter()
        .find(|(other, service)| *other != name && has_it(service));
    if let Some((other, _)) = other {
        problems.add(
            &at,
            format_args!("{identity:?} is also the identity of {other}: give each service its own"),
        );
    }
    for (field, peers) in [("accept", &tls.accept), ("connect", &tls.connect)] {
        problems.at_most(MAX_PER_SERVICE, peers.len(), format_args!("{path}.tls.{field}"));
        for (at, peer) in peers.iter().enumerate() {
            check_peer(document, peer, &format!("{path}.tls.{field}[{at}]"), problems);
        }
    }
}

fn check_peer(document: &Document, peer: &PeerName, path: &str, problems: &mut Problems) {
    let is_here = peer
        .deployment
        .as_ref()
        .is_none_or(|deployment| *deployment == document.name);
    let service = peer.service.as_str();
    if is_here && document.services.get(service).is_none() {
        let known = document.services.keys().map(Name::as_str);
        problems.unknown(path, "service", service, known);
    }
}
