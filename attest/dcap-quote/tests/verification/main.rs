//! Tests of the whole way from bytes to a verdict.

mod agreement;
mod garbage;
mod genuine;
mod refusals;
mod support;
mod tampering;
mod vectors;
mod verdicts;
