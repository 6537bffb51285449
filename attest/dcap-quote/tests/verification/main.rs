//! Tests of verification, from bytes to a verdict.

mod agreement;
mod domains;
mod forecasts;
mod garbage;
mod genuine;
mod other_files;
mod pck_chains;
mod pieces;
mod platform_policies;
mod refusals;
mod statuses;
mod support;
mod tampering;
mod vectors;
mod verdicts;
