//! The adversary as a test: every file of a converted image is changed, byte by byte, and the host lies in every answer.
//!
//! [`sample`] makes images whose programs read all that they have; [`places`] says what lies where in a converted image and
//! which bytes to change; [`verdict`] holds what came of it against an honest run.
//!
//! What must hold (SECURITY.md): a change is refused at start, or is an EIO inside, or has no effect because nobody
//! believes the byte. Nothing here is trusted by anybody: this crate runs on a developer's machine only.
#![forbid(unsafe_code)]

pub mod places;
pub mod sample;
pub mod verdict;
