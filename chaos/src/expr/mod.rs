//! The small language of a scenario's checks: `usage < 0.97 * limit`, `hit_ratio >= 0.95 * control`,
//! `capacity_bytes within 10% of control`.
//!
//! A check is parsed when the scenario is read, so a name that does not exist is an error then and not after
//! three minutes of load. `control` is the same measure in the control run. This module does not know where
//! values come from.

mod measure;
mod parse;
#[cfg(test)]
mod tests;

pub use measure::{Kind, Measure};

use crate::Refused;
use std::collections::BTreeSet;

/// A parsed check.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    text: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    Compare { left: Expr, compare: Compare, right: Expr },
    Within { left: Expr, ratio: f64 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compare {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
}

#[derive(Clone, Debug, PartialEq)]
enum Expr {
    Number(f64),
    Measure(Measure),
    Control,
    Negate(Box<Expr>),
    Abs(Box<Expr>),
    Binary(Box<Expr>, Operator, Box<Expr>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
}

/// A measure's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Bytes, seconds, counts and ratios.
    Number(f64),
    /// Places in the code, `file:line:column`.
    Sites(BTreeSet<String>),
}

/// Where a check's values come from. `Err` says why there is none.
pub trait Source {
    /// The measure in the run that is judged.
    ///
    /// # Errors
    /// Why it is not known.
    fn subject(&self, measure: Measure) -> Result<Value, String>;
    /// The same measure in the control run.
    ///
    /// # Errors
    /// Why it is not known.
    fn control(&self, measure: Measure) -> Result<Value, String>;
}

/// What a check came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It holds; with the values, for people.
    Holds(String),
    /// It does not; with the values, for people.
    Fails(String),
    /// A value is missing; why.
    Unknown(String),
}

impl Check {
    /// Parses a check.
    ///
    /// # Errors
    /// [`Refused`] with an empty path: what is wrong, and what is allowed.
    pub fn parse(text: &str) -> Result<Self, Refused> {
        parse::parse(text)
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The measures that it names.
    #[must_use]
    pub fn measures(&self) -> BTreeSet<Measure> {
        let mut measures = BTreeSet::new();
        self.test.visit(&mut |expr| {
            if let Expr::Measure(measure) = expr {
                measures.insert(*measure);
            }
        });
        measures
    }

    /// Whether it compares with the control run.
    #[must_use]
    pub fn names_control(&self) -> bool {
        let mut named = matches!(self.test, Test::Within { .. });
        self.test.visit(&mut |expr| named |= matches!(expr, Expr::Control));
        named
    }

    /// Whether it must hold in every single pool, not for their sum: so do checks that name levels of pools
    /// alone, and not the control run.
    #[must_use]
    pub fn for_each_pool(&self) -> bool {
        !self.names_control() && self.measures().iter().all(|m| m.kind() == Kind::PoolLevel)
    }

    /// Whether it holds for the values of `source`.
    pub fn evaluate(&self, source: &impl Source) -> Outcome {
        match self.try_evaluate(source) {
            Ok(true) => Outcome::Holds(self.show(source)),
            Ok(false) => Outcome::Fails(self.show(source)),
            Err(why) => Outcome::Unknown(why),
        }
    }

    fn try_evaluate(&self, source: &impl Source) -> Result<bool, String> {
        // `control` is the one measure of the check in the control run (see `parse`).
        let of_control = self.measures().first().copied();
        let control = || match of_control {
            Some(measure) => number(&source.control(measure)?, measure),
            None => Err("no measure".to_owned()),
        };
        let value = |expr: &Expr| expr.value(source, &control);
        match &self.test {
            Test::Compare { left: Expr::Measure(left), compare, right: Expr::Measure(right) }
                if left.kind() == Kind::Sites =>
            {
                let equal = source.subject(*left)? == source.subject(*right)?;
                Ok(equal == (*compare == Compare::Equal))
            }
            Test::Compare { left, compare, right } => Ok(compare.holds(value(left)?, value(right)?)),
            Test::Within { left, ratio } => {
                let control = control()?;
                Ok((value(left)? - control).abs() <= ratio * control.abs())
            }
        }
    }

    fn show(&self, source: &impl Source) -> String {
        let show = |measure: Measure, value| match value {
            Ok(Value::Number(number)) => measure.show(number),
            Ok(Value::Sites(sites)) if sites.is_empty() => "none".to_owned(),
            Ok(Value::Sites(sites)) => sites.into_iter().collect::<Vec<_>>().join(" "),
            Err(why) => why,
        };
        let mut shown: Vec<String> = self
            .measures()
            .into_iter()
            .map(|m| format!("{} {}", m.as_str(), show(m, source.subject(m))))
            .collect();
        if self.names_control() {
            shown.extend(
                self.measures().into_iter().map(|m| format!("control {}", show(m, source.control(m)))),
            );
        }
        shown.join(", ")
    }
}

impl Test {
    fn visit(&self, visitor: &mut impl FnMut(&Expr)) {
        match self {
            Self::Compare { left, right, .. } => {
                left.visit(visitor);
                right.visit(visitor);
            }
            Self::Within { left, .. } => left.visit(visitor),
        }
    }
}

impl Expr {
    fn visit(&self, visitor: &mut impl FnMut(&Self)) {
        visitor(self);
        match self {
            Self::Number(_) | Self::Measure(_) | Self::Control => {}
            Self::Negate(inner) | Self::Abs(inner) => inner.visit(visitor),
            Self::Binary(left, _, right) => {
                left.visit(visitor);
                right.visit(visitor);
            }
        }
    }

    fn value(&self, source: &impl Source, control: &dyn Fn() -> Result<f64, String>) -> Result<f64, String> {
        let value = match self {
            Self::Number(number) => *number,
            Self::Measure(measure) => number(&source.subject(*measure)?, *measure)?,
            Self::Control => control()?,
            Self::Negate(inner) => -inner.value(source, control)?,
            Self::Abs(inner) => inner.value(source, control)?.abs(),
            Self::Binary(left, operator, right) => {
                let (left, right) = (left.value(source, control)?, right.value(source, control)?);
                match operator {
                    Operator::Add => left + right,
                    Operator::Subtract => left - right,
                    Operator::Multiply => left * right,
                    Operator::Divide => left / right,
                }
            }
        };
        if value.is_finite() { Ok(value) } else { Err("a division by zero".to_owned()) }
    }
}

impl Compare {
    // Counts are whole numbers; whoever compares ratios for equality means it.
    #[allow(clippy::float_cmp)]
    fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
            Self::Equal => left == right,
            Self::NotEqual => left != right,
        }
    }
}

fn number(value: &Value, measure: Measure) -> Result<f64, String> {
    match value {
        Value::Number(number) if number.is_finite() => Ok(*number),
        _ => Err(format!("{} is not a number", measure.as_str())),
    }
}
