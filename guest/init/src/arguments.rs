//! What the LibOS says to this program: `libos::provisioning` writes it.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::str::FromStr;

use provisioning::{Hex, Owner};

use crate::Failure;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// The container starts.
    Start,
    /// Its program runs, and what it was given is to be renewed: see [`crate::renewal`].
    Renew,
}

/// What the LibOS says.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) task: Task,
    /// Where the broker is: the host's claim.
    pub(crate) broker: String,
    /// The certificate of who vouches for it (DER).
    pub(crate) authority: Vec<u8>,
    /// Who the image's program runs as.
    pub(crate) user: User,
    /// Where it begins.
    pub(crate) directory: PathBuf,
    /// The key that the image is encrypted with, by name.
    pub(crate) image_key: Option<Hex<32>>,
    /// The image's environment, `NAME=VALUE` each.
    pub(crate) environment: Vec<OsString>,
    /// The image's program and its arguments.
    pub(crate) program: Vec<OsString>,
}

/// A user and its groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) user: u32,
    pub(crate) group: u32,
    pub(crate) others: Vec<u32>,
}

impl User {
    pub(crate) fn owner(&self) -> Owner {
        Owner {
            user: self.user,
            group: self.group,
        }
    }
}

impl FromStr for User {
    type Err = Failure;

    /// `UID:GID[:GID]...`
    fn from_str(text: &str) -> Result<Self, Failure> {
        let numbers: Result<Vec<u32>, _> = text.split(':').map(str::parse).collect();
        match numbers.as_deref() {
            Ok([user, group, others @ ..]) => Ok(Self {
                user: *user,
                group: *group,
                others: others.to_vec(),
            }),
            _ => Err(format!("not a user and groups: {text}")),
        }
    }
}

impl Arguments {
    /// Reads a command line, this program's name first.
    pub(crate) fn parse(line: impl IntoIterator<Item = OsString>) -> Result<Self, Failure> {
        use lexopt::prelude::*;
        let failed = |error: lexopt::Error| format!("the LibOS has said something unknown: {error}");
        let (mut broker, mut authority, mut user) = (None, None, None);
        let mut arguments = Self {
            task: Task::Start,
            broker: String::new(),
            authority: Vec::new(),
            user: User {
                user: 0,
                group: 0,
                others: Vec::new(),
            },
            directory: "/".into(),
            image_key: None,
            environment: Vec::new(),
            program: Vec::new(),
        };
        let mut parser = lexopt::Parser::from_iter(line);
        while let Some(argument) = parser.next().map_err(failed)? {
            match argument {
                Long("broker") => broker = Some(text(&parser.value().map_err(failed)?)?),
                Long("authority") => authority = Some(PathBuf::from(parser.value().map_err(failed)?)),
                Long("user") => user = Some(text(&parser.value().map_err(failed)?)?.parse()?),
                Long("directory") => arguments.directory = parser.value().map_err(failed)?.into(),
                Long("image-key") => {
                    let name = text(&parser.value().map_err(failed)?)?;
                    let name = name
                        .parse()
                        .map_err(|error| format!("the image's key is {error}"))?;
                    arguments.image_key = Some(name);
                }
                Long("env") => arguments.environment.push(parser.value().map_err(failed)?),
                Long("renew") => arguments.task = Task::Renew,
                Value(first) => {
                    arguments.program.push(first);
                    arguments.program.extend(parser.raw_args().map_err(failed)?);
                }
                other => return Err(failed(other.unexpected())),
            }
        }
        arguments.broker = broker.ok_or("the LibOS has named no broker")?;
        arguments.user = user.ok_or("the LibOS has named no user")?;
        let authority = authority.ok_or("the LibOS has named no authority of the broker")?;
        arguments.authority =
            std::fs::read(&authority).map_err(|error| format!("{}: {error}", authority.display()))?;
        Ok(arguments)
    }
}

fn text(value: &OsStr) -> Result<String, Failure> {
    let refused = || format!("not UTF-8: {}", value.as_bytes().escape_ascii());
    value.to_str().map(str::to_owned).ok_or_else(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Arguments, Failure> {
        Arguments::parse(["nacre-init"].iter().chain(words).map(OsString::from))
    }

    #[test]
    fn what_the_image_runs_stays_as_it_is() {
        let words = "--broker https://b --authority /dev/null --user 5:6:7:8 --directory /d --env A=1 --env B= -- /bin/x --user -- y";
        let words: Vec<_> = words.split(' ').collect();
        let arguments = parse(&words).unwrap();
        assert_eq!(arguments.user.others, [7, 8]);
        assert_eq!(arguments.user.owner(), Owner { user: 5, group: 6 });
        assert_eq!(arguments.environment, ["A=1", "B="]);
        assert_eq!(arguments.program, ["/bin/x", "--user", "--", "y"]);
        assert_eq!(arguments.task, Task::Start);
    }

    #[test]
    fn what_is_missing_or_odd_is_refused() {
        let base = ["--broker", "b", "--authority", "/dev/null", "--user"];
        let with = |more: &[&str]| parse(&[&base, more].concat());
        assert!(with(&["1:2"]).is_ok());
        for odd in [
            &["1"][..],
            &["1:2:x"],
            &["1:2", "--image-key", "00"],
            &["1:2", "--what"],
        ] {
            assert!(with(odd).is_err(), "{odd:?}");
        }
        assert!(parse(&base[..4]).is_err());
        assert!(parse(&["--user", "1:2"]).is_err());
    }
}
