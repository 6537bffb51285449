//! A connection to one registry, as one user.

use std::time::Duration;

use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError;
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, RegistryOperation};
use oci_image::Digest;
use tokio::runtime::Runtime;

use crate::{Error, Remote, credentials};

/// How long a registry may take to be reached.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long it may say nothing.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// How often something is tried that may only have failed in passing.
const ATTEMPTS: u32 = 4;
/// The wait before the second attempt; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// A connection to the registry of one image, with the user's credentials.
pub struct Connection {
    pub(crate) client: Client,
    pub(crate) auth: RegistryAuth,
    pub(crate) remote: Remote,
    pub(crate) runtime: Runtime,
}

/// What the user wants to do there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    Pull,
    Push,
}

impl Connection {
    /// To fetch this image.
    ///
    /// # Errors
    /// The registry cannot be reached, or does not let this user in.
    pub fn to_pull(remote: &Remote) -> Result<Self, Error> {
        Self::new(remote, Access::Pull)
    }

    /// To push an image to this name.
    ///
    /// # Errors
    /// As [`Self::to_pull`], and if the name holds a digest.
    pub fn to_push(remote: &Remote) -> Result<Self, Error> {
        if remote.has_digest() {
            return Err(Error::TargetDigest(remote.to_string()));
        }
        Self::new(remote, Access::Push)
    }

    fn new(remote: &Remote, access: Access) -> Result<Self, Error> {
        // It is there already if another connection was made before.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Error::SetUp(error.to_string()))?;
        let mut connection = Self {
            client: client(ClientProtocol::Https)?,
            auth: credentials::of(remote)?,
            remote: remote.clone(),
            runtime,
        };
        match connection.authenticate(access) {
            // Whoever listens there does not speak TLS. A certificate that is not trusted is another matter.
            Err(error) if remote.is_loopback() && error.is_without_tls() => {
                connection.client = client(ClientProtocol::Http)?;
                connection.authenticate(access)?;
            }
            done => done?,
        }
        if access == Access::Push {
            connection.knock()?;
        }
        Ok(connection)
    }

    /// Asks for a blob that nobody has: a wrong password is known before any work is done for it.
    fn knock(&self) -> Result<(), Error> {
        let nothing = Digest::of(b"").to_string();
        let answer = self
            .runtime
            .block_on(self.client.blob_exists(&self.remote.reference, &nothing));
        match self.failed(answer) {
            // The repository comes into being with its first image.
            Ok(_) | Err(Error::NotFound(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn authenticate(&self, access: Access) -> Result<(), Error> {
        let operation = match access {
            Access::Pull => RegistryOperation::Pull,
            Access::Push => RegistryOperation::Push,
        };
        let done = self.runtime.block_on(async {
            let reference = &self.remote.reference;
            retried(|| async { self.failed(self.client.auth(reference, &self.auth, operation).await) }).await
        });
        done.map(drop)
    }

    /// The registry's host.
    pub(crate) fn host(&self) -> &str {
        self.remote.host()
    }

    /// What the client says, in our words.
    pub(crate) fn failed<T>(&self, result: Result<T, OciDistributionError>) -> Result<T, Error> {
        result.map_err(|error| Error::of(self.host(), &self.remote.to_string(), error))
    }
}

fn client(protocol: ClientProtocol) -> Result<Client, Error> {
    let config = ClientConfig {
        protocol,
        connect_timeout: Some(CONNECT_TIMEOUT),
        read_timeout: Some(READ_TIMEOUT),
        user_agent: concat!("nacre/", env!("CARGO_PKG_VERSION")),
        ..ClientConfig::default()
    };
    Client::try_from(config).map_err(|error| Error::SetUp(error.to_string()))
}

/// Tries something again that may only have failed in passing.
pub(crate) async fn retried<T>(mut attempt: impl AsyncFnMut() -> Result<T, Error>) -> Result<T, Error> {
    let mut wait = FIRST_WAIT;
    for _ in 1..ATTEMPTS {
        match attempt().await {
            Err(error) if error.is_passing() => tokio::time::sleep(wait).await,
            done => return done,
        }
        wait *= 2;
    }
    attempt().await
}
