//! Attestation of enclaves: the files of `/dev/attestation`, RA-TLS, and an attestation service.

mod devices;
mod platform;
mod service;
mod tls;
