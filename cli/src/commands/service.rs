//! `nacre service list`: the instances that a broker has given something.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::Value;

use crate::flags::broker::{BrokerFlags, name, text, time, unless_refused};
use crate::{clock, output};

/// Show the services that a key broker has provisioned
#[derive(Args, Debug)]
pub struct Service {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    List(List),
}

/// List the instances of services: what they have proven, and when
#[derive(Args, Debug)]
struct List {
    /// Of this deployment only
    #[arg(value_name = "DEPLOYMENT", value_parser = name)]
    deployment: Option<String>,

    #[command(flatten)]
    broker: BrokerFlags,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Service {
    pub fn run(self) -> Result<ExitCode> {
        let What::List(list) = self.what;
        list.run()
    }
}

impl List {
    fn run(self) -> Result<ExitCode> {
        let path = match &self.deployment {
            Some(deployment) => format!("/v1/deployments/{deployment}/instances"),
            None => "/v1/instances".to_owned(),
        };
        let list: Result<Value, String> = self.broker.client()?.get(&path)?;
        let now = clock::now()?;
        unless_refused(list, |list| {
            if self.json {
                return output::line(serde_json::to_string_pretty(&list)?);
            }
            for instance in list["instances"].as_array().into_iter().flatten() {
                let is_gone = instance["until"].as_u64().is_none_or(|until| until < now.0);
                let platform = if instance["simulated"] == true {
                    " SIMULATED"
                } else {
                    ""
                };
                output::line(format_args!(
                    "{}/{} {} MRENCLAVE {} {}{platform}, last {}{}",
                    text(&instance["deployment"]),
                    text(&instance["service"]),
                    text(&instance["instance"]),
                    text(&instance["mr_enclave"]),
                    text(&instance["tcb_status"]),
                    time(&instance["last"]),
                    if is_gone { ", gone" } else { "" }
                ))?;
            }
            Ok(())
        })
    }
}
