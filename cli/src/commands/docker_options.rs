//! Options of `docker run` that `nacre run` does not have, each with what to do instead.

/// What to do instead of an option of `docker run`, if it is one.
pub fn remedy(option: &str) -> Option<&'static str> {
    let name = option.split_once('=').map_or(option, |(name, _)| name);
    // A short option may have its value behind it: -p8080:80.
    let is = |known: &str| match known.starts_with("--") {
        true => name == known,
        false => !name.starts_with("--") && name.starts_with(known),
    };
    let found = REMEDIES
        .iter()
        .find(|(names, _)| names.iter().any(|known| is(known)));
    found.map(|(_, remedy)| *remedy)
}

const REMEDIES: &[(&[&str], &str)] = &[
    (
        &["--publish", "--publish-all", "--expose", "-p", "-P"],
        "ports need no mapping: the container uses the network of the host, so what a program listens on is reachable",
    ),
    (
        &["--network", "--net", "--dns", "--add-host", "--link", "--ip"],
        "the container uses the network of the host; name servers are chosen at conversion (--name-server)",
    ),
    (
        &["--volume", "--mount", "--tmpfs", "--volumes-from", "-v"],
        "there are no volumes yet: put the files into the image; what programs write is in the enclave's memory",
    ),
    (
        &["--detach", "-d"],
        "run it in the background with your shell (&), or as a service of systemd",
    ),
    (
        &["--restart"],
        "let systemd start it again (Restart=), or your cluster",
    ),
    (
        &["--memory", "--memory-swap", "--shm-size", "-m"],
        "the memory is chosen at conversion, because it is measured (--enclave-size)",
    ),
    (
        &["--cpus", "--cpu-shares", "--cpuset-cpus", "-c"],
        "limit nacre itself: taskset, or systemd's CPUQuota=",
    ),
    (
        &["--pids-limit"],
        "the number of threads is chosen at conversion, because it is measured (--threads)",
    ),
    (
        &["--entrypoint", "--user", "--workdir", "-u", "-w"],
        "the entry point, the user and the directory are the image's, because they are measured: change the image, and convert it",
    ),
    (
        &["--hostname", "-h"],
        "the host name is chosen at conversion, because it is measured (--hostname)",
    ),
    (
        &["--env-file"],
        "name each variable: -e NAME takes its value from the environment of nacre",
    ),
    (
        &["--init"],
        "put an init program into the image, if its program does not wait for its children",
    ),
    (
        &[
            "--privileged",
            "--cap-add",
            "--cap-drop",
            "--security-opt",
            "--device",
            "--gpus",
            "--runtime",
            "--ulimit",
            "--sysctl",
        ],
        "the host gives the container nothing but a network: its kernel is in the enclave",
    ),
    (
        &[
            "--label",
            "--pull",
            "--platform",
            "--log-driver",
            "--log-opt",
            "--health-cmd",
            "--stop-signal",
            "--stop-timeout",
            "-l",
        ],
        "leave it out: it is for a container engine",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_known_in_all_their_forms() {
        for option in ["-p", "-p8080:80", "--publish", "--publish=8080:80", "-P"] {
            assert!(
                remedy(option).is_some_and(|words| words.contains("ports")),
                "{option}"
            );
        }
        for option in ["-v", "-v/a:/b", "--mount=type=bind"] {
            assert!(
                remedy(option).is_some_and(|words| words.contains("volumes")),
                "{option}"
            );
        }
        for option in ["--publisher", "--x", "-x", "--"] {
            assert_eq!(remedy(option), None, "{option}");
        }
    }
}
