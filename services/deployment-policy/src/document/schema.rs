//! The JSON schema of the document.

#![cfg(feature = "schema")]

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, json_schema};

use super::Document;

/// The schema (draft 2020-12), as it is published.
#[must_use]
pub fn schema() -> serde_json::Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<Document>();
    schema.insert(
        "title".to_owned(),
        serde_json::Value::from("Deployment policy of Nacre"),
    );
    schema.to_value()
}

/// How [`dcap_quote::Bytes`] are written.
fn hex(digits: u32) -> Schema {
    json_schema!({
        "type": "string",
        "pattern": format!("^([0-9a-f]{{{digits}}}|[0-9A-F]{{{digits}}})$"),
    })
}

/// 16 bytes in hexadecimal.
pub struct Hex16;

/// 32 bytes in hexadecimal.
pub struct Hex32;

impl JsonSchema for Hex16 {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Hex16".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> Schema {
        hex(32)
    }
}

impl JsonSchema for Hex32 {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Hex32".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> Schema {
        hex(64)
    }
}
