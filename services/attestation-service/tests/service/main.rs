//! Tests of the service over TLS on the loopback interface, with quotes of simulated platforms.

mod attest;
mod azure;
mod bad_input;
mod genuine;
mod limits;
mod management;
mod metadata;
mod own_client;
mod signed_policies;
mod support;
