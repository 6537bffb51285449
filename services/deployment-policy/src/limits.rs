//! The sizes of what is accepted, so that nothing that a policy says can exhaust who reads it.

/// Bytes of a policy's text.
pub const MAX_POLICY_SIZE: usize = 1 << 20;

/// Levels of maps and lists within each other. The language itself has seven.
pub(crate) const MAX_DEPTH: usize = 16;

/// Maps, lists and scalars, and as many events of YAML; aliases count as what they stand for.
pub(crate) const MAX_NODES: usize = 50_000;

/// Aliases (`*name`) in a text of YAML.
pub(crate) const MAX_ALIASES: usize = 200;

/// Services, secrets, volumes, people, imports, exports: of each.
pub(crate) const MAX_NAMED: usize = 1_000;

/// Arguments, variables, files and mounts of a service, enclaves of a service, nodes of a list: of each.
pub(crate) const MAX_PER_SERVICE: usize = 1_000;

/// Bytes of an argument or of a variable's value, as Linux has it (MAX_ARG_STRLEN), before and after its template is filled.
pub(crate) const MAX_ARGUMENT: usize = 128 << 10;

/// Certificate authorities from a certificate up to the broker's.
pub(crate) const MAX_ISSUERS: usize = 8;

/// Problems that are listed; more would not help.
pub(crate) const MAX_PROBLEMS: usize = 50;

/// Letters of a sentence, such as the reason of a tolerance.
pub(crate) const MAX_SENTENCE: usize = 1_000;

/// Bytes of all that a service gets. JSON writes a byte as six at most: `provisioning::MAX_PROVISION` has room for it.
pub(crate) const MAX_RESOLVED: usize = 2 << 20;
