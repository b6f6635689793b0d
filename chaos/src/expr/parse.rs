//! Text to [`Check`]: a lexer and a recursive descent, one function a level of precedence.
//!
//! ```text
//! check   := sum ("<" | "<=" | ">" | ">=" | "==" | "!=") sum  |  sum "within" number "%" "of" "control"
//! sum     := product (("+" | "-") product)*
//! product := factor (("*" | "/") factor)*
//! factor  := "-" factor | number [unit] | measure | "control" | "abs" "(" sum ")" | "(" sum ")"
//! ```

use super::{Check, Compare, Expr, Kind, Measure, Operator, Test};
use crate::Refused;
use crate::units::{BYTE_UNITS, TIME_UNITS};

/// Depth of parentheses and signs that is accepted; beyond it is no check that a person wrote.
const DEPTH_MAX: usize = 32;
const ALLOWED: &str =
    "such as usage < 0.97 * limit, hit_ratio >= 0.95 * control, capacity_bytes within 10% of control";

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Number(f64),
    Word(String),
    Sign(&'static str),
}

pub(super) fn parse(written: &str) -> Result<Check, Refused> {
    let mut parser = Parser { tokens: lex(written)?, at: 0, depth: 0 };
    let test = parser.check()?;
    if let Some(rest) = parser.peek() {
        return Err(wrong(&format!("{} after the end of the check", show(rest))));
    }
    let check = Check { text: written.to_owned(), test };
    check_meaning(&check)?;
    Ok(check)
}

fn wrong(problem: &str) -> Refused {
    Refused::invalid("", "", problem, ALLOWED)
}

fn lex(text: &str) -> Result<Vec<Token>, Refused> {
    const SIGNS: [&str; 13] = ["<=", ">=", "==", "!=", "<", ">", "+", "-", "*", "/", "(", ")", "%"];
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if let Some(sign) = SIGNS.iter().find(|s| rest.starts_with(**s)) {
            tokens.push(Token::Sign(sign));
            sign.len()
        } else if first.is_ascii_digit() {
            let length = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            let number =
                rest[..length].parse().map_err(|_| wrong(&format!("{:?} is no number", &rest[..length])))?;
            tokens.push(Token::Number(number));
            length
        } else if first.is_ascii_alphabetic() {
            let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            tokens.push(Token::Word(rest[..length].to_owned()));
            length
        } else {
            return Err(wrong(&format!("{first:?} has no meaning here")));
        };
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self, expected: &str) -> Result<Token, Refused> {
        let token =
            self.peek().cloned().ok_or_else(|| wrong(&format!("it ends where {expected} should be")))?;
        self.at += 1;
        Ok(token)
    }

    fn take(&mut self, signs: &[&'static str]) -> Option<&'static str> {
        match self.peek() {
            Some(Token::Sign(sign)) if signs.contains(sign) => {
                let sign = *sign;
                self.at += 1;
                Some(sign)
            }
            _ => None,
        }
    }

    fn need(&mut self, wanted: &Token) -> Result<(), Refused> {
        let expected = show(wanted);
        let found = self.next(&expected)?;
        if found == *wanted {
            Ok(())
        } else {
            Err(wrong(&format!("{} where {expected} should be", show(&found))))
        }
    }

    fn check(&mut self) -> Result<Test, Refused> {
        let left = self.sum()?;
        let expected = "a comparison";
        let compare = match self.next(expected)? {
            Token::Word(word) if word == "within" => {
                let percent = match self.next("a percentage")? {
                    Token::Number(percent) => percent,
                    other => return Err(wrong(&format!("{} where a percentage should be", show(&other)))),
                };
                self.need(&Token::Sign("%"))?;
                self.need(&Token::Word("of".to_owned()))?;
                self.need(&Token::Word("control".to_owned()))?;
                return Ok(Test::Within { left, ratio: percent / 100.0 });
            }
            Token::Sign("<") => Compare::Less,
            Token::Sign("<=") => Compare::LessOrEqual,
            Token::Sign(">") => Compare::Greater,
            Token::Sign(">=") => Compare::GreaterOrEqual,
            Token::Sign("==") => Compare::Equal,
            Token::Sign("!=") => Compare::NotEqual,
            other => return Err(wrong(&format!("{} where {expected} should be", show(&other)))),
        };
        Ok(Test::Compare { left, compare, right: self.sum()? })
    }

    fn sum(&mut self) -> Result<Expr, Refused> {
        let mut left = self.product()?;
        while let Some(sign) = self.take(&["+", "-"]) {
            let operator = if sign == "+" { Operator::Add } else { Operator::Subtract };
            left = Expr::Binary(Box::new(left), operator, Box::new(self.product()?));
        }
        Ok(left)
    }

    fn product(&mut self) -> Result<Expr, Refused> {
        let mut left = self.factor()?;
        while let Some(sign) = self.take(&["*", "/"]) {
            let operator = if sign == "*" { Operator::Multiply } else { Operator::Divide };
            left = Expr::Binary(Box::new(left), operator, Box::new(self.factor()?));
        }
        Ok(left)
    }

    fn factor(&mut self) -> Result<Expr, Refused> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(wrong(&format!("nested deeper than {DEPTH_MAX}")));
        }
        let factor = match self.next("a value")? {
            Token::Sign("-") => Expr::Negate(Box::new(self.factor()?)),
            Token::Sign("(") => self.closed()?,
            Token::Number(number) => Expr::Number(number * self.unit()?),
            Token::Word(word) if word == "control" => Expr::Control,
            Token::Word(word) if word == "abs" => {
                self.need(&Token::Sign("("))?;
                Expr::Abs(Box::new(self.closed()?))
            }
            Token::Word(word) => Expr::Measure(Measure::parse(&word)?),
            other @ Token::Sign(_) => {
                return Err(wrong(&format!("{} where a value should be", show(&other))));
            }
        };
        self.depth -= 1;
        Ok(factor)
    }

    fn closed(&mut self) -> Result<Expr, Refused> {
        let inner = self.sum()?;
        self.need(&Token::Sign(")"))?;
        Ok(inner)
    }

    /// The factor of a unit that follows a number: sizes in bytes, times in seconds.
    fn unit(&mut self) -> Result<f64, Refused> {
        let Some(Token::Word(unit)) = self.peek() else { return Ok(1.0) };
        if unit == "within" {
            return Ok(1.0);
        }
        let units = || BYTE_UNITS.iter().chain(&TIME_UNITS);
        let Some((_, factor)) = units().find(|(name, _)| name == unit) else {
            let names: Vec<&str> = units().map(|(name, _)| *name).collect();
            return Err(Refused::invalid("", unit, "there is no such unit", names.join(", ")));
        };
        self.at += 1;
        Ok(*factor)
    }
}

/// What the grammar cannot say: where `control` and sets of sites make sense.
fn check_meaning(check: &Check) -> Result<(), Refused> {
    let measures = check.measures();
    if measures.is_empty() {
        return Err(wrong("it names no measure, so it would never change"));
    }
    if check.names_control() && measures.len() != 1 {
        let names: Vec<&str> = measures.iter().map(|m| m.as_str()).collect();
        let names = names.join(", ");
        return Err(wrong(&format!(
            "control stands for the same measure in the control run, but which of {names}?"
        )));
    }
    if measures.iter().any(|m| m.kind() == Kind::Sites) {
        let Test::Compare {
            left: Expr::Measure(left),
            compare: Compare::Equal | Compare::NotEqual,
            right: Expr::Measure(right),
        } = &check.test
        else {
            return Err(wrong("sets of sites can only be compared with == and != to each other"));
        };
        if left.kind() != right.kind() {
            return Err(wrong("sets of sites can only be compared with == and != to each other"));
        }
    }
    Ok(())
}

fn show(token: &Token) -> String {
    match token {
        Token::Number(number) => format!("{number}"),
        Token::Word(word) => format!("{word:?}"),
        Token::Sign(sign) => format!("{sign:?}"),
    }
}
