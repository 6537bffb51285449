//! The adversary as a test: every file of a converted image is changed, byte by byte, and the host lies in every answer.
//!
//! - at rest: [`places`] says what lies where in a converted image and which bytes to change; [`verdict`] holds what came of
//!   it against an honest run;
//! - at run time: [`lies`] is the table of lies, [`liar`] the host that tells them (`lying-host` is its program);
//! - [`sample`] makes the images.
//!
//! What must hold (SECURITY.md): a change is refused at start, or is an EIO inside, or has no effect because nobody
//! believes the byte. Nothing here is trusted by anybody: this crate runs on a developer's machine only.
#![forbid(unsafe_code)]

pub mod liar;
pub mod lies;
pub mod places;
pub mod sample;
pub mod verdict;
