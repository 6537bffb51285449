//! The parser of policies: the header and the sections. `rule_parser` reads the rules.

use crate::error::{PolicyError, PolicyProblem};
use crate::lexer::{Lexer, Sign, Token, shortened};
use crate::limits::{MAX_RULES, MAX_TEXT};
use crate::position::Position;
use crate::syntax::{Policy, Rule, Section, Version};

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    /// The first thing that is wrong, and where.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        if text.len() > MAX_TEXT {
            return Err(PolicyError {
                position: Position::START,
                problem: PolicyProblem::TooMany {
                    what: "the policy has too many bytes",
                    limit: MAX_TEXT,
                },
            });
        }
        Parser::new(text)?.policy()
    }
}

/// The token at hand, and what is behind it.
#[derive(Debug)]
pub(crate) struct Parser<'a> {
    lexer: Lexer<'a>,
    pub(crate) token: Token,
    /// Of the token at hand.
    pub(crate) position: Position,
    pub(crate) version: Version,
    rules: usize,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Result<Self, PolicyError> {
        let mut lexer = Lexer::new(text);
        let (position, token) = lexer.next()?;
        Ok(Self {
            lexer,
            token,
            position,
            version: Version::V1_0,
            rules: 0,
        })
    }

    /// `version=1.0; configurationrules{…}; authorizationrules{…}; issuancerules{…};`
    fn policy(mut self) -> Result<Policy, PolicyError> {
        self.version = self.header()?;
        let configuration = self.section(Section::Configuration)?;
        let authorization = self.section(Section::Authorization)?;
        let Some(authorization) = authorization else {
            let first = "configurationrules or authorizationrules";
            return Err(self.expected(match (&configuration, self.version) {
                (None, Version::V1_1 | Version::V1_2) => first,
                _ => "authorizationrules",
            }));
        };
        let issuance = self.section(Section::Issuance)?;
        if self.token != Token::End {
            return Err(self.expected(match issuance {
                None => "issuancerules or the end of the policy",
                Some(_) => "the end of the policy",
            }));
        }
        Ok(Policy {
            version: self.version,
            configuration: configuration.unwrap_or_default(),
            authorization,
            issuance: issuance.unwrap_or_default(),
        })
    }

    /// `version=1.0;`
    fn header(&mut self) -> Result<Version, PolicyError> {
        if !self.is_word("version") {
            return Err(self.expected("version=1.0; (or 1.1 or 1.2)"));
        }
        self.advance()?;
        self.sign(Sign::Assign)?;
        let position = self.position;
        let major = self.digits()?;
        self.sign(Sign::Dot)?;
        let minor = self.digits()?;
        let name = format!("{major}.{minor}");
        let version = Version::ALL
            .into_iter()
            .find(|version| version.name() == name)
            .ok_or(PolicyError {
                position,
                problem: PolicyProblem::UnknownVersion(shortened(&name)),
            })?;
        self.sign(Sign::Semicolon)?;
        Ok(version)
    }

    fn digits(&mut self) -> Result<String, PolicyError> {
        match &self.token {
            Token::Digits(digits) => {
                let digits = digits.clone();
                self.advance()?;
                Ok(digits)
            }
            _ => Err(self.expected("a version like 1.0")),
        }
    }

    /// `name { rules };`, if it is there.
    fn section(&mut self, section: Section) -> Result<Option<Vec<Rule>>, PolicyError> {
        if !self.is_word(section.name()) {
            return Ok(None);
        }
        if section == Section::Configuration {
            self.needs(Version::V1_1, "configurationrules")?;
        }
        self.advance()?;
        self.sign(Sign::LeftBrace)?;
        let mut rules = Vec::new();
        while self.token != Token::Sign(Sign::RightBrace) {
            if self.rules == MAX_RULES {
                return Err(self.too_many("the policy has too many rules", MAX_RULES));
            }
            self.rules = self.rules.saturating_add(1);
            rules.push(self.rule(section)?);
        }
        self.advance()?;
        self.sign(Sign::Semicolon)?;
        Ok(Some(rules))
    }

    /// Goes to the next token.
    pub(crate) fn advance(&mut self) -> Result<(), PolicyError> {
        (self.position, self.token) = self.lexer.next()?;
        Ok(())
    }

    /// Whether a keyword is at hand, in whatever case.
    pub(crate) fn is_word(&self, keyword: &str) -> bool {
        matches!(&self.token, Token::Word(word) if word.eq_ignore_ascii_case(keyword))
    }

    /// Passes a sign that has to be there.
    pub(crate) fn sign(&mut self, sign: Sign) -> Result<(), PolicyError> {
        if self.token == Token::Sign(sign) {
            self.advance()
        } else {
            Err(self.expected(sign.text()))
        }
    }

    /// Passes a sign if it is there.
    pub(crate) fn take_sign(&mut self, sign: Sign) -> Result<bool, PolicyError> {
        let is_there = self.token == Token::Sign(sign);
        if is_there {
            self.advance()?;
        }
        Ok(is_there)
    }

    pub(crate) fn needs(&self, needed: Version, what: &'static str) -> Result<(), PolicyError> {
        if self.version >= needed {
            return Ok(());
        }
        Err(self.error(PolicyProblem::NeedsVersion {
            what,
            needed,
            declared: self.version,
        }))
    }

    pub(crate) fn expected(&self, expected: impl Into<String>) -> PolicyError {
        self.error(PolicyProblem::Expected {
            expected: expected.into(),
            found: self.token.describe(),
        })
    }

    pub(crate) const fn too_many(&self, what: &'static str, limit: usize) -> PolicyError {
        self.error(PolicyProblem::TooMany { what, limit })
    }

    /// At the token at hand.
    pub(crate) const fn error(&self, problem: PolicyProblem) -> PolicyError {
        PolicyError {
            position: self.position,
            problem,
        }
    }
}
