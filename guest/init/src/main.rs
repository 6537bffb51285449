//! `nacre-init`: the first program of a container that a key broker provisions.
//!
//! It runs in the enclave, measured, before anything of the image does, and alone. It shows the broker a TLS certificate that carries
//! the enclave's quote, is given what the policy says for this enclave, mounts the image with its key, writes files, and executes
//! the image's program. If something expires, it leaves a process behind that asks again in time ([`renewal`]).
//!
//! - [`arguments`]: what the LibOS says: where the broker is, who vouches for it, what the image would run;
//! - [`broker`]: one request, and asking until there is an answer; [`tls`], [`http`] below it;
//! - [`image`], [`files`], [`program`]: what is done with the answer.
//!
//! Trust: the broker, as soon as the measured authority vouches for it. The host says where it is, and carries everything: it can
//! only keep the container from starting. What is printed the host reads.
#![forbid(unsafe_code)]

mod arguments;
mod broker;
mod files;
mod http;
mod image;
mod program;
mod renewal;
mod tls;

use std::convert::Infallible;
use std::process::ExitCode;

use provisioning::Request;

use arguments::{Arguments, Task};
use broker::Broker;

/// Exit status of Nacre's own failures, as container engines have it.
const FAILED: u8 = 125;

/// Why the container does not start: a line for the user, in which there is no secret.
type Failure = String;

fn main() -> ExitCode {
    let result = Arguments::parse(std::env::args_os()).and_then(|arguments| match arguments.task {
        Task::Start => start(arguments),
        Task::Renew => renewal::run(arguments),
    });
    let Err(failure) = result;
    say(&failure);
    ExitCode::from(FAILED)
}

/// A line for the user.
fn say(line: &str) {
    eprintln!("nacre-init: {line}");
}

fn start(arguments: Arguments) -> Result<Infallible, Failure> {
    let broker = Broker::new(&arguments.broker, &arguments.authority)?;
    let request = Request {
        deployment: broker.deployment().map(str::to_owned),
        service: broker.service().map(str::to_owned),
        instance: broker::new_instance()?,
        image_key: arguments.image_key,
    };
    let provision = broker.ask(&request)?;
    say(&format!(
        "this is the service {} of the deployment {} (policy {})",
        provision.service, provision.deployment, provision.policy
    ));
    image::mount(&provision, arguments.image_key, provision.renewal.is_some())?;
    files::write_all(&provision.files, arguments.user.owner())?;
    if let Some(renewal) = provision.renewal {
        renewal::leave_behind(&arguments, &request, renewal, &provision.files)?;
    }
    program::execute(&arguments, &provision)
}
