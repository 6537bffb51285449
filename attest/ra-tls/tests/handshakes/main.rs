//! Tests of certificates with quotes of a simulated platform.

mod attacks;
mod interoperation;
mod sessions;
mod support;
