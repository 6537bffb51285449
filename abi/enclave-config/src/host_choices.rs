//! What the host may set when it starts an enclave.
//!
//! This is the only statement of the rule. The LibOS enforces it; the tools outside apply it to their copy of the
//! configuration, to say the same words earlier.

use alloc::vec::Vec;
use core::fmt;

use crate::Config;

/// Which variables of the environment the host may set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostEnv {
    /// These names, sorted and distinct.
    Names(Vec<Vec<u8>>),
    /// Any: for development. The dynamic linker's variables (`LD_PRELOAD`…) among them.
    Any,
}

impl HostEnv {
    /// Whether the host may set the variable of this name.
    pub fn allows(&self, name: &[u8]) -> bool {
        match self {
            Self::Names(names) => names
                .binary_search_by(|allowed| allowed.as_slice().cmp(name))
                .is_ok(),
            Self::Any => true,
        }
    }
}

/// Whether these bytes can be the name of a variable that the host may set: not empty, without `=` and NUL.
pub fn is_variable_name(name: &[u8]) -> bool {
    !name.is_empty() && !name.contains(&b'=') && !name.contains(&0)
}

/// What the host asks for at a start.
#[derive(Clone, Copy, Debug, Default)]
pub struct HostChoices<'a> {
    /// Arguments in place of the image's Cmd; empty to keep that.
    pub args: &'a [Vec<u8>],
    /// Variables, `NAME=VALUE` each.
    pub env: &'a [Vec<u8>],
    /// Whether it asks for traces or statistics.
    pub debugging: bool,
}

/// What the configuration does not let the host do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAllowed<'a> {
    /// Change the arguments.
    Args,
    /// Set the variable of this name.
    Variable(&'a [u8]),
    /// Give an argument or a variable that holds a NUL byte: programs would see another one.
    Nul,
    /// See traces and statistics.
    Debugging,
}

impl fmt::Display for NotAllowed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Args => f.write_str(
                "this image does not allow the host to change its arguments; convert it with --allow-args, or run it \
                 without arguments",
            ),
            Self::Variable(name) => {
                let name = name.escape_ascii();
                write!(
                    f,
                    "this image does not allow the host to set {name}; convert it with --allow-env {name}, or run it \
                     without -e {name}"
                )
            }
            Self::Nul => f.write_str("an argument or a variable that the host gives holds a NUL byte"),
            Self::Debugging => f.write_str(
                "this image does not allow --trace and --stats, which show its data to the host; convert it with --debug",
            ),
        }
    }
}

impl core::error::Error for NotAllowed<'_> {}

impl Config {
    /// Whether the host may start the enclave with these choices.
    ///
    /// # Errors
    /// With the first choice that it may not make.
    pub fn check_host_choices<'a>(&self, choices: &HostChoices<'a>) -> Result<(), NotAllowed<'a>> {
        if !choices.args.is_empty() && !self.allow_args {
            return Err(NotAllowed::Args);
        }
        if choices
            .args
            .iter()
            .chain(choices.env)
            .any(|text| text.contains(&0))
        {
            return Err(NotAllowed::Nul);
        }
        for variable in choices.env {
            let name = variable.split(|&byte| byte == b'=').next().unwrap_or_default();
            if !self.host_env.allows(name) {
                return Err(NotAllowed::Variable(name));
            }
        }
        if choices.debugging && !self.debug {
            return Err(NotAllowed::Debugging);
        }
        Ok(())
    }
}
