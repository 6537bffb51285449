//! Reads claims from a file, to try a policy on.

use anyhow::{Context, Result, anyhow, bail, ensure};
use attestation_policy::{Claim, Issuer, Value};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value as Json;

/// Reads `{"name": value, …}`, claims of the service, or `[{"type": …, "value": …, "issuer": …}, …]`, where the issuer is
/// `CustomClaim` unless it is given. Objects and arrays as values become strings of JSON, as the service hands them to
/// policies.
pub fn claims(json: &[u8]) -> Result<Vec<Claim>> {
    let Claims(raw) = serde_json::from_slice(json)?;
    raw.into_iter().map(claim).collect()
}

fn claim(raw: RawClaim) -> Result<Claim> {
    let name = raw.claim_type;
    let value = value(raw.value).with_context(|| format!("the claim {name:?}"))?;
    let issuer = Issuer::from_name(&raw.issuer).ok_or_else(|| {
        anyhow!(
            "the claim {name:?} has the issuer {:?}; there are AttestationService, AttestationPolicy and CustomClaim",
            raw.issuer
        )
    })?;
    let claim = Claim::new(name.clone(), value, issuer);
    if let Some(given) = raw.value_type {
        let actual = claim.value.value_type().name();
        ensure!(
            given == actual,
            "the claim {name:?} has the valueType {given:?}, but its value is {actual}"
        );
    }
    Ok(claim)
}

fn value(json: Json) -> Result<Value> {
    Ok(match json {
        Json::String(text) => text.into(),
        Json::Bool(boolean) => boolean.into(),
        Json::Number(number) => number
            .as_i64()
            .with_context(|| format!("{number} is not an integer of 64 bits"))?
            .into(),
        Json::Null => bail!("a claim cannot be null"),
        json => json.to_string().into(),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawClaim {
    #[serde(rename = "type")]
    claim_type: String,
    value: Json,
    #[serde(rename = "valueType")]
    value_type: Option<String>,
    #[serde(default = "custom")]
    issuer: String,
}

fn custom() -> String {
    Issuer::CustomClaim.name().to_owned()
}

struct Claims(Vec<RawClaim>);

impl<'de> Deserialize<'de> for Claims {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Claims;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object of names and values, or an array of claims with type and value")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Claims, A::Error> {
                let mut claims: Vec<RawClaim> = Vec::new();
                while let Some((claim_type, value)) = map.next_entry::<String, Json>()? {
                    if claims.iter().any(|claim| claim.claim_type == claim_type) {
                        return Err(serde::de::Error::custom(format!(
                            "{claim_type:?} is there twice; use an array to give a claim several values"
                        )));
                    }
                    claims.push(RawClaim {
                        claim_type,
                        value,
                        value_type: None,
                        issuer: Issuer::AttestationService.name().to_owned(),
                    });
                }
                Ok(Claims(claims))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Claims, A::Error> {
                let mut claims = Vec::new();
                while let Some(claim) = elements.next_element()? {
                    claims.push(claim);
                }
                Ok(Claims(claims))
            }
        }

        deserializer.deserialize_any(Either)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms() {
        assert_eq!(
            claims(br#"{"a": 1, "b": "x", "c": true, "d": {"y": [1]}}"#).unwrap(),
            [
                Claim::verified("a", 1),
                Claim::verified("b", "x"),
                Claim::verified("c", true),
                Claim::verified("d", r#"{"y":[1]}"#),
            ]
        );
        assert_eq!(
            claims(
                br#"[{"type": "a", "value": 1, "issuer": "AttestationService"},
                     {"type": "a", "value": 1, "valueType": "Integer"}]"#
            )
            .unwrap(),
            [Claim::verified("a", 1), Claim::new("a", 1, Issuer::CustomClaim)]
        );
    }

    #[test]
    fn what_is_wrong() {
        for (json, part) in [
            ("", "EOF"),
            ("3", "an object of names and values, or an array"),
            (r#"{"a": 1, "a": 2}"#, "\"a\" is there twice"),
            (r#"{"a": null}"#, "the claim \"a\""),
            (r#"{"a": 1.5}"#, "1.5 is not an integer"),
            (
                r#"{"a": 9223372036854775808}"#,
                "9223372036854775808 is not an integer",
            ),
            (r#"[{"value": 1}]"#, "missing field `type`"),
            (r#"[{"type": "a"}]"#, "missing field `value`"),
            (r#"[{"type": "a", "value": 1, "isuer": "x"}]"#, "isuer"),
            (
                r#"[{"type": "a", "value": 1, "issuer": "me"}]"#,
                "has the issuer \"me\"",
            ),
            (
                r#"[{"type": "a", "value": 1, "valueType": "String"}]"#,
                "but its value is Integer",
            ),
        ] {
            let error = format!("{:#}", claims(json.as_bytes()).unwrap_err());
            assert!(error.contains(part), "{error}");
        }
    }
}
