//! Tests of verification, from bytes to a verdict.

mod agreement;
mod forecasts;
mod garbage;
mod genuine;
mod pck_chains;
mod pieces;
mod refusals;
mod statuses;
mod support;
mod tampering;
mod vectors;
mod verdicts;
