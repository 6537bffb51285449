//! From a grant and the values of secrets to what the enclave is given.

use std::cell::Cell;
use std::fmt;

use provisioning::{File, Hex, Owner, Provision, Renewal, SecretBytes, SecretText};
use zeroize::Zeroizing;

use crate::document::{self, ImageKeyId, Mode, Name};
use crate::grant::Grant;
use crate::limits::{MAX_ARGUMENT, MAX_RESOLVED};
use crate::template::{Reference, ReferenceKind, Template, Values, fill};

/// The values of secrets, for one instance of one service.
pub trait Secrets {
    /// What is wanted of a secret: its value, or PEM (a private key in PKCS #8; certificates, the holder's first). None if
    /// there is none yet.
    fn material(&self, secret: &Name, wanted: ReferenceKind) -> Option<Material>;

    /// The key of an encrypted image.
    fn image_key(&self, key: ImageKeyId) -> Option<Zeroizing<Vec<u8>>>;
}

/// A value, and for how long it is the newest.
#[derive(Clone)]
pub struct Material {
    /// The value.
    pub value: Zeroizing<Vec<u8>>,
    /// In how many seconds there is a newer one; none if that is not known.
    pub renew_after: Option<u64>,
}

/// Why a grant cannot be resolved. It never says a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct ResolveError {
    /// The field of the policy.
    pub path: String,
    /// What is wrong with it.
    pub problem: ResolveProblem,
}

/// See [`ResolveError`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveProblem {
    /// A secret has no value.
    #[error("the secret {:?} has no value yet; set it with nacre secret set", .0.as_str())]
    NoValue(Name),
    /// An image key is not kept here.
    #[error("the broker does not have the image key {0}; give it with nacre secret set")]
    NoImageKey(ImageKeyId),
    /// An argument or a variable that is no text.
    #[error("a value in it is no text in UTF-8 without zero bytes; add | base64 or | hex")]
    NotText,
    /// An argument or a variable that Linux would refuse.
    #[error("it has more than {MAX_ARGUMENT} bytes; write it into a file")]
    TooLong,
    /// All of it together.
    #[error("what the service gets has more than {MAX_RESOLVED} bytes")]
    TooLarge,
}

impl Grant<'_> {
    /// What the enclave is given.
    ///
    /// # Errors
    /// When a value is missing, or does not fit where it stands.
    pub fn resolve(&self, secrets: &dyn Secrets) -> Result<Provision, ResolveError> {
        let service = self.service();
        let prefix = format!("services.{}", self.service_name());
        let filler = Filler {
            secrets,
            renew_after: Cell::new(None),
            left: Cell::new(MAX_RESOLVED),
        };
        let arguments = service.arguments.as_ref().map(|arguments| {
            let arguments = arguments.iter().enumerate();
            let text = |(at, argument)| filler.text(argument, &format_args!("{prefix}.arguments[{at}]"));
            arguments.map(text).collect::<Result<_, _>>()
        });
        let environment = service.environment.iter().map(|(variable, value)| {
            let text = filler.text(value, &format_args!("{prefix}.environment.{variable}"))?;
            Ok((variable.to_string(), text))
        });
        let files = service.files.iter().map(|(path, file)| {
            Ok(File {
                path: path.to_string(),
                content: filler.content(file, &format_args!("{prefix}.files.{path}"))?,
                mode: file.mode.unwrap_or(Mode::PRIVATE).bits().into(),
                owner: file.owner.map(|owner| Owner {
                    user: owner.user,
                    group: owner.group,
                }),
            })
        });
        let image_key = self.image_key().map(|key| {
            let found = secrets.image_key(key).map(|key| SecretBytes::from(key.to_vec()));
            found.ok_or_else(|| {
                error(
                    &format_args!("{prefix}.image_keys"),
                    ResolveProblem::NoImageKey(key),
                )
            })
        });
        Ok(Provision {
            policy: Hex(*self.policy().digest().as_bytes()),
            deployment: self.policy().name().to_string(),
            service: self.service_name().to_string(),
            arguments: arguments.transpose()?,
            environment: environment.collect::<Result<_, _>>()?,
            working_directory: service.working_directory.as_ref().map(ToString::to_string),
            files: files.collect::<Result<_, _>>()?,
            image_key: image_key.transpose()?,
            renewal: filler.renew_after.get().map(|after| Renewal {
                after,
                signal: match service.on_renewal {
                    document::Renewal::Rewrite => None,
                    document::Renewal::Signal(signal) => Some(signal.number()),
                },
            }),
        })
    }
}

/// Fills templates, and remembers what it has used.
struct Filler<'a> {
    secrets: &'a dyn Secrets,
    /// When the first of the values is replaced.
    renew_after: Cell<Option<u64>>,
    /// Bytes that may still come.
    left: Cell<usize>,
}

impl Values for Filler<'_> {
    type Error = ResolveProblem;

    fn value(&self, reference: &Reference) -> Result<Zeroizing<Vec<u8>>, ResolveProblem> {
        let material = self.secrets.material(&reference.name, reference.kind);
        let Material { value, renew_after } =
            material.ok_or_else(|| ResolveProblem::NoValue(reference.name.clone()))?;
        let first = self.renew_after.get().into_iter().chain(renew_after).min();
        self.renew_after.set(first);
        // As long as it becomes, before it is copied anywhere.
        let filters = reference.filters.iter();
        self.take(filters.fold(value.len(), |len, filter| filter.len_of(len)))?;
        Ok(value)
    }
}

impl Filler<'_> {
    /// Counts bytes.
    fn take(&self, bytes: usize) -> Result<(), ResolveProblem> {
        let left = self.left.get().checked_sub(bytes);
        self.left.set(left.ok_or(ResolveProblem::TooLarge)?);
        Ok(())
    }

    fn bytes(
        &self,
        template: &Template,
        path: &dyn fmt::Display,
    ) -> Result<Zeroizing<Vec<u8>>, ResolveError> {
        let filled = self
            .take(template.source().len())
            .and_then(|()| fill(template, self));
        filled.map_err(|problem| error(path, problem))
    }

    fn text(&self, template: &Template, path: &dyn fmt::Display) -> Result<SecretText, ResolveError> {
        let bytes = self.bytes(template, path)?;
        if bytes.len() > MAX_ARGUMENT {
            return Err(error(path, ResolveProblem::TooLong));
        }
        match std::str::from_utf8(&bytes) {
            Ok(text) if !text.contains('\0') => Ok(SecretText::from(text.to_owned())),
            _ => Err(error(path, ResolveProblem::NotText)),
        }
    }

    fn content(&self, file: &document::File, path: &dyn fmt::Display) -> Result<SecretBytes, ResolveError> {
        if let Some(template) = &file.content {
            return Ok(SecretBytes::from(self.bytes(template, path)?.to_vec()));
        }
        let content = file
            .content_base64
            .as_ref()
            .map(|bytes| bytes.0.clone())
            .unwrap_or_default();
        self.take(content.len()).map_err(|problem| error(path, problem))?;
        Ok(SecretBytes::from(content))
    }
}

fn error(path: &dyn fmt::Display, problem: ResolveProblem) -> ResolveError {
    ResolveError {
        path: path.to_string(),
        problem,
    }
}
