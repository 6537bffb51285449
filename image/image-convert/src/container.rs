//! Makes the measured configuration from the image's configuration and the options of the conversion.

use enclave_config::{Broker, Config, HostEnv, Init, Rootfs};
use oci_image::ContainerConfig;

use crate::accounts::{self, AccountError};
use crate::{Options, signal_name};

/// What Docker gives a program if the image says nothing.
const DEFAULT_PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Why an image's configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContainerError {
    /// Its user cannot be resolved.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// StopSignal is not a signal.
    #[error("the image's StopSignal '{0}' is not a signal")]
    StopSignal(String),
    /// WorkingDir is not an absolute path.
    #[error("the image's WorkingDir '{0}' is not an absolute path")]
    WorkingDir(String),
}

/// What the image's own files say about users, and where it came from.
pub(crate) struct Facts<'a> {
    pub(crate) passwd: &'a [u8],
    pub(crate) group: &'a [u8],
    pub(crate) rootfs: Rootfs,
    pub(crate) source_digest: Option<[u8; 32]>,
    pub(crate) init: Init,
}

pub(crate) fn configure(
    image: &ContainerConfig,
    options: &Options,
    facts: Facts,
) -> Result<Config, ContainerError> {
    let account = accounts::resolve(&image.user, facts.passwd, facts.group)?;
    let stop_signal = signal_name::stop_signal(&image.stop_signal)
        .ok_or_else(|| ContainerError::StopSignal(image.stop_signal.clone()))?;
    let mut volumes: Vec<_> = image.volumes.keys().map(|volume| rooted(volume)).collect();
    volumes.sort();
    volumes.dedup();
    let mut host_env = options.host_env.clone();
    if let HostEnv::Names(names) = &mut host_env {
        names.sort();
        names.dedup();
    }
    // A way to say that there is none, which Docker has.
    let entrypoint = match image.entrypoint.as_slice() {
        [only] if only.is_empty() => &[],
        entrypoint => entrypoint,
    };
    let args = entrypoint.iter().chain(&image.cmd);
    Ok(Config {
        args: args.map(|arg| arg.clone().into_bytes()).collect(),
        // If there is no entry point, the host's arguments name the program.
        entrypoint_len: u32::try_from(entrypoint.len()).unwrap_or(u32::MAX),
        allow_args: options.allow_args,
        env: environment(&image.env, &account.home),
        host_env,
        cwd: match image.working_dir.as_str() {
            "" => b"/".to_vec(),
            path if path.starts_with('/') => path.as_bytes().to_vec(),
            path => return Err(ContainerError::WorkingDir(path.into())),
        },
        user: account.user,
        hostname: options.hostname.clone().into_bytes(),
        stop_signal,
        host_signals: options.host_signals.with(stop_signal),
        debug: options.debug,
        memory: options.memory,
        threads: options.threads,
        volumes,
        rootfs: facts.rootfs,
        source_digest: facts.source_digest,
        resolver: options.resolver.clone(),
        loopback: options.loopback.clone(),
        broker: options.broker.clone().map(|authority| Broker {
            authority,
            init: facts.init,
        }),
    })
}

/// A path from the root, as Docker takes the name of a volume: `data/` is `/data`.
fn rooted(path: &str) -> Vec<u8> {
    let mut names = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => drop(names.pop()),
            name => names.push(name),
        }
    }
    format!("/{}", names.join("/")).into_bytes()
}

/// What of the image's configuration has no effect in a confidential container, in sentences for the user.
pub fn left_out(image: &ContainerConfig) -> Vec<&'static str> {
    let is_checked = image
        .healthcheck
        .as_ref()
        .and_then(|check| check.test.first())
        .is_some_and(|kind| kind != "NONE");
    is_checked
        .then_some(
            "the image's HEALTHCHECK is left out: a container engine would run it outside of the enclave",
        )
        .into_iter()
        .collect()
}

/// The environment, with what Docker adds. Of two values for a name the last one holds, in the place of the first.
/// An entry that is not NAME=VALUE sets nothing, and is left out.
fn environment(image: &[String], home: &[u8]) -> Vec<Vec<u8>> {
    let mut entries: Vec<(&str, &str)> = Vec::new();
    for (name, value) in [DEFAULT_PATH]
        .into_iter()
        .chain(image.iter().map(String::as_str))
        .filter_map(split)
    {
        match entries.iter_mut().find(|(known, _)| *known == name) {
            Some(entry) => entry.1 = value,
            None => entries.push((name, value)),
        }
    }
    let mut env: Vec<_> = entries
        .iter()
        .map(|(name, value)| format!("{name}={value}").into_bytes())
        .collect();
    // An empty HOME is filled in, too (runc).
    let home = [b"HOME=", home].concat();
    match env.iter_mut().find(|entry| entry.starts_with(b"HOME=")) {
        Some(entry) if entry == b"HOME=" => *entry = home,
        Some(_) => {}
        None => env.push(home),
    }
    env
}

fn split(entry: &str) -> Option<(&str, &str)> {
    entry.split_once('=').filter(|(name, _)| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use enclave_config::Extent;

    use super::*;

    fn facts() -> Facts<'static> {
        Facts {
            passwd: b"app:x:7:8::/srv:\n",
            group: b"",
            rootfs: Rootfs {
                root_hash: [0; 32],
                data_blocks: 1,
                hash_offset: 4096,
                salt: vec![],
                total_len: 12288,
                callsites: Extent::default(),
                key_id: None,
            },
            source_digest: None,
            init: Init {
                digest: [0; 32],
                len: 1,
            },
        }
    }

    fn image() -> ContainerConfig {
        ContainerConfig {
            user: "app".into(),
            entrypoint: vec!["/entry".into()],
            cmd: vec!["serve".into()],
            env: ["A=1", "B=2", "A=3", "NOVALUE", "=x", "PATH=/bin"]
                .map(String::from)
                .to_vec(),
            working_dir: "/srv".into(),
            stop_signal: "SIGQUIT".into(),
            volumes: [
                ("z//".to_owned(), oci_image::Empty {}),
                ("/z".to_owned(), oci_image::Empty {}),
                ("/b/../a".to_owned(), oci_image::Empty {}),
            ]
            .into(),
            ..ContainerConfig::default()
        }
    }

    #[test]
    fn an_images_words_are_carried_over() {
        let config = configure(&image(), &Options::default(), facts()).unwrap();
        assert_eq!(config.args, [&b"/entry"[..], b"serve"]);
        assert_eq!(config.entrypoint_len, 1);
        assert_eq!(config.env, [&b"PATH=/bin"[..], b"A=3", b"B=2", b"HOME=/srv"]);
        assert_eq!(
            (config.user.uid, config.stop_signal, &config.cwd[..]),
            (7, 3, &b"/srv"[..])
        );
        assert_eq!(config.volumes, [b"/a", b"/z"]);
        assert!(config.encode().is_ok());
    }

    #[test]
    fn what_an_image_leaves_out_is_as_docker_has_it() {
        let image = ContainerConfig {
            cmd: vec!["sh".into()],
            ..ContainerConfig::default()
        };
        let config = configure(&image, &Options::default(), facts()).unwrap();
        assert_eq!(config.env, [DEFAULT_PATH.as_bytes(), b"HOME=/"]);
        assert_eq!(
            (&config.cwd[..], config.stop_signal, config.entrypoint_len),
            (&b"/"[..], 15, 0)
        );
    }

    #[test]
    fn an_empty_entry_point_is_none_and_an_empty_home_is_filled_in() {
        let image = ContainerConfig {
            entrypoint: vec![String::new()],
            env: vec!["HOME=".into(), "A=1".into()],
            ..image()
        };
        let config = configure(&image, &Options::default(), facts()).unwrap();
        assert_eq!(
            (config.entrypoint_len, &config.args[..]),
            (0, &[b"serve".to_vec()][..])
        );
        assert_eq!(config.env, [DEFAULT_PATH.as_bytes(), b"HOME=/srv", b"A=1"]);
        // Of several words, an empty one is a word.
        let image = ContainerConfig {
            entrypoint: vec![String::new(), "x".into()],
            env: vec!["HOME=/own".into()],
            ..image
        };
        let config = configure(&image, &Options::default(), facts()).unwrap();
        assert_eq!(config.entrypoint_len, 2);
        assert_eq!(config.env, [DEFAULT_PATH.as_bytes(), b"HOME=/own"]);
    }

    #[test]
    fn a_health_check_that_is_left_out_is_told() {
        let check = |words: &[&str]| {
            let test = words.iter().map(|word| (*word).to_owned()).collect();
            let image = ContainerConfig {
                healthcheck: Some(oci_image::Healthcheck {
                    test,
                    ..Default::default()
                }),
                ..image()
            };
            left_out(&image).len()
        };
        assert_eq!((check(&["CMD-SHELL", "true"]), check(&["CMD", "/check"])), (1, 1));
        assert_eq!((check(&["NONE"]), check(&[])), (0, 0));
        assert_eq!(left_out(&image()), [""; 0]);
    }

    #[test]
    fn names_for_the_host_are_sorted() {
        let host_env = HostEnv::Names(vec![b"TZ".to_vec(), b"LANG".to_vec(), b"TZ".to_vec()]);
        let config = configure(
            &image(),
            &Options {
                host_env,
                ..Options::default()
            },
            facts(),
        )
        .unwrap();
        assert_eq!(
            config.host_env,
            HostEnv::Names(vec![b"LANG".to_vec(), b"TZ".to_vec()])
        );
    }

    #[test]
    fn nonsense_is_refused() {
        let refused = |change: fn(&mut ContainerConfig)| {
            let mut image = image();
            change(&mut image);
            configure(&image, &Options::default(), facts()).unwrap_err()
        };
        assert!(matches!(
            refused(|i| i.user = "nobody".into()),
            ContainerError::Account(_)
        ));
        assert!(matches!(
            refused(|i| i.stop_signal = "SIGFOO".into()),
            ContainerError::StopSignal(_)
        ));
        assert!(matches!(
            refused(|i| i.working_dir = "srv".into()),
            ContainerError::WorkingDir(_)
        ));
    }
}
