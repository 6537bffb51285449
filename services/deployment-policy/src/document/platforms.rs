//! Whose machines: since keys can be read out of a machine by whoever has it in hand (WireTap, TEE.fail), a good quote alone
//! does not say that its machine is in good hands.

use std::fmt;
use std::str::FromStr;

use dcap_quote::Bytes;
use serde::{Deserialize, Serialize};

use super::dates::Lifetime;
use super::names::Name;
use super::text::{NotOfThatForm, text_type};

/// The machines that are accepted: a node of the list, or one that the registry knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Platforms {
    /// The operator's own machines, taken when a machine joins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<Node>,
    /// The base URL of a public registry of a cloud's hosts. It is asked for `confidential-host-registry/PPID` below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<RegistryUrl>,
    /// For how long an answer of the registry may be used again; a day unless it is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry_max_age: Option<Lifetime>,
}

/// A machine, by what its PCK certificate says. If both are there, both must be right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// How its operator calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// PPID, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<super::schema::Hex16>"))]
    pub ppid: Option<Bytes<16>>,
    /// PlatformInstanceID, in hexadecimal; only platforms that register with Intel have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<super::schema::Hex16>"))]
    pub platform_instance_id: Option<Bytes<16>>,
}

impl Node {
    /// Whether the machine with these is meant.
    #[must_use]
    pub fn is(&self, ppid: Option<Bytes<16>>, platform_instance_id: Option<Bytes<16>>) -> bool {
        // An entry without either would be any machine; no policy has one.
        (self.ppid.is_some() || self.platform_instance_id.is_some())
            && self.ppid.is_none_or(|own| ppid == Some(own))
            && self
                .platform_instance_id
                .is_none_or(|own| platform_instance_id == Some(own))
    }
}

/// Where a registry is: `https://HOST[:PORT][/PATH]`, without a `/` at its end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegistryUrl(String);

impl RegistryUrl {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RegistryUrl {
    type Err = NotOfThatForm;

    fn from_str(text: &str) -> Result<Self, NotOfThatForm> {
        let rest = text.strip_prefix("https://");
        let is_good = |character: char| character.is_ascii_alphanumeric() || ".-_~:/[]%".contains(character);
        let has_host =
            |rest: &str| rest.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '[');
        let is_url =
            rest.is_some_and(|rest| has_host(rest) && !rest.ends_with('/') && rest.chars().all(is_good));
        if is_url && text.len() <= 1024 {
            Ok(Self(text.to_owned()))
        } else {
            let must = "is no URL of a registry: write https://HOST[:PORT][/PATH], without a '/' at its end";
            Err(NotOfThatForm::new(text, must))
        }
    }
}

impl fmt::Display for RegistryUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_type!(
    RegistryUrl,
    "^https://[A-Za-z0-9\\[][A-Za-z0-9._~:/\\[\\]%-]*$",
    "https://HOST[:PORT][/PATH], without a / at its end."
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_itself_only() {
        let node = |ppid, instance| Node {
            name: None,
            ppid,
            platform_instance_id: instance,
        };
        let (one, two) = (Some(Bytes([1; 16])), Some(Bytes([2; 16])));
        assert!(
            node(one, None).is(one, None) && node(one, None).is(one, two) && node(None, two).is(one, two)
        );
        assert!(node(one, two).is(one, two));
        assert!(!node(one, two).is(one, None) && !node(one, two).is(one, one));
        assert!(!node(one, None).is(None, one) && !node(None, two).is(two, None));
        assert!(!node(None, None).is(None, None) && !node(None, None).is(one, two));
    }

    #[test]
    fn urls() {
        for good in ["https://storage.googleapis.com", "https://[::1]:8443/a/b"] {
            assert_eq!(good.parse::<RegistryUrl>().unwrap().as_str(), good);
        }
        for bad in [
            "http://a",
            "https://",
            "https:///a",
            "https://a/",
            "https://a?b",
            "https://u@a",
            "https://a b",
        ] {
            assert!(bad.parse::<RegistryUrl>().is_err(), "{bad}");
        }
    }
}
