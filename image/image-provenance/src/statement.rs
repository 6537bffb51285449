//! How a confidential image was made: an in-toto statement with a SLSA provenance predicate.
//!
//! Source: in-toto Attestation Framework, spec/v1/statement.md; SLSA v1.0, provenance.

use oci_image::Digest;
use serde_json::{Value, json};

/// The media type of the statement.
pub const STATEMENT: &str = "application/vnd.in-toto+json";
/// The annotation that says what the statement is about, by which tools choose.
pub const PREDICATE: &str = "in-toto.io/predicate-type";
/// What it says that it is about.
pub const PREDICATE_TYPE: &str = "https://slsa.dev/provenance/v1";

/// What a confidential image was made from.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its name in a registry, if it came from one. Names of files say nothing to others.
    pub name: Option<String>,
    /// The digest of its manifest, if it has one.
    pub manifest: Option<Digest>,
    /// The digest of its configuration: Docker's image ID.
    pub config: Digest,
}

/// What was made.
#[derive(Clone, Debug)]
pub struct Made {
    /// The digest of the confidential image's manifest.
    pub manifest: Digest,
    /// MRENCLAVE, in hexadecimal.
    pub mr_enclave: String,
    /// MRSIGNER, in hexadecimal.
    pub mr_signer: String,
}

/// The statement. `options` are those of the conversion.
pub fn provenance(source: &Source, options: &Value, made: &Made) -> Vec<u8> {
    let name = source.name.as_deref();
    let mut dependencies = vec![json!({
        "name": "image configuration",
        "digest": { "sha256": source.config.hex() },
    })];
    if let Some(manifest) = source.manifest {
        let mut image = json!({ "name": "image manifest", "digest": { "sha256": manifest.hex() } });
        if let (Some(name), Some(image)) = (name, image.as_object_mut()) {
            image.insert("uri".into(), name.into());
        }
        dependencies.insert(0, image);
    }
    let source_name = name.map_or_else(|| source.config.to_string(), str::to_owned);
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{
            "name": "confidential image",
            "digest": { "sha256": made.manifest.hex() },
        }],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "buildDefinition": {
                "buildType": "urn:nacre:convert:v1",
                "externalParameters": { "source": source_name, "options": options },
                "resolvedDependencies": dependencies,
            },
            "runDetails": {
                "builder": {
                    "id": "urn:nacre",
                    "version": { "nacre": env!("CARGO_PKG_VERSION") },
                },
                "byproducts": [
                    { "name": "MRENCLAVE", "digest": { "sgxMrEnclave": made.mr_enclave } },
                    { "name": "MRSIGNER", "digest": { "sgxMrSigner": made.mr_signer } },
                ],
            },
        },
    });
    statement.to_string().into_bytes()
}
