//! Errors in the text of a policy.

use crate::claim::ValueType;
use crate::position::Position;
use crate::properties::PropertyError;
use crate::syntax::Version;

/// A text that is no policy: where, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{position}: {problem}")]
pub struct PolicyError {
    /// Of the first character that is wrong.
    pub position: Position,
    /// The error.
    pub problem: PolicyProblem,
}

/// What is wrong with a policy's text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyProblem {
    /// Something else belongs here.
    #[error("expected {expected}, found {found}")]
    Expected {
        /// What would be right.
        expected: String,
        /// What there is.
        found: String,
    },
    /// No word, sign or string begins with it.
    #[error("{0:?} has no meaning here")]
    Character(char),
    /// What word processors make of `"`.
    #[error("{0:?} is a typographic quotation mark; strings stand in straight ones, \"like this\"")]
    TypographicQuote(char),
    /// A string without its end.
    #[error("this string is not closed on its line")]
    UnclosedString,
    /// A control character in a string.
    #[error("a string cannot contain the control character U+{:04X}", u32::from(*.0))]
    ControlCharacter(char),
    /// A backslash before anything but a quotation mark or a backslash.
    #[error("\\{0} is no escape; in a string there are \\\" and \\\\")]
    Escape(char),
    /// A number that has no place in 64 bits.
    #[error("{0} is not within the integers of 64 bits, -9223372036854775808 to 9223372036854775807")]
    IntegerRange(String),
    /// `=` in a condition.
    #[error("a condition compares with == (or != < <= > >=), = is for actions")]
    AssignmentInCondition,
    /// A version that nobody has defined.
    #[error("there is no version {0} of the policy language; there are 1.0, 1.1 and 1.2")]
    UnknownVersion(String),
    /// A part of a later version.
    #[error("{what} need version={}; and this policy has version={};", .needed.name(), .declared.name())]
    NeedsVersion {
        /// The part of the language.
        what: &'static str,
        /// With which version it came.
        needed: Version,
        /// What the policy says of itself.
        declared: Version,
    },
    /// An action where it has no effect.
    #[error("{action}() is not an action of {section}; there are {allowed}")]
    ActionNotHere {
        /// The action.
        action: &'static str,
        /// The section.
        section: &'static str,
        /// What could stand here.
        allowed: &'static str,
    },
    /// No such function.
    #[error(
        "there is no function {0}; there are JmesPath, JsonToClaimValue, IsSubsetOf, AppendString, NegateBool and ContainsOnlyValue"
    )]
    UnknownFunction(String),
    /// Too many or too few arguments.
    #[error("{function} takes {expected} arguments, not {found}")]
    ArgumentCount {
        /// The function.
        function: &'static str,
        /// As it should be.
        expected: usize,
        /// As it is.
        found: usize,
    },
    /// A value of the wrong type, as is known without claims.
    #[error("{what} is {}, not {}", .expected.noun(), .found.noun())]
    WrongType {
        /// What has a type.
        what: String,
        /// Its type.
        expected: ValueType,
        /// That of the value.
        found: ValueType,
    },
    /// A name that no condition before has.
    #[error("no condition before this one in the rule is named {0}")]
    UnknownName(String),
    /// A name of claims that there are none of.
    #[error("{0} names a condition with !, which no claim passes")]
    NegatedName(String),
    /// Two conditions with one name.
    #[error("two conditions of this rule are named {0}")]
    DuplicateName(String),
    /// A property that an action cannot give.
    #[error("{0} cannot be chosen: the policy is the issuer of what it makes, and a value has its own type")]
    FixedProperty(&'static str),
    /// A property that a service cannot honour; only [`Policy::check_properties`](crate::Policy::check_properties) tells.
    #[error("{0}")]
    Property(PropertyError),
    /// A literal query that is none.
    #[error("not a JMESPath query: {0}")]
    Query(String),
    /// More than the limit allows.
    #[error("{what}: at most {limit} are allowed")]
    TooMany {
        /// What is limited.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
}
