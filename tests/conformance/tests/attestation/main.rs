//! Enclaves prove what they are: by the files of `/dev/attestation`, to who connects with TLS, and to an attestation service.

mod devices;
mod platform;
mod service;
mod tls;
