//! The hash by which tokens name a policy.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// `BASE64URL(SHA256(BASE64URL(text)))`, without padding: the claim `x-ms-policy-hash`.
#[must_use]
pub fn policy_hash(text: &str) -> String {
    let encoded = URL_SAFE_NO_PAD.encode(text);
    URL_SAFE_NO_PAD.encode(digest(&SHA256, encoded.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::policy_hash;

    /// `printf %s "$text" | basenc -w0 --base64url | tr -d = | openssl sha256 -binary | basenc --base64url | tr -d =`
    #[test]
    fn is_what_other_tools_compute() {
        for (text, hash) in [
            ("", "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"),
            (
                "version=1.0; authorizationrules{=> permit();}; issuancerules{};",
                "z0FRjKS0ssQTNur1V6BV8WIrh9M3fzgTo0EfHRvapWU",
            ),
        ] {
            assert_eq!(policy_hash(text), hash, "{text}");
        }
    }
}
