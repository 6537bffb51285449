//! A certificate of the key, signed with the key itself (RFC 5280), with the quote that vouches for it.

use alloc::vec::Vec;

use crate::der::{self, tag};
use crate::key::TlsKey;
use crate::time::Validity;
use crate::{evidence, pem};

/// What a certificate says beside the quote.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// From when to when.
    pub validity: Validity,
    /// Random bytes that tell certificates of one key apart.
    pub serial_number: [u8; 16],
    /// Names that clients may look for. They prove nothing.
    pub names: &'a [Name<'a>],
}

/// A name of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name<'a> {
    /// In the domain name system.
    Dns(&'a [u8]),
    /// An address, of 4 or 16 bytes.
    Address(&'a [u8]),
}

// Object identifiers, as DER has their values.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const ECDSA_WITH_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 0x11];
const SERVER_AUTHENTICATION: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01];
const CLIENT_AUTHENTICATION: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02];
/// `tcg-dice-conceptual-message-wrapper` (2.23.133.5.4.9).
const TAGGED_EVIDENCE: &[u8] = &[0x67, 0x81, 0x05, 0x05, 0x04, 0x09];

/// `digitalSignature`, the first bit of eight with seven unused ones.
const DIGITAL_SIGNATURE: [u8; 2] = [7, 0x80];
const CRITICAL: &[u8] = &[tag::BOOLEAN, 1, 0xff];
const NOT_CRITICAL: &[u8] = &[];
/// Version 3.
const VERSION: [u8; 1] = [2];
/// What the certificate calls itself.
const SUBJECT: &str = "Nacre RA-TLS";

impl TlsKey {
    /// Asks `quote` for a quote with the report data it is given, and makes the certificate, as PEM.
    ///
    /// # Errors
    /// What `quote` fails with.
    pub fn certificate<E>(
        &self,
        request: &Request<'_>,
        quote: impl FnOnce(&[u8; 64]) -> Result<Vec<u8>, E>,
    ) -> Result<Vec<u8>, E> {
        let info = self.info();
        let claims = evidence::claims(&info);
        let quote = quote(&evidence::report_data(&claims))?;
        let content = content(request, &info, &evidence::evidence(&quote, &claims));
        let signature = der::bit_string(&self.sign(&content));
        let der = der::sequence(&[&content, &algorithm(), &signature]);
        Ok(pem::encode("CERTIFICATE", &der))
    }
}

/// TBSCertificate.
fn content(request: &Request<'_>, info: &[u8], evidence: &[u8]) -> Vec<u8> {
    let version = der::value(tag::explicit(0), &[&der::value(tag::INTEGER, &[&VERSION])]);
    // Positive, and not zero.
    let mut serial_number = request.serial_number;
    serial_number[0] = serial_number[0] & 0x7f | 0x40;
    let subject = subject();
    let extensions = der::value(tag::explicit(3), &[&extensions(request.names, evidence)]);
    der::sequence(&[
        &version,
        &der::integer(&serial_number),
        &algorithm(),
        &subject,
        &request.validity.encode(),
        &subject,
        info,
        &extensions,
    ])
}

fn algorithm() -> Vec<u8> {
    der::sequence(&[&identifier(ECDSA_WITH_SHA256)])
}

fn identifier(value: &[u8]) -> Vec<u8> {
    der::value(tag::OBJECT_IDENTIFIER, &[value])
}

fn subject() -> Vec<u8> {
    let name = der::value(tag::UTF8_STRING, &[SUBJECT.as_bytes()]);
    let attribute = der::sequence(&[&identifier(COMMON_NAME), &name]);
    der::sequence(&[&der::value(tag::SET, &[&attribute])])
}

fn extensions(names: &[Name<'_>], evidence: &[u8]) -> Vec<u8> {
    let usages = der::sequence(&[
        &identifier(SERVER_AUTHENTICATION),
        &identifier(CLIENT_AUTHENTICATION),
    ]);
    let mut all = Vec::new();
    // An empty sequence: no authority.
    all.extend(extension(BASIC_CONSTRAINTS, CRITICAL, &der::sequence(&[])));
    let usage = der::value(tag::BIT_STRING, &[&DIGITAL_SIGNATURE]);
    all.extend(extension(KEY_USAGE, CRITICAL, &usage));
    all.extend(extension(EXTENDED_KEY_USAGE, NOT_CRITICAL, &usages));
    if !names.is_empty() {
        let names: Vec<Vec<u8>> = names.iter().map(general_name).collect();
        let names: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
        all.extend(extension(ALTERNATIVE_NAMES, NOT_CRITICAL, &der::sequence(&names)));
    }
    // Not critical, although DICE wants it: TLS libraries refuse critical extensions that they do not know.
    all.extend(extension(TAGGED_EVIDENCE, NOT_CRITICAL, evidence));
    der::sequence(&[&all])
}

/// An extension with `critical` as DER has it: nothing for FALSE, the default.
fn extension(name: &[u8], critical: &[u8], content: &[u8]) -> Vec<u8> {
    let content = der::value(tag::OCTET_STRING, &[content]);
    der::sequence(&[&identifier(name), critical, &content])
}

/// GeneralName: `dNSName [2]` or `iPAddress [7]`.
fn general_name(name: &Name<'_>) -> Vec<u8> {
    match *name {
        Name::Dns(name) => der::value(tag::context(2), &[name]),
        Name::Address(address) => der::value(tag::context(7), &[address]),
    }
}
