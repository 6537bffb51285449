//! One trait over an enclave's life; the Linux driver and a software emulator behind it.
//!
//! An enclave is built page by page ([`Builder`]), initialised against its signature, and then entered by host
//! threads ([`Enclave`], [`Thread`]). The same enclave bytes run on either platform:
//! - [`driver`]: `/dev/sgx_enclave` and the vDSO's `__vdso_sgx_enter_enclave`;
//! - [`emulator`]: a software model of what the SDM says. It measures, checks the signature, keeps an EPCM, TCS
//!   and SSA states and delivers exceptions as the hardware does. It protects nothing from this host.
//!
//! [`sgxs`] reads an enclave file into a builder; [`processor`] chooses what state it has; [`requirements`] says what a machine lacks, and [`survey`] what to do about it. [`interruptible`]
//! is the system call that another thread can end.
//!
//! Trust: none. All of this is the adversary's side; what goes wrong here may stop an enclave, not open it. The
//! emulator is the exception that its users are told about: there, this crate *is* the processor.

pub mod driver;
pub mod emulator;
pub mod interruptible;
pub mod processor;
pub mod requirements;
pub mod sgxs;
pub mod survey;

mod platform;

pub use platform::{
    AsyncExit, Builder, Chunks, Debugged, Enclave, EnclaveError, Exit, Interrupter, Mismatch, PlatformError,
    Thread,
};
