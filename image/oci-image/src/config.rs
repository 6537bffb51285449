//! The image configuration: what a container runs, and which layers it is made of.
//!
//! Source: OCI image-spec v1.1, config.md; Docker's image config v1.2 (Healthcheck). Docker writes `null` for
//! what is empty, so each field accepts that, and each value in a list or a map.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use crate::digest::Digest;

/// The image configuration document (`application/vnd.oci.image.config.v1+json`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ImageConfig {
    /// When the image was made, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Who made the image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// The CPU architecture, as Go names it: `amd64`.
    #[serde(deserialize_with = "null_is_default")]
    pub architecture: String,
    /// The operating system, as Go names it: `linux`.
    #[serde(deserialize_with = "null_is_default")]
    pub os: String,
    /// How to run a container from the image.
    #[serde(deserialize_with = "null_is_default")]
    pub config: ContainerConfig,
    /// The layers, lowest first.
    #[serde(deserialize_with = "null_is_default")]
    pub rootfs: RootFs,
    /// How each layer came to be.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<History>,
}

/// The defaults for running a container from the image.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ContainerConfig {
    /// `user[:group]`, names or numbers; empty for root.
    #[serde(
        deserialize_with = "null_is_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub user: String,
    /// `port/protocol`, the set of ports that the application listens on.
    #[serde(deserialize_with = "null_values", skip_serializing_if = "BTreeMap::is_empty")]
    pub exposed_ports: BTreeMap<String, Empty>,
    /// `NAME=value`, in order.
    #[serde(deserialize_with = "null_items", skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// The program and its first arguments.
    #[serde(deserialize_with = "null_items", skip_serializing_if = "Vec::is_empty")]
    pub entrypoint: Vec<String>,
    /// The default arguments to the entry point, or the program if there is no entry point.
    #[serde(deserialize_with = "null_items", skip_serializing_if = "Vec::is_empty")]
    pub cmd: Vec<String>,
    /// Absolute paths of directories that hold data of the container.
    #[serde(deserialize_with = "null_values", skip_serializing_if = "BTreeMap::is_empty")]
    pub volumes: BTreeMap<String, Empty>,
    /// Where the entry point starts; empty for `/`.
    #[serde(
        deserialize_with = "null_is_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub working_dir: String,
    /// Arbitrary metadata.
    #[serde(deserialize_with = "null_values", skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The signal that ends the container, as a name or a number; empty for SIGTERM.
    #[serde(
        deserialize_with = "null_is_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub stop_signal: String,
    /// Docker's health check.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<Healthcheck>,
}

/// The value of a JSON object that stands for a set: `{}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Empty {}

/// Docker's health check; durations in nanoseconds, 0 for the default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Healthcheck {
    /// `["NONE"]`, `["CMD", program, arguments…]` or `["CMD-SHELL", command]`.
    #[serde(deserialize_with = "null_items")]
    pub test: Vec<String>,
    /// Time between two checks.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "is_zero")]
    pub interval: i64,
    /// Time after which one check has failed.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "is_zero")]
    pub timeout: i64,
    /// Time in which failures do not count.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "is_zero")]
    pub start_period: i64,
    /// Time between two checks during the start period.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "is_zero")]
    pub start_interval: i64,
    /// How many failures in a row make the container unhealthy.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "is_zero")]
    pub retries: i64,
}

/// The layers of an image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RootFs {
    /// Always `layers`.
    #[serde(rename = "type", deserialize_with = "null_is_default")]
    pub kind: String,
    /// The digest of each layer's uncompressed tar archive, lowest layer first.
    #[serde(deserialize_with = "null_is_default")]
    pub diff_ids: Vec<Digest>,
}

impl Default for RootFs {
    fn default() -> Self {
        Self {
            kind: "layers".to_owned(),
            diff_ids: Vec::new(),
        }
    }
}

/// How one layer came to be.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct History {
    /// When, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// By which command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// By whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// A remark.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Whether the step made no layer.
    #[serde(
        skip_serializing_if = "std::ops::Not::not",
        deserialize_with = "null_is_default"
    )]
    pub empty_layer: bool,
}

/// Reads `null` as the type's default, as Go does.
pub(crate) fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Reads `null`, in place of the map or of a value in it, as Go does.
pub(crate) fn null_values<'de, D, V>(deserializer: D) -> Result<BTreeMap<String, V>, D::Error>
where
    D: Deserializer<'de>,
    V: Default + Deserialize<'de>,
{
    let map: Option<BTreeMap<String, Option<V>>> = Option::deserialize(deserializer)?;
    let values = map.unwrap_or_default().into_iter();
    Ok(values
        .map(|(key, value)| (key, value.unwrap_or_default()))
        .collect())
}

/// Reads `null`, in place of the list or of an item in it, as Go does.
fn null_items<'de, D>(deserializer: D) -> Result<Vec<String>, D::Error>
where
    D: Deserializer<'de>,
{
    let list: Option<Vec<Option<String>>> = Option::deserialize(deserializer)?;
    Ok(list
        .unwrap_or_default()
        .into_iter()
        .map(Option::unwrap_or_default)
        .collect())
}

fn is_zero(number: &i64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_docker_writes() {
        let config: ImageConfig = serde_json::from_str(
            r#"{"architecture":"amd64","os":"linux","container":"ignored",
                "config":{"Hostname":"","User":"redis","ExposedPorts":{"6379/tcp":{}},"Env":["PATH=/bin"],
                "Cmd":["redis-server"],"Entrypoint":null,"Volumes":null,"Labels":null,"OnBuild":null,
                "Healthcheck":{"Test":["CMD-SHELL","redis-cli ping"],"Interval":1000000000}},
                "rootfs":{"type":"layers","diff_ids":[]},"history":null}"#,
        )
        .unwrap();
        assert_eq!(config.config.user, "redis");
        assert_eq!(config.config.cmd, ["redis-server"]);
        assert!(config.config.exposed_ports.contains_key("6379/tcp"));
        assert!(config.config.entrypoint.is_empty());
        assert_eq!(config.config.healthcheck.unwrap().interval, 1_000_000_000);
    }

    #[test]
    fn null_is_read_as_what_is_empty() {
        let empty: ImageConfig = serde_json::from_str("{}").unwrap();
        let members = [
            "created",
            "author",
            "architecture",
            "os",
            "config",
            "rootfs",
            "history",
        ];
        for member in members {
            let text = format!(r#"{{"{member}":null}}"#);
            assert_eq!(
                serde_json::from_str::<ImageConfig>(&text).unwrap(),
                empty,
                "{text}"
            );
        }
        let members = [
            "User",
            "ExposedPorts",
            "Env",
            "Entrypoint",
            "Cmd",
            "Volumes",
            "WorkingDir",
            "Labels",
            "StopSignal",
            "Healthcheck",
        ];
        for member in members {
            let text = format!(r#"{{"config":{{"{member}":null}}}}"#);
            assert_eq!(
                serde_json::from_str::<ImageConfig>(&text).unwrap(),
                empty,
                "{text}"
            );
        }
        let inner: ImageConfig = serde_json::from_str(
            r#"{"config":{"ExposedPorts":{"1/tcp":null},"Volumes":{"/v":null},"Labels":{"a":null},"Env":[null],
                "Healthcheck":{"Test":[null],"Interval":null,"Timeout":null,"StartPeriod":null,"StartInterval":null,
                "Retries":null}},
                "rootfs":{"type":null,"diff_ids":null},"history":[{"created":null,"created_by":null,"author":null,
                "comment":null,"empty_layer":null}]}"#,
        )
        .unwrap();
        assert!(inner.config.exposed_ports.contains_key("1/tcp") && inner.config.volumes.contains_key("/v"));
        assert_eq!(
            (&inner.config.labels["a"][..], &inner.config.env[..]),
            ("", &[String::new()][..])
        );
        assert_eq!(inner.config.healthcheck.unwrap().test, [""]);
    }

    #[test]
    fn writes_only_what_is_set() {
        let config = ImageConfig {
            os: "linux".into(),
            architecture: "amd64".into(),
            ..Default::default()
        };
        assert_eq!(
            serde_json::to_string(&config).unwrap(),
            r#"{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[]}}"#
        );
    }
}
