//! Executes the image's program, as the image's user, with what the broker says of arguments, environment and directory.

use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::fs::DirBuilder;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use provisioning::Provision;
use rustix::process::{Gid, Uid};

use crate::Failure;
use crate::arguments::{Arguments, User};

/// Executes it; returns only if it cannot be executed.
pub(crate) fn execute(arguments: &Arguments, provision: &Provision) -> Result<Infallible, Failure> {
    let given: Option<Vec<OsString>> = provision
        .arguments
        .as_ref()
        .map(|words| words.iter().map(|word| word.expose().into()).collect());
    let words = given.as_ref().unwrap_or(&arguments.program);
    let (program, words) = words.split_first().ok_or("the policy leaves no program to run")?;
    let directory = provision
        .working_directory
        .as_deref()
        .map_or(arguments.directory.as_path(), Path::new);
    enter(directory).map_err(|error| {
        format!(
            "cannot enter the working directory {}: {error}",
            directory.display()
        )
    })?;

    let mut command = Command::new(program);
    command.args(words).env_clear();
    for variable in &arguments.environment {
        let (name, value) = split(variable);
        command.env(name, value);
    }
    for (name, value) in &provision.environment {
        command.env(name, value.expose());
    }
    become_user(&arguments.user).map_err(|error| format!("cannot become the image's user: {error}"))?;
    let error = command.exec();
    Err(format!("cannot run {}: {error}", program.display()))
}

/// `NAME=VALUE`, in its parts.
fn split(variable: &OsStr) -> (&OsStr, &OsStr) {
    let bytes = variable.as_bytes();
    let at = bytes.iter().position(|&byte| byte == b'=').unwrap_or(bytes.len());
    let (name, value) = bytes.split_at(at);
    (
        OsStr::from_bytes(name),
        OsStr::from_bytes(value.get(1..).unwrap_or_default()),
    )
}

/// As container engines do, a directory that is missing is made.
fn enter(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o755).create(directory)?;
    std::env::set_current_dir(directory)
}

/// Groups first, while they may be changed. Of the calling thread, which is the only one.
fn become_user(user: &User) -> io::Result<()> {
    let id = |group: &u32| Gid::from_raw(*group);
    let group = id(&user.group);
    let groups: Vec<_> = user.others.iter().map(id).collect();
    rustix::thread::set_thread_groups(&groups)?;
    rustix::thread::set_thread_res_gid(group, group, group)?;
    let user = Uid::from_raw(user.user);
    rustix::thread::set_thread_res_uid(user, user, user)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_has_a_name_and_a_value() {
        let parts = |text: &'static str| {
            let (name, value) = split(OsStr::new(text));
            (name.to_str().unwrap(), value.to_str().unwrap())
        };
        assert_eq!(parts("A=b=c"), ("A", "b=c"));
        assert_eq!(parts("A="), ("A", ""));
    }
}
