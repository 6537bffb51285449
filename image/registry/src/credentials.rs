//! Who a user is in a registry: what `docker login` and `podman login` have stored, or their helpers know.

use docker_credential::{CredentialRetrievalError, DockerCredential, get_credential, get_podman_credential};
use oci_client::secrets::RegistryAuth;

use crate::{Error, Remote};

/// Docker Hub's host, and its name in Docker's configuration.
const DOCKER_HUB: (&str, &str) = ("index.docker.io", "https://index.docker.io/v1/");

/// The user's credentials for the image's registry; anonymous if there are none.
pub(crate) fn of(remote: &Remote) -> Result<RegistryAuth, Error> {
    let (hub, name_of_hub) = DOCKER_HUB;
    let name = match remote.host() {
        host if host == hub => name_of_hub,
        host => host,
    };
    for find in [get_credential, get_podman_credential] {
        match find(name) {
            Ok(DockerCredential::UsernamePassword(user, password)) => {
                return Ok(RegistryAuth::Basic(user, password));
            }
            Ok(DockerCredential::IdentityToken(_)) => return Err(Error::IdentityToken(name.to_owned())),
            Err(error) if is_absence(&error) => {}
            Err(error) => return Err(Error::Credentials(name.to_owned(), error)),
        }
    }
    Ok(RegistryAuth::Anonymous)
}

/// Nobody has logged in, which is no mistake.
fn is_absence(error: &CredentialRetrievalError) -> bool {
    match error {
        CredentialRetrievalError::ConfigNotFound
        | CredentialRetrievalError::ConfigReadError
        | CredentialRetrievalError::NoCredentialConfigured => true,
        // What Docker's own helpers say.
        CredentialRetrievalError::HelperFailure { stdout, .. } => stdout.contains("credentials not found"),
        _ => false,
    }
}
