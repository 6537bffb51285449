//! `nacre`: makes, runs and verifies confidential containers.
//!
//! `commands` holds one file or folder per subcommand, `flags` the flags that several of them share. A failure of nacre's own is one line on standard error and exit status 125, as with
//! `docker run`; otherwise `nacre run` ends as the container does.
#![forbid(unsafe_code)]

#[cfg(feature = "verify")]
mod clock;
mod commands;
#[cfg(feature = "convert")]
mod confidential_image;
mod flags;
#[cfg(feature = "convert")]
mod image_place;
#[cfg(feature = "verify")]
mod input;
mod output;
#[cfg(feature = "run")]
mod running;
#[cfg(feature = "convert")]
mod signer;
#[cfg(any(feature = "convert", feature = "verify"))]
mod user_cache;

use std::process::ExitCode;

use anyhow::Result;
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};

/// Confidential containers: run an unmodified OCI image in an SGX enclave (this version: emulator only)
#[derive(Parser, Debug)]
#[command(version, arg_required_else_help = true, after_help = EXIT_STATUS)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// What the end of a command means, beneath its help.
const EXIT_STATUS: &str = "\
Exit status:
  0    success; of nacre run, what the program ended with
  1    not valid, not acceptable, or not what was asked for: of verify, explain, policy, attestation, collateral, and what asks a broker
  125  nacre refused or failed, with a line on standard error that says why";

#[derive(Subcommand, Debug)]
enum Command {
    #[cfg(feature = "convert")]
    Convert(Box<commands::convert::Convert>),
    #[cfg(feature = "run")]
    Run(commands::run::Run),
    #[cfg(feature = "run")]
    Exec(commands::exec::Exec),
    #[cfg(feature = "run")]
    Top(commands::exec::Top),
    #[cfg(feature = "run")]
    Ps(commands::exec::Ps),
    #[cfg(feature = "run")]
    Doctor(commands::doctor::Doctor),
    #[cfg(feature = "convert")]
    Inspect(commands::inspect::Inspect),
    #[cfg(feature = "convert")]
    Keygen(commands::keygen::Keygen),
    #[cfg(feature = "convert")]
    Sign(Box<commands::sign::Sign>),
    #[cfg(feature = "verify")]
    Verify(Box<commands::verify::Verify>),
    #[cfg(any(feature = "convert", feature = "verify"))]
    Explain(Box<commands::explain::Explain>),
    #[cfg(feature = "run")]
    SimulatedPlatform(commands::simulated_platform::SimulatedPlatform),
    #[cfg(feature = "verify")]
    Policy(commands::policy::PolicyCommand),
    #[cfg(all(feature = "convert", feature = "verify"))]
    Authorize(commands::authorize::Authorize),
    #[cfg(feature = "key-broker")]
    Broker(commands::broker::Broker),
    #[cfg(feature = "key-broker")]
    Approve(commands::approve::Approve),
    #[cfg(feature = "key-broker")]
    Secret(commands::secret::Secret),
    #[cfg(feature = "key-broker")]
    Service(commands::service::Service),
    #[cfg(feature = "key-broker")]
    Audit(commands::audit::Audit),
    #[cfg(feature = "verify")]
    Attestation(commands::attestation::Attestation),
    #[cfg(feature = "verify")]
    Collateral(commands::collateral::Collateral),
    #[cfg(feature = "convert")]
    Cache(commands::cache::Cache),
    Completion(commands::completion::Completion),
    Man(commands::man::Man),
    Version(commands::version::Version),
}

/// The exit status for failures of nacre itself, as with `docker run`.
const OWN_FAILURE: u8 = 125;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    match cli.command.run() {
        Ok(status) => status,
        Err(error) => {
            eprintln!("nacre: {}", one_line(&sentence(&error)));
            OWN_FAILURE.into()
        }
    }
}

impl Command {
    fn run(self) -> Result<ExitCode> {
        match self {
            #[cfg(feature = "convert")]
            Self::Convert(convert) => convert.run()?,
            #[cfg(feature = "run")]
            Self::Run(run) => match run.run()? {},
            #[cfg(feature = "run")]
            Self::Exec(exec) => return exec.run(),
            #[cfg(feature = "run")]
            Self::Top(top) => top.run()?,
            #[cfg(feature = "run")]
            Self::Ps(ps) => ps.run()?,
            #[cfg(feature = "run")]
            Self::Doctor(doctor) => return doctor.run(),
            #[cfg(feature = "convert")]
            Self::Inspect(inspect) => {
                if !inspect.run()? {
                    return Ok(OWN_FAILURE.into());
                }
            }
            #[cfg(feature = "convert")]
            Self::Keygen(keygen) => keygen.run()?,
            #[cfg(feature = "convert")]
            Self::Sign(sign) => sign.run()?,
            #[cfg(feature = "verify")]
            Self::Verify(verify) => return verify.run(),
            #[cfg(any(feature = "convert", feature = "verify"))]
            Self::Explain(explain) => return explain.run(),
            #[cfg(feature = "run")]
            Self::SimulatedPlatform(command) => command.run()?,
            #[cfg(feature = "verify")]
            Self::Policy(policy) => return policy.run(),
            #[cfg(all(feature = "convert", feature = "verify"))]
            Self::Authorize(authorize) => authorize.run()?,
            #[cfg(feature = "key-broker")]
            Self::Broker(broker) => return broker.run(),
            #[cfg(feature = "key-broker")]
            Self::Approve(approve) => return approve.run(),
            #[cfg(feature = "key-broker")]
            Self::Secret(secret) => return secret.run(),
            #[cfg(feature = "key-broker")]
            Self::Service(service) => return service.run(),
            #[cfg(feature = "key-broker")]
            Self::Audit(audit) => return audit.run(),
            #[cfg(feature = "verify")]
            Self::Attestation(attestation) => return attestation.run(),
            #[cfg(feature = "verify")]
            Self::Collateral(collateral) => return collateral.run(),
            #[cfg(feature = "convert")]
            Self::Cache(cache) => cache.run()?,
            Self::Completion(completion) => completion.run(Cli::command())?,
            Self::Man(man) => man.run(Cli::command())?,
            Self::Version(version) => version.run()?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Help and version go to standard output; a mistake on the command line is one line.
fn usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        // If standard output is closed, nobody can be told.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let _ = error.print();
        return OWN_FAILURE.into();
    }
    let text = error.render().to_string();
    let message = text.split("\n\n").next().unwrap_or_default();
    eprintln!(
        "nacre: {} (see nacre --help)",
        one_line(message.trim_start_matches("error: "))
    );
    OWN_FAILURE.into()
}

/// An error with its causes. A cause that the text already ends with is not repeated.
fn sentence(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
