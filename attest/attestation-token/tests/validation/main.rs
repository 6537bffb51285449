//! Tests of tokens: attacks, policies, keys, and interoperation.

mod attacks;
mod interoperation;
mod keys;
mod policies;
mod support;
