//! Conditions and expressions of pipelines, as far as ours use them: those of GitHub and GitLab with operators, those of Azure with
//! functions. All values are texts, and whatever is not there is the empty one.

use std::iter::Peekable;
use std::str::Chars;

/// What is said of a name, such as `github.ref`, `CI_COMMIT_BRANCH` or `variables.Build.Reason`, or of `succeeded()`.
pub type Names<'a> = &'a dyn Fn(&str) -> String;

/// Whether a condition holds.
pub fn holds(text: &str, names: Names<'_>) -> bool {
    is_true(&value(text, names))
}

/// The value of an expression.
pub fn value(text: &str, names: Names<'_>) -> String {
    let mut parser = Parser {
        rest: text.chars().peekable(),
        names,
    };
    let value = parser.any();
    parser.skip_spaces();
    assert!(parser.rest.next().is_none(), "{text}");
    value
}

/// Replaces every `${{ … }}` by its value.
pub fn interpolate(text: &str, names: Names<'_>) -> String {
    let mut parts = text.split("${{");
    let mut result = parts.next().unwrap().to_owned();
    for part in parts {
        let (expression, rest) = part.split_once("}}").unwrap();
        result.push_str(&value(expression, names));
        result.push_str(rest);
    }
    result
}

fn is_true(value: &str) -> bool {
    !value.is_empty() && value != "false"
}

fn truth(holds: bool) -> String {
    holds.to_string()
}

struct Parser<'a> {
    rest: Peekable<Chars<'a>>,
    names: Names<'a>,
}

impl Parser<'_> {
    fn any(&mut self) -> String {
        let mut value = self.all();
        while self.takes("||") {
            let other = self.all();
            value = if is_true(&value) { value } else { other };
        }
        value
    }

    fn all(&mut self) -> String {
        let mut value = self.comparison();
        while self.takes("&&") {
            let other = self.comparison();
            value = if is_true(&value) { other } else { value };
        }
        value
    }

    fn comparison(&mut self) -> String {
        let value = self.term();
        if self.takes("==") {
            return truth(value == self.term());
        }
        if self.takes("!=") {
            return truth(value != self.term());
        }
        if self.takes("=~") {
            assert!(self.takes("/^("));
            let choices = self.until('/');
            let mut choices = choices.strip_suffix(")$").unwrap().split('|');
            return truth(choices.any(|choice| choice == value));
        }
        value
    }

    fn term(&mut self) -> String {
        if self.takes("!") {
            return truth(!is_true(&self.term()));
        }
        if self.takes("(") {
            let value = self.any();
            assert!(self.takes(")"));
            return value;
        }
        for quote in ["'", "\""] {
            if self.takes(quote) {
                return self.until(quote.chars().next().unwrap());
            }
        }
        let name = self.name();
        if !self.takes("(") {
            return (self.names)(&name);
        }
        let mut arguments = Vec::new();
        while !self.takes(")") {
            arguments.push(self.any());
            self.takes(",");
        }
        let mut all = arguments.iter();
        match name.as_str() {
            "always" => truth(true),
            "and" => truth(all.all(|value| is_true(value))),
            "or" => truth(all.any(|value| is_true(value))),
            "eq" => truth(arguments[0] == arguments[1]),
            "ne" => truth(arguments[0] != arguments[1]),
            "replace" => arguments[0].replace(&arguments[1], &arguments[2]),
            "in" => truth(arguments[1..].contains(&arguments[0])),
            _ => (self.names)(&format!("{name}()")),
        }
    }

    /// `variables['Build.Reason']` is `variables.Build.Reason`, and `$NAME` is `NAME`.
    fn name(&mut self) -> String {
        self.skip_spaces();
        self.takes("$");
        let mut name = String::new();
        loop {
            if self.takes_at_once("['") {
                name.push('.');
                name.push_str(&self.until('\''));
                assert!(self.takes_at_once("]"));
            }
            match self.rest.peek() {
                Some(c) if c.is_ascii_alphanumeric() || "_-.".contains(*c) => {
                    name.extend(self.rest.next());
                }
                _ => break,
            }
        }
        assert!(!name.is_empty());
        name
    }

    fn until(&mut self, end: char) -> String {
        let text: String = self.rest.by_ref().take_while(|c| *c != end).collect();
        text
    }

    fn takes(&mut self, word: &str) -> bool {
        self.skip_spaces();
        self.takes_at_once(word)
    }

    fn takes_at_once(&mut self, word: &str) -> bool {
        let mut ahead = self.rest.clone();
        let is_next = word.chars().all(|c| ahead.next() == Some(c));
        if is_next {
            self.rest = ahead;
        }
        is_next
    }

    fn skip_spaces(&mut self) {
        while self.rest.next_if(|c| c.is_whitespace()).is_some() {}
    }
}
