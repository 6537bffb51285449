//! Tests of the whole way from bytes to a verdict.

mod agreement;
mod genuine;
mod refusals;
mod support;
mod tampering;
mod vectors;
mod verdicts;
