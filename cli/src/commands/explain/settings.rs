//! Settings of an image that have another effect than with a container engine, or none.

use enclave_config::Config;
use oci_image::ContainerConfig;
use printable_text::printable;

use super::finding::{Finding, Severity};

/// SIGKILL and SIGSTOP, signal(7).
const UNCATCHABLE: [u8; 2] = [9, 19];

/// Looks at the image's own configuration.
pub(super) fn of_image(image: &ContainerConfig) -> Vec<Finding> {
    let left_out = image_convert::left_out(image).into_iter().map(|sentence| {
        Finding::new(
            Severity::Note,
            "HEALTHCHECK",
            sentence,
            "let the engine or the cluster ask the service over the network",
        )
    });
    left_out.collect()
}

/// Looks at what will be measured.
pub(super) fn of_configuration(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    for volume in &config.volumes {
        findings.push(Finding::new(
            Severity::Note,
            format!("VOLUME {}", printable(&String::from_utf8_lossy(volume))),
            "what is written there is in the enclave's memory, and is lost at the end; what an engine mounts there is not seen",
            "keep data that must last in a service outside, and give the enclave memory for the rest (--enclave-size)",
        ));
    }
    if UNCATCHABLE.contains(&config.stop_signal) {
        findings.push(Finding::new(
            Severity::Note,
            "STOPSIGNAL",
            "no program can catch it: data that is not written yet is lost when the container is stopped",
            "let the image name a signal that its program handles, such as SIGTERM",
        ));
    }
    if let [shell, flag, command, ..] = config.args.as_slice()
        && flag == b"-c"
        && shell.ends_with(b"sh")
        && !command.trim_ascii_start().starts_with(b"exec ")
    {
        findings.push(Finding::new(
            Severity::Note,
            "shell form",
            "the entry point is a command line for a shell. The shell is process 1: unless it replaces itself by the last \
             command, SIGTERM ends the container without the program hearing of it",
            "name program and arguments as a list (ENTRYPOINT [\"program\", \"argument\"]), or begin the line with exec",
        ));
    }
    findings
}
