//! Where an image is: in a file, in a directory, or in a registry.

use std::fmt;
use std::path::Path;

use anyhow::{Context, Result};
use oci_image::{ImageRef, ImageSource, RefError, Transport};
use registry::{Connection, Daemon, Remote, Store};
use tempfile::TempDir;

use crate::flags::byte_size::ByteSize;
use crate::flags::notices::Notices;
use crate::output::progress::ProgressLine;
use crate::user_cache::{self, retention};

/// The place of an image to read.
#[derive(Clone, Debug)]
pub enum Source {
    Local(ImageRef),
    Remote(Remote),
    /// The name of an image that a container engine on this machine has.
    Daemon(String),
}

/// What the name of such an image begins with.
const DAEMON: &str = "docker-daemon:";
/// How many archives of a container engine's images stay.
const MAX_SAVED: usize = 8;

impl Source {
    /// The place that a user means: an archive, a layout or a path; or the name of an image in a registry, which needs no
    /// `docker://` if no file can be meant.
    ///
    /// # Errors
    /// It is neither.
    pub fn parse(text: &str) -> Result<Self> {
        if let Some(remote) = Remote::of_url(text) {
            return Ok(Self::Remote(remote?));
        }
        if let Some(name) = text.strip_prefix(DAEMON).filter(|name| !name.is_empty()) {
            return Ok(Self::Daemon(name.to_owned()));
        }
        match ImageRef::of_source(text) {
            Ok(place) => Ok(Self::Local(place)),
            Err(refused @ RefError::UnknownTransport(_)) if looks_like_a_file(text) => Err(refused.into()),
            Err(refused @ RefError::UnknownTransport(_)) => match Remote::of_name(text) {
                Ok(remote) => Ok(Self::Remote(remote)),
                Err(_) => Err(refused.into()),
            },
            Err(refused) => Err(refused.into()),
        }
    }

    /// Where the image is on this machine. One in a registry is fetched first, into the cache.
    ///
    /// # Errors
    /// It cannot be fetched, or there is no place for it.
    pub fn fetch(&self, notices: Notices) -> Result<ImageRef> {
        let remote = match self {
            Self::Local(place) => return Ok(place.clone()),
            Self::Daemon(name) => return saved(name, notices),
            Self::Remote(remote) => remote,
        };
        let store = Store::open(&user_cache::open()?.join(user_cache::FETCHED))?;
        let mut bar = ProgressLine::unless_quiet(notices);
        let fetched = Connection::to_pull(remote)
            .and_then(|connection| {
                connection.pull(&store, &mut |done, total| bar.transfer("fetching", done, total))
            })
            .with_context(|| format!("cannot fetch {remote}"))?;
        drop(bar);
        store.forget_old();
        if fetched.bytes > 0 {
            notices.say(format_args!("fetched {remote}: {}", fetched.digest));
        }
        Ok(fetched.place)
    }

    /// The document of this media type that is attached to the image.
    ///
    /// # Errors
    /// The image, or what is attached to it, cannot be read.
    pub fn attachment(&self, media_type: &str, notices: Notices) -> Result<Option<Vec<u8>>> {
        let local = || -> Result<_> {
            let place = self.fetch(notices)?;
            let digest = ImageSource::open(&place)?.manifest_digest();
            Ok((place, digest))
        };
        let Self::Remote(remote) = self else {
            let (place, digest) = local()?;
            return Ok(match digest {
                Some(digest) => oci_image::attachment(&place, digest, media_type)?,
                None => None,
            });
        };
        let failed = || format!("cannot fetch what is attached to {remote}");
        let connection = Connection::to_pull(remote).with_context(failed)?;
        // All of the image is fetched only if it is one of several.
        let digest = match connection.manifest_digest().with_context(failed)? {
            None => local()?.1,
            digest => digest,
        };
        match digest {
            Some(digest) => connection.attachment(digest, media_type).with_context(failed),
            None => Ok(None),
        }
    }

    /// Its name in a registry, if it is there.
    pub fn remote(&self) -> Option<&Remote> {
        match self {
            Self::Local(_) | Self::Daemon(_) => None,
            Self::Remote(remote) => Some(remote),
        }
    }
}

/// The archive of an image that a container engine has, in the cache.
fn saved(name: &str, notices: Notices) -> Result<ImageRef> {
    let directory = user_cache::open()?.join(user_cache::FETCHED).join("daemon");
    std::fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
    let mut bar = ProgressLine::unless_quiet(notices);
    let place = Daemon::find()?.image(name, &directory, &mut |done, total| {
        bar.transfer("fetching", done, total);
    })?;
    drop(bar);
    retention::note_use(&place.path);
    retention::keep(&directory, MAX_SAVED);
    Ok(place)
}

/// Whether a user who wrote this more likely means a file that is not there than an image in a registry.
fn looks_like_a_file(text: &str) -> bool {
    let path = text.split_once(':').map_or(text, |(path, _)| path);
    let is_path = path.starts_with(['/', '.', '~']);
    let extension = Path::new(path).extension().is_some();
    is_path || (extension && !path.contains('/'))
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(place) => place.fmt(f),
            Self::Remote(remote) => remote.fmt(f),
            Self::Daemon(name) => write!(f, "{DAEMON}{name}"),
        }
    }
}

/// Where an image is to be written.
#[derive(Clone, Debug)]
pub enum Target {
    Local(ImageRef),
    Remote(Remote),
}

impl Target {
    /// The place that a user means. A registry has to be named by `docker://`: nobody should push by mistake.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &str) -> Result<Self> {
        match Remote::of_url(text) {
            Some(remote) => Ok(Self::Remote(remote?)),
            None => Ok(Self::Local(text.parse()?)),
        }
    }

    /// Makes ready to write there. Whether a registry lets the user in is known before any work is done.
    ///
    /// # Errors
    /// It does not, or there is no place for what will be pushed.
    pub fn begin(&self) -> Result<PendingTarget> {
        let remote = match self {
            Self::Local(place) => {
                oci_image::check_target(place)?;
                return Ok(PendingTarget {
                    place: place.clone(),
                    push: None,
                });
            }
            Self::Remote(remote) => remote,
        };
        let connection = Connection::to_push(remote).with_context(|| format!("cannot push to {remote}"))?;
        let directory = tempfile::tempdir().context("cannot make a temporary directory (set TMPDIR)")?;
        let place = ImageRef {
            transport: Transport::OciDir,
            path: directory.path().join("image"),
            reference: None,
        };
        Ok(PendingTarget {
            place,
            push: Some((connection, directory)),
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(place) => place.fmt(f),
            Self::Remote(remote) => remote.fmt(f),
        }
    }
}

/// A target while an image is written to it.
pub struct PendingTarget {
    /// Where to write the image.
    pub place: ImageRef,
    /// Who takes it from there, and the directory that holds it until then.
    push: Option<(Connection, TempDir)>,
}

impl PendingTarget {
    /// The image is written; pushes it if it goes to a registry. What the image was made from may have blobs there already.
    ///
    /// # Errors
    /// It cannot be pushed.
    pub fn finish(self, from: Option<&Remote>, notices: Notices) -> Result<()> {
        let Some((connection, _directory)) = self.push else {
            return Ok(());
        };
        let mut bar = ProgressLine::unless_quiet(notices);
        let pushed = connection
            .push(&self.place.path, from, &mut |done, total| {
                bar.transfer("pushing", done, total)
            })
            .context("cannot push the image")?;
        drop(bar);
        notices.say(format_args!(
            "pushed {} ({} sent)",
            pushed.digest,
            ByteSize(pushed.sent)
        ));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_registrys_if_no_file_can_be_meant() {
        let place = |text| Source::parse(text).unwrap().to_string();
        assert_eq!(place("redis:7"), "docker://docker.io/library/redis:7");
        assert_eq!(place("quay.io/team/app"), "docker://quay.io/team/app:latest");
        assert_eq!(place("docker://redis"), "docker://docker.io/library/redis:latest");
        assert_eq!(place("oci:dir"), "oci:dir");
        for text in [
            "missing.tar",
            "./missing",
            "/missing:1",
            "missing.tar:1",
            "docker-daemon:",
        ] {
            assert!(Source::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_target_in_a_registry_is_named_as_one() {
        assert!(matches!(
            Target::parse("docker://quay.io/a:1"),
            Ok(Target::Remote(_))
        ));
        assert!(Target::parse("redis:7").is_err());
    }
}
