//! A policy in plain English: who gets what.

use std::fmt::Write as _;

use printable_text::printable;

use crate::diff::value_of;
use crate::document::{Document, Mount, Name, Platforms, Scope, Secret, SecretKind, Service, Tolerated};
use crate::policy::Policy;
use crate::template::Template;

/// Who gets what, and who may change that, a statement a line.
#[must_use]
pub fn explain(policy: &Policy) -> String {
    let document = policy.document();
    let mut text = format!("Deployment {}, policy {}\n", document.name, policy.digest());
    if let Some(predecessor) = document.predecessor {
        let _ = writeln!(text, "It replaces the policy {predecessor}.");
    }
    for (name, service) in &document.services {
        let _ = writeln!(text, "\nService {name}");
        for line in service_lines(document, service) {
            let _ = writeln!(text, "  {}", printable(&line));
        }
    }
    for (title, lines) in [
        (
            "Secrets",
            document
                .secrets
                .iter()
                .map(|(name, secret)| secret_line(name, secret))
                .collect(),
        ),
        ("Volumes", volume_lines(document)),
        ("Exchange with other deployments", exchange_lines(document)),
        ("People", access_lines(document)),
    ] as [(&str, Vec<String>); 4]
    {
        if lines.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\n{title}");
        for line in lines {
            let _ = writeln!(text, "  {}", printable(&line));
        }
    }
    text
}

fn service_lines(document: &Document, service: &Service) -> Vec<String> {
    let mut lines = Vec::new();
    let image = service
        .image
        .as_ref()
        .map(|image| format!(" (image {image})"))
        .unwrap_or_default();
    match service.enclaves.as_slice() {
        [] if service.signers.is_empty() => {
            lines.push(format!("is no enclave yet{image}: nacre policy pin resolves it"))
        }
        [] => {}
        enclaves => {
            let enclaves: Vec<_> = enclaves.iter().map(ToString::to_string).collect();
            lines.push(format!("is the enclave {}{image}", enclaves.join(" or ")));
        }
    }
    for signer in &service.signers {
        lines.push(format!(
            "is any enclave that {} has signed as product {}, from version {} on",
            signer.mrsigner, signer.product_id, signer.min_svn
        ));
    }
    lines.push(match service.platforms.as_ref().or(document.platforms.as_ref()) {
        Some(platforms) => format!("runs on {}", machines(platforms)),
        None => "runs on anybody's machine".to_owned(),
    });
    for tolerance in &service.tolerate {
        let what = match &tolerance.what {
            Tolerated::Status(status) => format!("platforms with the TCB status {status}"),
            Tolerated::Advisory(advisory) => format!("the known weakness {advisory}"),
            Tolerated::AnyAdvisory => "every known weakness".to_owned(),
            Tolerated::Debug => "debug enclaves, which their host can read and change".to_owned(),
            Tolerated::Simulated => "simulated platforms, which protect nothing".to_owned(),
        };
        let until = tolerance.until.map(|until| format!("until {until}"));
        let until = until.unwrap_or_else(|| "for ever".to_owned());
        let reason = tolerance
            .reason
            .as_ref()
            .map_or_else(String::new, |reason| format!(": {reason}"));
        lines.push(format!("tolerates {what} {until}{reason}"));
    }
    if let Some(most) = service.limits.instances {
        lines.push(format!("runs at most {most} times at once"));
    }
    if let Some(arguments) = &service.arguments {
        let arguments: Vec<_> = arguments
            .iter()
            .map(|argument| format!("{:?}", argument.source()))
            .collect();
        lines.push(format!("is run as {}", arguments.join(" ")));
    }
    if let Some(directory) = &service.working_directory {
        lines.push(format!("begins in {directory}"));
    }
    for (variable, value) in &service.environment {
        lines.push(place(&format!("the variable {variable}"), value));
    }
    for (path, file) in &service.files {
        let content = file.content.as_ref();
        lines.push(match content {
            Some(content) => place(&format!("the file {path}"), content),
            None => format!("gets the file {path}"),
        });
    }
    for (path, Mount { volume, read_only }) in &service.volumes {
        let how = if *read_only { ", to read only" } else { "" };
        lines.push(format!("gets the volume {:?} at {path}{how}", volume.as_str()));
    }
    for key in &service.image_keys {
        lines.push(format!("gets the image key {key}, if its own image asks for it"));
    }
    if let Some(tls) = &service.tls {
        lines.push(format!(
            "proves to its peers who it is by {:?}",
            tls.identity.as_str()
        ));
        for peer in &tls.accept {
            lines.push(format!("lets {peer} connect to it"));
        }
        for peer in &tls.connect {
            lines.push(format!("may connect to {peer}"));
        }
    }
    lines
}

/// What a template puts where.
fn place(place: &str, template: &Template) -> String {
    let mut values: Vec<_> = template
        .references()
        .map(|reference| value_of(reference.kind, &reference.name))
        .collect();
    values.dedup();
    if values.is_empty() {
        format!("gets {place}")
    } else {
        format!("gets {place} with {}", values.join(", "))
    }
}

fn machines(platforms: &Platforms) -> String {
    let nodes = platforms
        .nodes
        .iter()
        .map(|node| match (&node.name, node.ppid, node.platform_instance_id) {
            (Some(name), _, _) => name.to_string(),
            (None, Some(ppid), _) => format!("the machine with the PPID {ppid}"),
            (None, None, Some(instance)) => format!("the machine with the PlatformInstanceID {instance}"),
            (None, None, None) => String::new(),
        });
    let registry = platforms
        .registry
        .iter()
        .map(|url| format!("any machine that {url} knows"));
    nodes.chain(registry).collect::<Vec<_>>().join(", or ")
}

fn secret_line(name: &Name, secret: &Secret) -> String {
    let name = name.as_str();
    let mut line = match secret.value.kind() {
        SecretKind::Random => format!("{name:?}: random bytes that the broker makes"),
        SecretKind::Password => format!("{name:?}: a password that the broker makes"),
        SecretKind::PrivateKey => format!("{name:?}: a private key that the broker makes"),
        SecretKind::X509 => format!("{name:?}: a private key and a certificate that the broker issues"),
        SecretKind::X509Ca => format!("{name:?}: a certificate authority that the broker keeps"),
        SecretKind::Imported => {
            format!("{name:?}: a value that somebody gives to the broker (nacre secret set)")
        }
    };
    if let Some(issuer) = secret.value.issuer() {
        let _ = write!(line, ", issued by {:?}", issuer.as_str());
    }
    if secret.scope == Scope::Instance {
        line += ", one for each instance";
    }
    if let Some(lifetime) = secret.lifetime {
        let _ = write!(line, ", for {lifetime}");
    }
    if let Some(before) = secret.renew_before {
        let _ = write!(line, ", renewed {before} before its end");
    }
    line
}

fn volume_lines(document: &Document) -> Vec<String> {
    let volumes = document.volumes.iter();
    volumes
        .map(|(name, volume)| match volume.scope {
            Scope::Shared => format!("{:?}: one key for all", name.as_str()),
            Scope::Instance => format!("{:?}: a key for each instance", name.as_str()),
        })
        .collect()
}

fn exchange_lines(document: &Document) -> Vec<String> {
    let imports = document.imports.iter().map(|(name, import)| {
        let secret = import.secret.as_ref().unwrap_or(name);
        format!(
            "gets {:?} from {} as {:?}",
            secret.as_str(),
            import.deployment,
            name.as_str()
        )
    });
    let exports = document.exports.iter().map(|(name, export)| {
        let to: Vec<_> = export.to.iter().map(Name::as_str).collect();
        format!("gives {:?} to {}", name.as_str(), to.join(", "))
    });
    imports.chain(exports).collect()
}

fn access_lines(document: &Document) -> Vec<String> {
    let access = &document.access;
    let list = |names: &[Name]| names.iter().map(Name::as_str).collect::<Vec<_>>().join(", ");
    let mut lines = Vec::new();
    if !access.read.is_empty() {
        lines.push(format!("{} may read this policy", list(&access.read)));
    }
    lines.push(match access.update.as_slice() {
        [] => "nobody but the broker's administrators may propose another policy".to_owned(),
        update => format!("{} may propose another policy", list(update)),
    });
    lines.push(match &access.approve {
        Some(approve) => {
            let (by, of) = (list(&approve.by), approve.by.len());
            format!(
                "it takes effect when {} of {of} have approved it: {by}",
                approve.required
            )
        }
        None => "it takes effect at once, without anybody's approval".to_owned(),
    });
    lines
}
