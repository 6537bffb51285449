//! The lexer: words, signs and literals of a policy's text.

use crate::error::{PolicyError, PolicyProblem};
use crate::position::Position;

/// A word, a sign or a literal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// A keyword or a name.
    Word(String),
    /// What stood between quotation marks, without its escapes.
    Text(String),
    /// Decimal digits.
    Digits(String),
    Sign(Sign),
    End,
}

/// Signs of one or two characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    Arrow,
    And,
    Equal,
    NotEqual,
    LessOrEqual,
    GreaterOrEqual,
    Less,
    Greater,
    Assign,
    Not,
    Minus,
    Colon,
    Semicolon,
    Comma,
    Dot,
    LeftBracket,
    RightBracket,
    LeftBrace,
    RightBrace,
    LeftParenthesis,
    RightParenthesis,
}

impl Sign {
    /// A sign stands before those that it begins with.
    const ALL: [(&'static str, Self); 21] = [
        ("=>", Self::Arrow),
        ("&&", Self::And),
        ("==", Self::Equal),
        ("!=", Self::NotEqual),
        ("<=", Self::LessOrEqual),
        (">=", Self::GreaterOrEqual),
        ("<", Self::Less),
        (">", Self::Greater),
        ("=", Self::Assign),
        ("!", Self::Not),
        ("-", Self::Minus),
        (":", Self::Colon),
        (";", Self::Semicolon),
        (",", Self::Comma),
        (".", Self::Dot),
        ("[", Self::LeftBracket),
        ("]", Self::RightBracket),
        ("{", Self::LeftBrace),
        ("}", Self::RightBrace),
        ("(", Self::LeftParenthesis),
        (")", Self::RightParenthesis),
    ];

    pub(crate) fn text(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, sign)| *sign == self)
            .map_or("", |(text, _)| text)
    }
}

impl Token {
    /// For messages.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Word(word) => shortened(word),
            Self::Text(text) => format!("the string {:?}", shortened(text)),
            Self::Digits(digits) => shortened(digits),
            Self::Sign(sign) => sign.text().to_owned(),
            Self::End => "the end of the policy".to_owned(),
        }
    }
}

/// The beginning of what may be long.
pub(crate) fn shortened(text: &str) -> String {
    /// Characters.
    const MAX_SHOWN: usize = 40;
    match text.char_indices().nth(MAX_SHOWN) {
        Some((index, _)) => format!("{}…", text.get(..index).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Reads tokens one after the other.
#[derive(Debug)]
pub(crate) struct Lexer<'a> {
    rest: &'a str,
    position: Position,
}

impl<'a> Lexer<'a> {
    pub(crate) const fn new(text: &'a str) -> Self {
        Self {
            rest: text,
            position: Position::START,
        }
    }

    /// The next token and where it begins.
    pub(crate) fn next(&mut self) -> Result<(Position, Token), PolicyError> {
        self.skip_space();
        let position = self.position;
        let Some(first) = self.peek() else {
            return Ok((position, Token::End));
        };
        if first == '"' {
            return Ok((position, Token::Text(self.string()?)));
        }
        if first.is_ascii_alphabetic() || first == '_' {
            let word = self.take_while(|c| c.is_ascii_alphanumeric() || c == '_');
            return Ok((position, Token::Word(word)));
        }
        if first.is_ascii_digit() {
            return Ok((position, Token::Digits(self.take_while(|c| c.is_ascii_digit()))));
        }
        let sign = Sign::ALL.iter().find(|(text, _)| self.rest.starts_with(text));
        if let Some((text, sign)) = sign {
            text.chars().for_each(|_| {
                self.bump();
            });
            return Ok((position, Token::Sign(*sign)));
        }
        Err(self.error_here(match first {
            '\u{2018}'..='\u{201f}' => PolicyProblem::TypographicQuote(first),
            other => PolicyProblem::Character(other),
        }))
    }

    /// Blanks, ends of lines and `// comments`.
    fn skip_space(&mut self) {
        loop {
            if self.rest.starts_with("//") {
                while self.peek().is_some_and(|c| c != '\n') {
                    self.bump();
                }
            } else if self.peek().is_some_and(|c| matches!(c, ' ' | '\t' | '\r' | '\n')) {
                self.bump();
            } else {
                return;
            }
        }
    }

    /// What stands between quotation marks.
    fn string(&mut self) -> Result<String, PolicyError> {
        let start = self.position;
        let unclosed = PolicyError {
            position: start,
            problem: PolicyProblem::UnclosedString,
        };
        self.bump();
        let mut text = String::new();
        loop {
            let position = self.position;
            let at = |problem| PolicyError { position, problem };
            match self.bump() {
                None | Some('\n') => return Err(unclosed),
                Some('"') => return Ok(text),
                Some('\\') => match self.bump() {
                    Some(escaped @ ('"' | '\\')) => text.push(escaped),
                    None | Some('\n' | '\r') => return Err(unclosed),
                    Some(other) => return Err(at(PolicyProblem::Escape(other))),
                },
                Some('\r') if self.peek() == Some('\n') => return Err(unclosed),
                Some(control) if control.is_control() && control != '\t' => {
                    return Err(at(PolicyProblem::ControlCharacter(control)));
                }
                Some(other) => text.push(other),
            }
        }
    }

    fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> String {
        let mut taken = String::new();
        while let Some(character) = self.peek().filter(|c| belongs(*c)) {
            taken.push(character);
            self.bump();
        }
        taken
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let mut characters = self.rest.chars();
        let character = characters.next()?;
        self.rest = characters.as_str();
        self.position = self.position.after(character);
        Some(character)
    }

    const fn error_here(&self, problem: PolicyProblem) -> PolicyError {
        PolicyError {
            position: self.position,
            problem,
        }
    }
}
