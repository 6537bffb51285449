//! Asks again before what was given expires.
//!
//! The program becomes the container's first process, so somebody else has to stay: a process of this same program, started before
//! that, which gets its task on its standard input. It asks in time, replaces files whose content has changed, and sends the program
//! the signal that the policy names. It never ends by itself: while the broker gives no answer it goes on asking, and the container has
//! what it had.

use std::convert::Infallible;
use std::io::{Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use provisioning::{File, Renewal, Request};
use rustix::process::{Pid, Signal, kill_process};

use crate::arguments::Arguments;
use crate::broker::Broker;
use crate::{Failure, files, say};

/// How soon the broker is asked at most, whatever it says.
const SOONEST: Duration = Duration::from_secs(1);

/// This program.
const PROGRAM: &str = "/proc/self/exe";

/// What the process that stays has to know.
#[derive(serde::Serialize, serde::Deserialize)]
struct Work {
    request: Request,
    renewal: Renewal,
    files: Vec<File>,
    authority: Vec<u8>,
}

/// Starts the process that stays.
pub(crate) fn leave_behind(
    arguments: &Arguments,
    request: &Request,
    renewal: Renewal,
    files: &[File],
) -> Result<(), Failure> {
    let failed = |error: std::io::Error| format!("nobody can stay to renew what expires: {error}");
    let user = &arguments.user;
    let work = Work {
        request: request.clone(),
        renewal,
        files: files.to_vec(),
        authority: arguments.authority.clone(),
    };
    let work = serde_json::to_vec(&work).map(zeroize::Zeroizing::new);
    let work = work.map_err(|error| failed(error.into()))?;
    let mut process = Command::new(PROGRAM)
        .arg0("nacre-init")
        .args([
            "--renew",
            "--broker",
            &arguments.broker,
            "--authority",
            "/dev/null",
        ])
        .args(["--user", &format!("{}:{}", user.user, user.group)])
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        // In a group of its own: it is no business of a shell's.
        .process_group(0)
        .spawn()
        .map_err(failed)?;
    let mut input = process
        .stdin
        .take()
        .ok_or("nobody can stay to renew what expires")?;
    input.write_all(&work).map_err(failed)
}

/// What the process that stays does.
pub(crate) fn run(arguments: Arguments) -> Result<Infallible, Failure> {
    let mut text = zeroize::Zeroizing::new(Vec::new());
    let read = std::io::stdin().read_to_end(&mut text);
    read.map_err(|error| format!("what is to be renewed is unknown: {error}"))?;
    let work: Work = serde_json::from_slice(&text)
        .map_err(|error| format!("what is to be renewed is unknown: {error}"))?;
    drop(text);
    let broker = Broker::new(&arguments.broker, &work.authority)?;
    let mut renewal = work.renewal;
    let mut files = work.files;
    loop {
        sleep(Duration::from_secs(renewal.after).max(SOONEST));
        let provision = match broker.ask(&work.request) {
            Ok(provision) => provision,
            Err(failure) => {
                say(&format!("nothing is renewed: {failure}"));
                continue;
            }
        };
        let changed = changed(&files, &provision.files);
        if let Err(failure) = files::write_all(&changed, arguments.user.owner()) {
            say(&failure);
            continue;
        }
        if !changed.is_empty() {
            tell(renewal.signal);
        }
        files = provision.files;
        renewal = provision.renewal.unwrap_or(renewal);
    }
}

/// The files that are new, or not what they were.
fn changed(before: &[File], now: &[File]) -> Vec<File> {
    now.iter()
        .filter(|file| !before.contains(file))
        .cloned()
        .collect()
}

fn tell(signal: Option<u8>) {
    let Some(signal) = signal.and_then(|number| Signal::from_named_raw(number.into())) else {
        return;
    };
    // It may have ended, and the container with it.
    let _ = kill_process(Pid::INIT, signal);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, content: &str) -> File {
        File {
            path: path.into(),
            content: content.as_bytes().to_vec().into(),
            mode: 0o400,
            owner: None,
        }
    }

    #[test]
    fn only_what_has_changed_is_written() {
        let before = [file("/a", "1"), file("/b", "2")];
        assert_eq!(changed(&before, &before), []);
        let now = [file("/a", "1"), file("/b", "3"), file("/c", "4")];
        assert_eq!(changed(&before, &now), now[1..]);
    }
}
