//! Limits on a policy and on its evaluation.
//!
//! Policies come from whoever may set one, or from anyone as a draft with an attestation request, and claims from whoever
//! is attested. Each limit is far above what Microsoft's own examples need, and together they keep the worst
//! evaluation to a fraction of a second and some tens of megabytes.

/// Bytes of a policy's text. Microsoft's longest example has 6,000.
pub const MAX_TEXT: usize = 128 * 1024;

/// Rules of all sections. Nine examples of 20 rules each, in one policy, have 180.
pub const MAX_RULES: usize = 1024;

/// Conditions of a rule, each of which goes through all claims.
pub const MAX_CONDITIONS: usize = 32;

/// Comparisons within a condition. There are four properties; ranges and exclusions take some more.
pub const MAX_COMPARISONS: usize = 32;

/// Functions within functions. The parser, the evaluation and the destruction of an expression are recursive. The
/// examples nest three.
pub const MAX_DEPTH: usize = 16;

/// Claims, the incoming and those that rules add, together.
pub const MAX_CLAIMS: usize = 4096;

/// Bytes of one value. The largest are JSON: a log of events, or what a client says about its runtime. As a tree, JSON takes
/// up to fifty times its text.
pub const MAX_VALUE: usize = 512 * 1024;

/// Bytes of all the claims that rules make. Without it, `AppendString` of a claim to itself doubles them rule by rule.
pub const MAX_CREATED: usize = 4 * 1024 * 1024;

/// Steps of an evaluation: a comparison of a claim's property is one, and so are 64 bytes that are compared, copied, or
/// read or written as JSON, and what a query does to one value.
pub const MAX_STEPS: u64 = 2_000_000;

/// Bytes of a JMESPath query. The longest example has 400.
pub const MAX_QUERY: usize = 4096;

/// Signs in a JMESPath query (operators, brackets, commas), since its parser and its evaluation recur with each of them: so
/// many take 384 KiB of stack at most, and less than 1 MiB in a debug build. The most complicated example has 40.
pub const MAX_QUERY_OPERATORS: usize = 128;
