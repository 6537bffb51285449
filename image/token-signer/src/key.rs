//! A key in a token, and the session that is open to it.

use std::fs;
use std::io;
use std::path::PathBuf;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use sgx_sign::{PublicKey, Signer};
use zeroize::Zeroizing;

use crate::TokenUri;

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The module cannot be loaded or does not work.
    #[error("cannot use the PKCS #11 module {}", .0.display())]
    Module(PathBuf, #[source] cryptoki::error::Error),
    /// The file with the PIN cannot be read.
    #[error("cannot read the PIN from {}", .0.display())]
    Pin(PathBuf, #[source] io::Error),
    /// There is no such token, or more than one.
    #[error("there are {1} tokens with the label {0:?}: name one by token=LABEL")]
    Tokens(String, usize),
    /// There is no such key, or more than one.
    #[error("{0}: there are {1} private keys like that in it (is the PIN given, by pin-source=FILE?)")]
    Keys(String, usize),
    /// The key is none that SGX takes.
    #[error("{0}: it is not an RSA key of 3072 bits with exponent 3, the only kind that SGX takes")]
    Kind(String),
    /// The token refuses something.
    #[error("{0}")]
    Token(String, #[source] cryptoki::error::Error),
}

/// A private key that stays in its token.
pub struct TokenKey {
    name: String,
    session: Session,
    private: ObjectHandle,
    public: PublicKey,
}

impl TokenKey {
    /// Opens a session to the key.
    ///
    /// # Errors
    /// The module, the token or the key cannot be used.
    pub fn open(uri: &TokenUri) -> Result<Self, TokenError> {
        let name = uri.to_string();
        let module = |error| TokenError::Module(uri.module.clone(), error);
        let refused = |error| TokenError::Token(name.clone(), error);
        let context = Pkcs11::new(&uri.module).map_err(module)?;
        match context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            // Another key of the same module was opened before.
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
            Err(error) => return Err(module(error)),
        }
        let session = context.open_ro_session(slot(&context, uri)?).map_err(refused)?;
        if let Some(pin) = pin(uri)? {
            let pin = AuthPin::new(pin.as_str().into());
            session.login(UserType::User, Some(&pin)).map_err(refused)?;
        }
        let mut wanted = vec![Attribute::Class(ObjectClass::PRIVATE_KEY)];
        wanted.extend(
            uri.object
                .iter()
                .map(|label| Attribute::Label(label.clone().into_bytes())),
        );
        wanted.extend(uri.id.iter().map(|id| Attribute::Id(id.clone())));
        let found = session.find_objects(&wanted).map_err(refused)?;
        let &[private] = found.as_slice() else {
            return Err(TokenError::Keys(name, found.len()));
        };
        let public = public_key(&session, private).map_err(refused)?;
        let public = public.ok_or_else(|| TokenError::Kind(name.clone()))?;
        Ok(Self {
            name,
            session,
            private,
            public,
        })
    }
}

impl Signer for TokenKey {
    fn public(&self) -> PublicKey {
        self.public.clone()
    }

    fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        let signed = self.session.sign(&Mechanism::Sha256RsaPkcs, self.private, bytes);
        signed.map_err(|error| format!("{}: {error}", self.name))
    }
}

/// The one slot whose token has the label.
fn slot(context: &Pkcs11, uri: &TokenUri) -> Result<Slot, TokenError> {
    let module = |error| TokenError::Module(uri.module.clone(), error);
    let mut found = Vec::new();
    for slot in context.get_slots_with_initialized_token().map_err(module)? {
        let label = context.get_token_info(slot).map_err(module)?.label().to_owned();
        if uri.token.as_ref().is_none_or(|wanted| *wanted == label) {
            found.push(slot);
        }
    }
    match found.as_slice() {
        &[slot] => Ok(slot),
        _ => Err(TokenError::Tokens(
            uri.token.clone().unwrap_or_default(),
            found.len(),
        )),
    }
}

/// The PIN; none if the token needs none, or asks for it by itself.
fn pin(uri: &TokenUri) -> Result<Option<Zeroizing<String>>, TokenError> {
    if let Some(path) = &uri.pin_source {
        let text = fs::read_to_string(path).map_err(|error| TokenError::Pin(path.clone(), error))?;
        let text = Zeroizing::new(text);
        return Ok(Some(Zeroizing::new(
            text.trim_end_matches(['\r', '\n']).to_owned(),
        )));
    }
    Ok(uri.pin_value.clone())
}

/// The public half, which tokens show with the private key; `None` if SGX does not take such keys.
fn public_key(session: &Session, private: ObjectHandle) -> cryptoki::error::Result<Option<PublicKey>> {
    let wanted = [AttributeType::Modulus, AttributeType::PublicExponent];
    let (mut modulus, mut exponent) = (Vec::new(), Vec::new());
    for attribute in session.get_attributes(private, &wanted)? {
        match attribute {
            Attribute::Modulus(bytes) => modulus = bytes,
            Attribute::PublicExponent(bytes) => exponent = bytes,
            _ => {}
        }
    }
    Ok(PublicKey::from_parts(&modulus, &exponent))
}
