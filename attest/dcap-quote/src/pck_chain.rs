//! The chain of a PCK certificate, as quotes bring it.
//!
//! Platforms get it from Intel, a cache or a cloud, and quoting libraries copy it as it comes: with other line lengths and
//! line ends than Intel's, or from the root down. So its form is not what counts: whatever decodes to the same three
//! certificates is the same chain. Each of them is verified.

use crate::certificate::Certificate;
use crate::checked::exactly;
use crate::pem;
use crate::refusal::{Chain, Refusal};

/// In DER: leaf, authority and root. A chain that is in no order at all stays as it is, and will be refused.
pub(crate) fn blocks(text: &str) -> Result<[Vec<u8>; 3], Refusal> {
    let chain = Chain::Pck;
    let blocks = pem::decode_in_any_form(text, "CERTIFICATE");
    exactly(chain, blocks.map_err(|error| Refusal::Pem { chain, error })?)
}

/// Leaf, authority and root in this order, by the names of their issuers.
pub(crate) fn in_order(blocks: [Vec<u8>; 3]) -> [Vec<u8>; 3] {
    let parsed = blocks.each_ref().map(|der| Certificate::parse(der).ok());
    let [Some(first), Some(second), Some(third)] = &parsed else {
        return blocks;
    };
    let is_chain = |leaf: &Certificate, authority: &Certificate, root: &Certificate| {
        root.issuer() == root.subject()
            && authority.issuer() == root.subject()
            && authority.subject() != root.subject()
            && leaf.issuer() == authority.subject()
    };
    let [one, two, three] = blocks;
    if is_chain(first, second, third) {
        [one, two, three]
    } else if is_chain(first, third, second) {
        [one, three, two]
    } else if is_chain(second, first, third) {
        [two, one, three]
    } else if is_chain(second, third, first) {
        [two, three, one]
    } else if is_chain(third, first, second) {
        [three, one, two]
    } else if is_chain(third, second, first) {
        [three, two, one]
    } else {
        [one, two, three]
    }
}

/// As [`blocks`], in order and parsed.
pub(crate) fn certificates(text: &str) -> Result<[Certificate; 3], Refusal> {
    let blocks = in_order(blocks(text)?);
    let mut certificates = Vec::new();
    for (number, der) in (1..).zip(&blocks) {
        certificates.push(Certificate::parse(der).map_err(Chain::Pck.at(number))?);
    }
    exactly(Chain::Pck, certificates)
}
