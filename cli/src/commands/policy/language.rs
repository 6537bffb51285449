//! Which language a policy is in: that of attestation services, or that of deployments.

use std::path::Path;

/// What a policy is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// `version=1.0; authorizationrules { … };`, for an attestation service.
    Attestation,
    /// YAML or JSON, for a deployment.
    Deployment,
}

impl Language {
    /// By how the text begins, and otherwise by the file's name.
    pub fn of(text: &str, path: &Path) -> Self {
        let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim_start);
        // What begins a comment or a document in YAML begins nothing in the other language, whose comments begin with `//`.
        let first = lines.into_iter().find(|line| !line.is_empty() && *line != "---");
        let first = first.unwrap_or_default();
        let name: usize = first
            .chars()
            .take_while(|character| character.is_ascii_alphanumeric() || *character == '_')
            .map(char::len_utf8)
            .sum();
        let is_field = name > 0
            && first
                .get(name..)
                .is_some_and(|rest| rest.trim_start().starts_with(':'));
        let is_named_so = path
            .extension()
            .is_some_and(|extension| ["yaml", "yml", "json"].iter().any(|known| extension == *known));
        if first.starts_with(['{', '#', '%', '"', '\'']) || is_field || (is_named_so && !first.contains('='))
        {
            Self::Deployment
        } else {
            Self::Attestation
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_the_beginning() {
        for text in [
            "name: shop\n",
            "# comment\nname: shop",
            "---\nname: shop",
            "\u{feff}\n{\"name\": \"shop\"}",
            "services:\n",
            "'name' : x",
        ] {
            assert_eq!(
                Language::of(text, Path::new("policy")),
                Language::Deployment,
                "{text}"
            );
        }
        for text in [
            "version=1.0; authorizationrules { => permit(); };",
            "// a: comment\nversion = 1.0;",
            "authorizationrules {};",
            "eyJhbGciOiJub25lIn0.e30.",
            "",
        ] {
            assert_eq!(
                Language::of(text, Path::new("policy")),
                Language::Attestation,
                "{text}"
            );
        }
        assert_eq!(Language::of("shop", Path::new("a.yaml")), Language::Deployment);
        assert_eq!(
            Language::of("version=1.0;", Path::new("a.json")),
            Language::Attestation
        );
    }
}
