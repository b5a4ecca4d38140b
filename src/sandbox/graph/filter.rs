//! `$filter`: the part of the `OData` grammar that the directory understands, read and evaluated.
//!
//! Which properties may be filtered how is in [`super::filter_rules`].

use serde_json::Value;

use super::properties::Property;
use super::world::Identity;

/// A condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Not(Box<Condition>),
    Compare {
        path: Path,
        operator: Operator,
        value: Literal,
    },
    OneOf {
        path: Path,
        values: Vec<Literal>,
    },
    Text {
        path: Path,
        function: Function,
        value: String,
    },
    Any {
        collection: String,
        variable: String,
        condition: Box<Condition>,
    },
}

/// A property, or a variable, or a property of a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) first: String,
    pub(super) rest: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    AtLeast,
    AtMost,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    StartsWith,
    EndsWith,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Literal {
    Text(String),
    Flag(bool),
    Null,
}

/// Reads a filter. The error is the service's sentence about it, without its introduction.
pub(super) fn parse(text: &str) -> Result<Condition, String> {
    let mut parser = Parser {
        tokens: tokens(text)?,
        next: 0,
        depth: 0,
        text,
    };
    let condition = parser.any_of()?;
    match parser.peek() {
        None => Ok(condition),
        Some(_) => Err(parser.syntax_error()),
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
    Sign(char),
}

fn tokens(text: &str) -> Result<Vec<(usize, Token)>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.char_indices().peekable();
    while let Some((at, character)) = rest.next() {
        match character {
            _ if character.is_whitespace() => {}
            '\'' => {
                let mut value = String::new();
                loop {
                    match rest.next() {
                        Some((_, '\'')) => match rest.peek() {
                            Some((_, '\'')) => {
                                value.push('\'');
                                rest.next();
                            }
                            _ => break,
                        },
                        Some((_, character)) => value.push(character),
                        None => {
                            return Err(format!(
                                "There is an unterminated string literal at position {} in '{text}'.",
                                text.chars().count()
                            ));
                        }
                    }
                }
                tokens.push((at, Token::Text(value)));
            }
            '(' | ')' | ',' | ':' | '/' => tokens.push((at, Token::Sign(character))),
            _ if is_word(character) => {
                let mut word = String::from(character);
                while let Some((_, character)) = rest.next_if(|(_, next)| is_word(*next)) {
                    word.push(character);
                }
                tokens.push((at, Token::Word(word)));
            }
            _ => return Err(syntax_error(text, at)),
        }
    }
    Ok(tokens)
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '.' | '-' | '$' | '@')
}

fn syntax_error(text: &str, at: usize) -> String {
    format!("Syntax error at position {at} in '{text}'.")
}

/// How deep conditions may be nested.
const DEEPEST: usize = 60;

struct Parser<'a> {
    tokens: Vec<(usize, Token)>,
    next: usize,
    depth: usize,
    text: &'a str,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|(_, token)| token)
    }

    fn take(&mut self) -> Option<Token> {
        let token = self.peek().cloned();
        self.next += 1;
        token
    }

    fn syntax_error(&self) -> String {
        let at = self
            .tokens
            .get(self.next)
            .map_or(self.text.len(), |(at, _)| *at);
        syntax_error(self.text, at)
    }

    fn next_is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Some(Token::Word(next)) if next == word)
    }

    fn next_is_sign(&self, sign: char) -> bool {
        matches!(self.peek(), Some(Token::Sign(next)) if *next == sign)
    }

    fn take_word_if(&mut self, word: &str) -> bool {
        let found = self.next_is_word(word);
        self.next += usize::from(found);
        found
    }

    fn take_sign_if(&mut self, sign: char) -> bool {
        let found = self.next_is_sign(sign);
        self.next += usize::from(found);
        found
    }

    fn expect_sign(&mut self, sign: char) -> Result<(), String> {
        if self.take_sign_if(sign) {
            Ok(())
        } else {
            Err(self.syntax_error())
        }
    }

    fn expect_word(&mut self) -> Result<String, String> {
        match self.peek() {
            Some(Token::Word(word)) => {
                let word = word.clone();
                self.next += 1;
                Ok(word)
            }
            _ => Err(self.syntax_error()),
        }
    }

    fn any_of(&mut self) -> Result<Condition, String> {
        let mut conditions = vec![self.all_of()?];
        while self.take_word_if("or") {
            conditions.push(self.all_of()?);
        }
        Ok(single(conditions, Condition::Or))
    }

    fn all_of(&mut self) -> Result<Condition, String> {
        let mut conditions = vec![self.one()?];
        while self.take_word_if("and") {
            conditions.push(self.one()?);
        }
        Ok(single(conditions, Condition::And))
    }

    fn one(&mut self) -> Result<Condition, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err("The node count limit has been exceeded.".to_owned());
        }
        let condition = if self.take_word_if("not") {
            Condition::Not(Box::new(self.one()?))
        } else if self.take_sign_if('(') {
            let condition = self.any_of()?;
            self.expect_sign(')')?;
            condition
        } else {
            self.clause()?
        };
        self.depth -= 1;
        Ok(condition)
    }

    fn clause(&mut self) -> Result<Condition, String> {
        let first = self.expect_word()?;
        if self.next_is_sign('(') {
            return self.function(&first);
        }
        let mut path = Path { first, rest: None };
        if self.take_sign_if('/') {
            let rest = self.expect_word()?;
            if rest == "any" && self.next_is_sign('(') {
                return self.any(path.first);
            }
            path.rest = Some(rest);
        }
        let operator = match self.expect_word()?.as_str() {
            "eq" => Operator::Equal,
            "ne" => Operator::NotEqual,
            "ge" => Operator::AtLeast,
            "le" => Operator::AtMost,
            "in" => return self.one_of(path),
            _ => {
                self.next -= 1;
                return Err(self.syntax_error());
            }
        };
        let value = self.literal()?;
        Ok(Condition::Compare {
            path,
            operator,
            value,
        })
    }

    fn function(&mut self, name: &str) -> Result<Condition, String> {
        let function = match name.to_ascii_lowercase().as_str() {
            "startswith" => Function::StartsWith,
            "endswith" => Function::EndsWith,
            _ => return Err(format!("An unknown function with name '{name}' was found.")),
        };
        self.expect_sign('(')?;
        let first = self.expect_word()?;
        let rest = if self.take_sign_if('/') {
            Some(self.expect_word()?)
        } else {
            None
        };
        self.expect_sign(',')?;
        let Literal::Text(value) = self.literal()? else {
            return Err(self.syntax_error());
        };
        self.expect_sign(')')?;
        Ok(Condition::Text {
            path: Path { first, rest },
            function,
            value,
        })
    }

    fn any(&mut self, collection: String) -> Result<Condition, String> {
        self.expect_sign('(')?;
        let variable = self.expect_word()?;
        self.expect_sign(':')?;
        let condition = Box::new(self.any_of()?);
        self.expect_sign(')')?;
        Ok(Condition::Any {
            collection,
            variable,
            condition,
        })
    }

    fn one_of(&mut self, path: Path) -> Result<Condition, String> {
        self.expect_sign('(')?;
        let mut values = vec![self.literal()?];
        while self.take_sign_if(',') {
            values.push(self.literal()?);
        }
        self.expect_sign(')')?;
        Ok(Condition::OneOf { path, values })
    }

    fn literal(&mut self) -> Result<Literal, String> {
        let literal = match self.peek() {
            Some(Token::Text(value)) => Literal::Text(value.clone()),
            Some(Token::Word(word)) if word == "true" => Literal::Flag(true),
            Some(Token::Word(word)) if word == "false" => Literal::Flag(false),
            Some(Token::Word(word)) if word == "null" => Literal::Null,
            _ => return Err(self.syntax_error()),
        };
        self.take();
        Ok(literal)
    }
}

fn single(mut conditions: Vec<Condition>, of: fn(Vec<Condition>) -> Condition) -> Condition {
    match conditions.pop() {
        Some(only) if conditions.is_empty() => only,
        Some(last) => {
            conditions.push(last);
            of(conditions)
        }
        None => of(conditions),
    }
}

/// What the names in a condition mean.
enum Scope<'a> {
    Object(&'a dyn Fn(&str) -> Option<Property<'a>>),
    Text(&'a str),
    Identity(&'a Identity),
}

/// Whether a condition holds for an object with these properties.
pub(super) fn holds<'a>(
    condition: &Condition,
    property: &'a dyn Fn(&str) -> Option<Property<'a>>,
    ignore_case: bool,
) -> bool {
    holds_in(condition, &Scope::Object(property), ignore_case)
}

fn holds_in(condition: &Condition, scope: &Scope<'_>, ignore_case: bool) -> bool {
    match condition {
        Condition::And(parts) => parts.iter().all(|part| holds_in(part, scope, ignore_case)),
        Condition::Or(parts) => parts.iter().any(|part| holds_in(part, scope, ignore_case)),
        Condition::Not(inner) => !holds_in(inner, scope, ignore_case),
        Condition::Compare {
            path,
            operator,
            value,
        } => {
            let found = value_of(path, scope);
            match operator {
                Operator::Equal => found.equals(value, ignore_case),
                Operator::NotEqual => !found.equals(value, ignore_case),
                Operator::AtLeast => found.compare(value).is_some_and(std::cmp::Ordering::is_ge),
                Operator::AtMost => found.compare(value).is_some_and(std::cmp::Ordering::is_le),
            }
        }
        Condition::OneOf { path, values } => {
            let found = value_of(path, scope);
            values.iter().any(|value| found.equals(value, ignore_case))
        }
        Condition::Text {
            path,
            function,
            value,
        } => match value_of(path, scope) {
            Found::Text(text) if ignore_case => {
                let (text, value) = (text.to_lowercase(), value.to_lowercase());
                function.holds(&text, &value)
            }
            Found::Text(text) => function.holds(text, value),
            Found::Flag(_) | Found::Nothing => false,
        },
        Condition::Any {
            collection,
            condition,
            ..
        } => {
            let Scope::Object(property) = scope else {
                return false;
            };
            match property(collection) {
                Some(Property::Texts(texts)) => texts
                    .iter()
                    .any(|text| holds_in(condition, &Scope::Text(text), ignore_case)),
                Some(Property::Identities(identities)) => identities
                    .iter()
                    .any(|identity| holds_in(condition, &Scope::Identity(identity), ignore_case)),
                _ => false,
            }
        }
    }
}

impl Function {
    fn holds(self, text: &str, value: &str) -> bool {
        match self {
            Self::StartsWith => text.starts_with(value),
            Self::EndsWith => text.ends_with(value),
        }
    }
}

enum Found<'a> {
    Text(&'a str),
    Flag(bool),
    Nothing,
}

impl Found<'_> {
    fn equals(&self, value: &Literal, ignore_case: bool) -> bool {
        match (self, value) {
            (Self::Text(text), Literal::Text(value)) if ignore_case => same_text(text, value),
            (Self::Text(text), Literal::Text(value)) => text == value,
            (Self::Flag(flag), Literal::Flag(value)) => flag == value,
            (Self::Nothing, Literal::Null) => true,
            _ => false,
        }
    }

    fn compare(&self, value: &Literal) -> Option<std::cmp::Ordering> {
        match (self, value) {
            (Self::Text(text), Literal::Text(value)) => {
                Some(text.to_lowercase().cmp(&value.to_lowercase()))
            }
            _ => None,
        }
    }
}

fn same_text(one: &str, other: &str) -> bool {
    if one.is_ascii() && other.is_ascii() {
        one.eq_ignore_ascii_case(other)
    } else {
        one.to_lowercase() == other.to_lowercase()
    }
}

fn value_of<'a>(path: &Path, scope: &Scope<'a>) -> Found<'a> {
    match scope {
        Scope::Object(property) => match property(&path.first) {
            Some(Property::Text(Some(text))) => Found::Text(text),
            Some(Property::Flag(Some(flag))) => Found::Flag(flag),
            Some(Property::Json(Value::String(text))) => Found::Text(text),
            Some(Property::Json(Value::Bool(flag))) => Found::Flag(*flag),
            _ => Found::Nothing,
        },
        Scope::Text(text) => Found::Text(text),
        Scope::Identity(identity) => match path.rest.as_deref() {
            Some("issuer") => Found::Text(&identity.issuer),
            Some("signInType") => Found::Text(&identity.sign_in_type),
            Some("issuerAssignedId") => identity
                .issuer_assigned_id
                .as_deref()
                .map_or(Found::Nothing, Found::Text),
            _ => Found::Nothing,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(name: &str) -> Option<Property<'static>> {
        static MAILS: std::sync::LazyLock<Vec<String>> = std::sync::LazyLock::new(|| {
            vec![
                "Pat@Fabrikam.com".to_owned(),
                "p.o'neil@x.example".to_owned(),
            ]
        });
        match name {
            "mail" => Some(Property::Text(Some("Pat@Fabrikam.com"))),
            "surname" => Some(Property::Text(None)),
            "accountEnabled" => Some(Property::Flag(Some(true))),
            "otherMails" => Some(Property::Texts(&MAILS)),
            _ => None,
        }
    }

    fn fits(text: &str) -> bool {
        holds(&parse(text).unwrap(), &person, true)
    }

    #[test]
    fn conditions_are_read_as_odata_reads_them() {
        for (text, expected) in [
            ("mail eq 'pat@fabrikam.com'", true),
            ("mail eq 'pat'", false),
            ("mail ne 'pat'", true),
            ("mail in ('a', 'pat@fabrikam.com')", true),
            ("mail in ('a')", false),
            ("startsWith(mail,'pat@')", true),
            ("endswith(mail, '.com')", true),
            ("surname eq null", true),
            ("mail eq null", false),
            ("accountEnabled eq true", true),
            ("not(mail eq 'a')", true),
            ("otherMails/any(x:x eq 'p.o''neil@x.example')", true),
            ("otherMails/any(x:x in ('a','PAT@fabrikam.com'))", true),
            ("otherMails/any(x:startswith(x,'p.o'''))", true),
            ("otherMails/any(x:x eq 'a' or x eq 'b')", false),
            ("mail eq 'a' or mail eq 'b' and surname eq null", false),
            ("(mail eq 'a' or mail ge 'b') and surname eq null", true),
            ("mail eq 'a' or accountEnabled eq true", true),
        ] {
            assert_eq!(fits(text), expected, "{text}");
        }
    }

    #[test]
    fn a_quote_that_is_not_closed_is_an_error() {
        for text in ["mail eq 'a", "mail eq 'O'Brien'", "mail in ('a','b)", "'"] {
            let error = parse(text).unwrap_err();
            assert!(error.contains("unterminated"), "{text}: {error}");
        }
    }

    #[test]
    fn what_is_not_a_filter_is_a_syntax_error() {
        for text in [
            "",
            "mail",
            "mail eq",
            "mail eq pat",
            "mail eq 'a' mail eq 'b'",
            "mail eq 'a' or",
            "mail in ()",
            "mail in ('a',)",
            "(mail eq 'a'",
            "mail eq 'a')",
            "otherMails/any(x eq 'a')",
            "contains(mail,'a')",
            "mail eq \"a\"",
            "startswith(mail,true)",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
        assert!(parse(&"(".repeat(5000)).is_err());
        assert!(parse(&"not ".repeat(5000)).is_err());
    }
}
