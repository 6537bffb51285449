//! Images that a container engine on this machine has, by Docker's API (Podman speaks it, too).
//!
//! Source: Docker Engine API, `GET /images/{name}/json` and `GET /images/{name}/get`, which gives a docker-archive.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use oci_image::{Digest, ImageRef, Transport};
use reqwest::{Client, Response, StatusCode};
use serde::Deserialize;
use tokio::runtime::Runtime;

use crate::Progress;

/// Where Docker listens, unless `DOCKER_HOST` says something else.
const SOCKET: &str = "/var/run/docker.sock";
/// An engine may write the whole archive before its first byte comes.
const READ_TIMEOUT: Duration = Duration::from_secs(10 * 60);
/// Longest document about an image, in bytes.
const MAX_DOCUMENT: usize = 4 << 20;

/// Why an engine does not give an image.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// `DOCKER_HOST` names no Unix socket.
    #[error(
        "DOCKER_HOST is {0:?}: nacre asks engines by a Unix socket only (unix:///PATH); or give it what docker save writes: \
         docker save IMAGE | nacre … -"
    )]
    NoSocket(String),
    /// A text names no image.
    #[error("{0:?} is not the name of an image: letters, digits and . _ - / : @ are allowed")]
    BadName(String),
    /// Nobody answers there, or no more.
    #[error(
        "no container engine answers at {socket}: {reason} (DOCKER_HOST=unix:///PATH names another socket; for Podman, run \
         podman system service)"
    )]
    Unreachable {
        /// The socket.
        socket: String,
        /// What happened.
        reason: String,
    },
    /// The engine has no such image.
    #[error("the container engine at {socket} has no image {name}: pull it first, or give docker://{name}")]
    NotFound {
        /// The socket.
        socket: String,
        /// The image.
        name: String,
    },
    /// The engine answers with something else.
    #[error("the container engine at {socket} gives an answer that is none: {what}")]
    Answer {
        /// The socket.
        socket: String,
        /// What is wrong.
        what: String,
    },
    /// There is no place for the archive.
    #[error("cannot write to {}: {error}", path.display())]
    Store {
        /// The directory.
        path: PathBuf,
        /// The reason.
        error: std::io::Error,
    },
}

/// The engine of this machine.
pub struct Daemon {
    socket: String,
    client: Client,
    runtime: Runtime,
}

/// What is read of the document about an image.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct About {
    id: String,
    #[serde(default)]
    size: u64,
}

impl Daemon {
    /// The engine that `DOCKER_HOST` names, or Docker's own.
    ///
    /// # Errors
    /// It names no Unix socket.
    pub fn find() -> Result<Self, DaemonError> {
        let host = std::env::var("DOCKER_HOST").unwrap_or_default();
        let socket = match host.strip_prefix("unix://") {
            _ if host.is_empty() => SOCKET,
            Some(path) => path,
            None => return Err(DaemonError::NoSocket(host)),
        };
        let failed = |reason: String| DaemonError::Unreachable {
            socket: socket.to_owned(),
            reason,
        };
        // The client wants it, though no engine's socket speaks TLS. It is there already if a registry was asked before.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = Client::builder()
            .unix_socket(Path::new(socket))
            .read_timeout(READ_TIMEOUT)
            .build()
            .map_err(|error| failed(error.to_string()))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| failed(error.to_string()))?;
        Ok(Self {
            socket: socket.to_owned(),
            client,
            runtime,
        })
    }

    /// The image of this name, in an archive in the directory, where the next call finds it by the image's ID.
    ///
    /// # Errors
    /// The engine has no such image or does not answer, or the archive cannot be written.
    pub fn image(
        &self,
        name: &str,
        directory: &Path,
        progress: Progress<'_>,
    ) -> Result<ImageRef, DaemonError> {
        let is_of_a_name = |sign: char| sign.is_ascii_alphanumeric() || "._-/:@".contains(sign);
        let has_dots = |name: &str| name.split('/').any(|part| matches!(part, "" | "." | ".."));
        if !name.chars().all(is_of_a_name) || has_dots(name) {
            return Err(DaemonError::BadName(name.to_owned()));
        }
        self.runtime.block_on(async {
            let document = self.document(self.get(name, "json").await?).await?;
            let about: About =
                serde_json::from_slice(&document).map_err(|error| self.strange(&error.to_string()))?;
            let id: Digest = about
                .id
                .parse()
                .map_err(|_| self.strange("the image has no ID that is a sha256 digest"))?;
            let path = directory.join(format!("{}.tar", id.hex()));
            if !path.is_file() {
                let answer = self.get(name, "get").await?;
                self.save(answer, &path, about.size, progress).await?;
            }
            Ok(ImageRef {
                transport: Transport::Detected,
                path,
                reference: None,
            })
        })
    }

    async fn get(&self, name: &str, what: &str) -> Result<Response, DaemonError> {
        // The host is the socket's other end, whatever its name.
        let url = format!("http://localhost/images/{name}/{what}");
        let answer = self.client.get(url).send().await;
        let answer = answer.map_err(|error| self.unreachable(&error))?;
        match answer.status() {
            StatusCode::OK => Ok(answer),
            StatusCode::NOT_FOUND => Err(DaemonError::NotFound {
                socket: self.socket.clone(),
                name: name.to_owned(),
            }),
            status => Err(self.strange(&status.to_string())),
        }
    }

    async fn document(&self, mut answer: Response) -> Result<Vec<u8>, DaemonError> {
        let mut bytes = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(|error| self.unreachable(&error))? {
            bytes.extend_from_slice(&piece);
            if bytes.len() > MAX_DOCUMENT {
                return Err(self.strange("the document about the image has more than 4 MiB"));
            }
        }
        Ok(bytes)
    }

    /// Writes the archive, which has its name when it is complete.
    async fn save(
        &self,
        mut answer: Response,
        path: &Path,
        expected: u64,
        progress: Progress<'_>,
    ) -> Result<(), DaemonError> {
        let directory = path.parent().unwrap_or(path);
        let failed = |error| DaemonError::Store {
            path: directory.into(),
            error,
        };
        let mut file = tempfile::NamedTempFile::new_in(directory).map_err(failed)?;
        let mut done = 0;
        while let Some(piece) = answer.chunk().await.map_err(|error| self.unreachable(&error))? {
            file.write_all(&piece).map_err(failed)?;
            done += piece.len() as u64;
            progress(done, expected.max(done));
        }
        file.persist(path).map(drop).map_err(|error| failed(error.error))
    }

    fn unreachable(&self, error: &reqwest::Error) -> DaemonError {
        // The innermost says what happened: no such file, permission denied.
        let mut innermost: &dyn std::error::Error = error;
        while let Some(source) = innermost.source() {
            innermost = source;
        }
        DaemonError::Unreachable {
            socket: self.socket.clone(),
            reason: innermost.to_string(),
        }
    }

    fn strange(&self, what: &str) -> DaemonError {
        DaemonError::Answer {
            socket: self.socket.clone(),
            what: what.to_owned(),
        }
    }
}
