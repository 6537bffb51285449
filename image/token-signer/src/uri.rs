//! PKCS #11 URIs (RFC 7512), as far as they name a key and how to get at it.

use std::fmt;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

/// What such URIs begin with.
const SCHEME: &str = "pkcs11:";

/// A key in a token: `pkcs11:token=NAME;object=NAME?module-path=FILE&pin-source=FILE`.
#[derive(Clone)]
pub struct TokenUri {
    /// The token's label; any token if there is none.
    pub token: Option<String>,
    /// The key's label.
    pub object: Option<String>,
    /// The key's id.
    pub id: Option<Vec<u8>>,
    /// The module: a shared library.
    pub module: PathBuf,
    /// A file with the PIN.
    pub pin_source: Option<PathBuf>,
    /// The PIN itself. A command line is no place for secrets, but the standard has it.
    pub pin_value: Option<Zeroizing<String>>,
}

/// Why a text names no key.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAUri {
    /// An attribute that is not known, and so would be left out of account.
    #[error(
        "{0:?} is not an attribute of a PKCS #11 URI that nacre knows: token, object, id, type; module-path, pin-source, pin-value"
    )]
    Attribute(String),
    /// It holds what is no text.
    #[error("{0:?} in the PKCS #11 URI is not text")]
    Text(String),
    /// Neither a label nor an id.
    #[error("the PKCS #11 URI names no key: give object=LABEL or id=BYTES")]
    NoObject,
    /// No module.
    #[error(
        "the PKCS #11 URI names no module: give ?module-path=FILE, the shared library of the token's vendor"
    )]
    NoModule,
}

impl TokenUri {
    /// The key that a text names, if the text is such a URI.
    ///
    /// # Errors
    /// It is one, and says too little or what is not known.
    pub fn parse(text: &str) -> Option<Result<Self, NotAUri>> {
        text.strip_prefix(SCHEME).map(Self::of_rest)
    }

    fn of_rest(rest: &str) -> Result<Self, NotAUri> {
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (mut token, mut object, mut id) = (None, None, None);
        let (mut module, mut pin_source, mut pin_value) = (None, None, None);
        let attributes = path.split(';').chain(query.split('&'));
        for attribute in attributes.filter(|attribute| !attribute.is_empty()) {
            let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
            let bytes = || percent_decode_str(value).collect::<Vec<u8>>();
            let text = || String::from_utf8(bytes()).map_err(|_| NotAUri::Text(name.to_owned()));
            match name {
                "token" => token = Some(text()?),
                "object" => object = Some(text()?),
                "id" => id = Some(bytes()),
                // A signature needs the private key, whatever is written here.
                "type" => {}
                "module-path" => module = Some(PathBuf::from(text()?)),
                "pin-source" => {
                    let source = text()?;
                    pin_source = Some(PathBuf::from(source.strip_prefix("file:").unwrap_or(&source)));
                }
                "pin-value" => pin_value = Some(Zeroizing::new(text()?)),
                other => return Err(NotAUri::Attribute(other.to_owned())),
            }
        }
        if object.is_none() && id.is_none() {
            return Err(NotAUri::NoObject);
        }
        Ok(Self {
            token,
            object,
            id,
            module: module.ok_or(NotAUri::NoModule)?,
            pin_source,
            pin_value,
        })
    }
}

/// Without the PIN.
impl fmt::Debug for TokenUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for TokenUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |name: &Option<String>| name.clone().unwrap_or_else(|| "(any)".to_owned());
        write!(
            f,
            "the key {} of the token {}",
            name(&self.object),
            name(&self.token)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<TokenUri, NotAUri> {
        TokenUri::parse(text).unwrap()
    }

    #[test]
    fn names_and_ids_are_decoded() {
        let uri = parse("pkcs11:token=my%20token;object=signer;id=%01%ff;type=private?module-path=/m.so&pin-source=file:/pin").unwrap();
        assert_eq!(uri.token.as_deref(), Some("my token"));
        assert_eq!(uri.object.as_deref(), Some("signer"));
        assert_eq!(uri.id.as_deref(), Some(&[1, 0xff][..]));
        assert_eq!(
            (uri.module, uri.pin_source),
            ("/m.so".into(), Some("/pin".into()))
        );
    }

    #[test]
    fn what_is_left_out_or_unknown_is_said() {
        assert!(TokenUri::parse("signer.pem").is_none());
        assert_eq!(
            parse("pkcs11:token=a?module-path=/m.so").unwrap_err(),
            NotAUri::NoObject
        );
        assert_eq!(parse("pkcs11:object=a").unwrap_err(), NotAUri::NoModule);
        let unknown = parse("pkcs11:object=a;colour=red?module-path=/m.so").unwrap_err();
        assert_eq!(unknown, NotAUri::Attribute("colour".into()));
    }

    #[test]
    fn a_pin_is_never_printed() {
        let uri = parse("pkcs11:object=a?module-path=/m.so&pin-value=1234").unwrap();
        assert!(!format!("{uri:?} {uri}").contains("1234"));
        assert_eq!(uri.pin_value.unwrap().as_str(), "1234");
    }
}
