//! Tokens under attack, policies, and what other implementations make of ours and we of theirs.

mod attacks;
mod interoperation;
mod keys;
mod policies;
mod support;
