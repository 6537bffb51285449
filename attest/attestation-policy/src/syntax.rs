//! A policy as its parser leaves it: whatever is here is well-formed, within the limits and of matching types as far as
//! types are known before there are claims.

use crate::claim::{Value, ValueType};
use crate::position::Position;

/// A policy that can be evaluated. Made by [`Policy::parse`].
#[derive(Clone, Debug)]
pub struct Policy {
    pub(crate) version: Version,
    pub(crate) configuration: Vec<Rule>,
    pub(crate) authorization: Vec<Rule>,
    pub(crate) issuance: Vec<Rule>,
}

/// A version of the language; each has all of those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Version {
    /// Authorization and issuance rules.
    V1_0,
    /// Adds configuration rules.
    V1_1,
    /// Adds functions and `!`.
    V1_2,
}

/// A section of rules, in the order in which they stand and are evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Configuration,
    Authorization,
    Issuance,
}

/// `condition && condition => action;`
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    /// Of its first character.
    pub position: Position,
    /// All have to hold; without any the rule always applies.
    pub conditions: Vec<Condition>,
    pub action: Action,
}

/// `name:[property == expression, …]`: there is a claim that passes all tests, or with `!` there is none.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    pub is_negated: bool,
    /// By which later conditions and the action refer to the claims that pass.
    pub name: Option<String>,
    pub tests: Vec<Test>,
}

/// `property == expression`
#[derive(Clone, Debug)]
pub(crate) struct Test {
    pub position: Position,
    pub property: Property,
    pub operator: Operator,
    pub expected: Expression,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Property {
    Type,
    Value,
    ValueType,
    Issuer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What a rule does.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    Permit,
    Deny,
    /// Makes a claim, or takes one that there is.
    Claim {
        position: Position,
        verb: Verb,
        source: Source,
    },
}

/// Where a claim goes, besides the incoming claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// Nowhere.
    Add,
    /// To those that are issued.
    Issue,
    /// To the properties.
    IssueProperty,
}

/// What the claims of an action are.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// `claim=name`: those that passed the condition of this number.
    Claims { condition: usize },
    /// `type=…, value=…`: one for each value.
    New {
        claim_type: Expression,
        value: Expression,
    },
}

#[derive(Clone, Debug)]
pub(crate) struct Expression {
    pub position: Position,
    pub kind: ExpressionKind,
}

#[derive(Clone, Debug)]
pub(crate) enum ExpressionKind {
    Literal(Value),
    /// `name.property` of the claims that passed the condition of this number.
    Property {
        condition: usize,
        property: Property,
    },
    Call {
        function: Function,
        arguments: Vec<Expression>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    JmesPath,
    JsonToClaimValue,
    IsSubsetOf,
    AppendString,
    NegateBool,
    ContainsOnlyValue,
}

impl Policy {
    /// The version of the language that it is written in.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.version
    }

    /// How many rules there are.
    #[must_use]
    pub fn rule_count(&self) -> usize {
        let sections = [&self.configuration, &self.authorization, &self.issuance];
        sections.iter().map(|section| section.len()).sum()
    }
}

impl Version {
    pub(crate) const ALL: [Self; 3] = [Self::V1_0, Self::V1_1, Self::V1_2];

    /// `major.minor`
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::V1_0 => "1.0",
            Self::V1_1 => "1.1",
            Self::V1_2 => "1.2",
        }
    }
}

impl Section {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Configuration => "configurationrules",
            Self::Authorization => "authorizationrules",
            Self::Issuance => "issuancerules",
        }
    }
}

impl Property {
    pub(crate) const ALL: [Self; 4] = [Self::Type, Self::Value, Self::ValueType, Self::Issuer];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::Value => "value",
            Self::ValueType => "valueType",
            Self::Issuer => "issuer",
        }
    }

    /// Its type, as far as that does not depend on the claim.
    pub(crate) const fn static_type(self) -> Option<ValueType> {
        match self {
            Self::Value => None,
            Self::Type | Self::ValueType | Self::Issuer => Some(ValueType::String),
        }
    }
}

impl Operator {
    pub(crate) const fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }

    /// Whether it asks which is larger, which only integers can answer.
    pub(crate) const fn is_ordering(self) -> bool {
        !matches!(self, Self::Equal | Self::NotEqual)
    }
}

impl Verb {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Issue => "issue",
            Self::IssueProperty => "issueproperty",
        }
    }
}

impl Function {
    const ALL: [Self; 6] = [
        Self::JmesPath,
        Self::JsonToClaimValue,
        Self::IsSubsetOf,
        Self::AppendString,
        Self::NegateBool,
        Self::ContainsOnlyValue,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::JmesPath => "JmesPath",
            Self::JsonToClaimValue => "JsonToClaimValue",
            Self::IsSubsetOf => "IsSubsetOf",
            Self::AppendString => "AppendString",
            Self::NegateBool => "NegateBool",
            Self::ContainsOnlyValue => "ContainsOnlyValue",
        }
    }

    /// Keywords are the same in any case.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|function| function.name().eq_ignore_ascii_case(name))
    }

    /// What each argument has to be; `None` is any type.
    pub(crate) const fn parameters(self) -> &'static [Option<ValueType>] {
        match self {
            Self::JmesPath | Self::AppendString => &[Some(ValueType::String), Some(ValueType::String)],
            Self::JsonToClaimValue => &[Some(ValueType::String)],
            Self::IsSubsetOf | Self::ContainsOnlyValue => &[None, None],
            Self::NegateBool => &[Some(ValueType::Boolean)],
        }
    }

    const fn static_type(self) -> Option<ValueType> {
        match self {
            Self::JmesPath | Self::AppendString => Some(ValueType::String),
            Self::IsSubsetOf | Self::NegateBool | Self::ContainsOnlyValue => Some(ValueType::Boolean),
            Self::JsonToClaimValue => None,
        }
    }
}

impl Expression {
    /// The type of its values, as far as that does not depend on claims.
    pub(crate) const fn static_type(&self) -> Option<ValueType> {
        match &self.kind {
            ExpressionKind::Literal(value) => Some(value.value_type()),
            ExpressionKind::Property { property, .. } => property.static_type(),
            ExpressionKind::Call { function, .. } => function.static_type(),
        }
    }
}
