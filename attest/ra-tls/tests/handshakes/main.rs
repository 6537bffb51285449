//! Certificates with quotes of a simulated platform: handshakes by rustls, attacks, and OpenSSL as an independent reader.

mod attacks;
mod interoperation;
mod sessions;
mod support;
