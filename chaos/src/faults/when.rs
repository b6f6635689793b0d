//! When a fault strikes: the grammar of the `fail` crate, decided by our own seeded randomness.
//!
//! ```text
//! when := term ("->" term)*        term := [rate "%"] [count "*"] task        task := "off" | "return" ["(" way ")"]
//! ```
//! As in `fail`, the first term whose rate and count let it act decides. Parsing keeps the text, so that what
//! is shown is what was asked for.

use super::random;
use crate::{Refused, suggest};
use pool_core::fault::MissingPut;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A parsed `when`. Without counts used up: those live with the armed fault (`Schedule`).
#[derive(Clone, Debug, PartialEq)]
pub struct When {
    text: String,
    terms: Vec<Term>,
}

#[derive(Clone, Debug, PartialEq)]
struct Term {
    /// A draw below it acts; `None`: every arrival does.
    threshold: Option<u64>,
    count: Option<u64>,
    task: Task,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    Off,
    Return(MissingPut),
}

impl When {
    /// What a `when` may look like, for error messages.
    pub const ALLOWED: &'static str = "[rate%][count*]return(kept), return(dropped), return (kept) or off, joined by ->, such as 3%return(kept)";

    /// Parses `3%return(kept)`, `5*return(dropped)`, `3%5*return`, `off`, and chains of them.
    ///
    /// # Errors
    /// [`Refused`] which names `path` and the part that is wrong.
    pub fn parse(path: &str, text: &str) -> Result<Self, Refused> {
        let terms = text.split("->").map(|term| parse_term(term.trim()));
        let terms = terms.collect::<Result<Vec<_>, String>>();
        let terms = terms.map_err(|problem| Refused::invalid(path, text, problem, Self::ALLOWED))?;
        Ok(Self { text: text.trim().to_owned(), terms })
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn parse_term(term: &str) -> Result<Term, String> {
    // The argument first, since it may hold any sign.
    let (head, way) = match term.split_once('(') {
        None => (term, None),
        Some((head, rest)) => match rest.strip_suffix(')') {
            Some(way) => (head, Some(way)),
            None => return Err(format!("{term:?} has an open parenthesis")),
        },
    };
    let (rate, head) = head.split_once('%').map_or((None, head), |(rate, rest)| (Some(rate), rest));
    let (count, task) = head.split_once('*').map_or((None, head), |(count, rest)| (Some(count), rest));
    let threshold = rate.map(threshold).transpose()?.flatten();
    let count = count
        .map(|c| c.trim().parse::<u64>().map_err(|_| format!("the count {c:?} is not a whole number")))
        .transpose()?;
    Ok(Term { threshold, count, task: parse_task(task.trim(), way)? })
}

fn threshold(rate: &str) -> Result<Option<u64>, String> {
    let percent = rate.trim().parse::<f64>().map_err(|_| format!("the rate {rate:?} is not a number"))?;
    if !(0.0..=100.0).contains(&percent) {
        return Err(format!("the rate {rate}% is out of range, 0% to 100%"));
    }
    // 2^64 as an f64 does not fit a u64: everything is "no threshold".
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    Ok((percent < 100.0).then(|| (percent / 100.0 * 18_446_744_073_709_551_616.0) as u64))
}

fn parse_task(task: &str, way: Option<&str>) -> Result<Task, String> {
    match (task, way) {
        ("off", None) => Ok(Task::Off),
        ("return", None | Some("kept")) => Ok(Task::Return(MissingPut::Kept)),
        ("return", Some("dropped")) => Ok(Task::Return(MissingPut::Dropped)),
        ("return", Some(way)) => {
            Err(format!("{way:?} is no way to lose a lease{}", suggest::hint(way, ["kept", "dropped"])))
        }
        ("off", Some(_)) => Err("off takes no argument".to_owned()),
        ("panic" | "print" | "sleep" | "pause" | "yield" | "delay", _) => {
            Err(format!("the task {task:?} of fail is not one of this fault"))
        }
        _ => Err(format!("{task:?} is no task{}", suggest::hint(task, ["return", "off"]))),
    }
}

/// An armed [`When`]: counts arrivals and what is left of each count.
#[derive(Debug)]
pub(crate) struct Schedule {
    terms: Vec<(Term, AtomicU64)>,
    seed: u64,
    arrivals: AtomicU64,
}

impl Schedule {
    pub(crate) fn new(when: &When, seed: u64) -> Self {
        let left = |term: &Term| AtomicU64::new(term.count.unwrap_or(u64::MAX));
        let terms = when.terms.iter().map(|term| (term.clone(), left(term))).collect();
        Self { terms, seed, arrivals: AtomicU64::new(0) }
    }

    /// One arrival. Lock-free; relaxed, because each counter is an account of its own.
    pub(crate) fn arrive(&self) -> Option<MissingPut> {
        let n = self.arrivals.fetch_add(1, Relaxed);
        for (stream, (term, left)) in (0u64..).zip(&self.terms) {
            let drawn = || random::draw(self.seed.wrapping_add(stream.rotate_right(8)), n);
            if term.threshold.is_some_and(|threshold| drawn() >= threshold) {
                continue;
            }
            if term.count.is_some() && left.fetch_update(Relaxed, Relaxed, |l| l.checked_sub(1)).is_err() {
                continue;
            }
            return match term.task {
                Task::Off => None,
                Task::Return(way) => Some(way),
            };
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use MissingPut::{Dropped, Kept};

    fn schedule(when: &str, seed: u64) -> Schedule {
        Schedule::new(&When::parse("when", when).unwrap(), seed)
    }

    fn run(when: &str, seed: u64, arrivals: usize) -> Vec<Option<MissingPut>> {
        let schedule = schedule(when, seed);
        (0..arrivals).map(|_| schedule.arrive()).collect()
    }

    #[test]
    fn rate_is_kept_and_the_seed_alone_decides_who_is_hit() {
        let hits = run("3%return(kept)", 24_301, 20_000);
        let count = hits.iter().flatten().count();
        assert!((540..660).contains(&count), "{count} of 20000 at 3 %");
        assert_eq!(hits, run("3%return(kept)", 24_301, 20_000));
        assert_ne!(hits, run("3%return(kept)", 24_302, 20_000));
    }

    #[test]
    fn who_is_hit_does_not_depend_on_threads() {
        let shared = schedule("10%return", 5);
        let hits = std::thread::scope(|s| {
            let workers: Vec<_> =
                (0..4).map(|_| s.spawn(|| (0..1000).filter(|_| shared.arrive().is_some()).count())).collect();
            workers.into_iter().map(|w| w.join().unwrap()).sum::<usize>()
        });
        assert_eq!(hits, run("10%return", 5, 4000).iter().flatten().count());
    }

    #[test]
    fn counts_bound_and_chains_go_on() {
        assert_eq!(run("2*return(dropped)", 1, 4), [Some(Dropped), Some(Dropped), None, None]);
        assert_eq!(
            run("1*return(dropped)->1*off->return", 1, 4),
            [Some(Dropped), None, Some(Kept), Some(Kept)]
        );
        assert_eq!(run("3%5*return", 1, 5_000).iter().flatten().count(), 5);
        assert!(run("off", 1, 100).iter().all(Option::is_none));
        assert!(run("0%return(kept)", 1, 10_000).iter().all(Option::is_none));
        assert!(run("100%return(kept)", 1, 100).iter().all(|h| *h == Some(Kept)));
    }

    #[test]
    fn what_does_not_parse_is_named() {
        for (bad, problem) in [
            ("3%retrun(kept)", "\"retrun\" is no task, did you mean \"return\"?"),
            ("3%return(keept)", "\"keept\" is no way to lose a lease, did you mean \"kept\"?"),
            ("101%return", "the rate 101% is out of range, 0% to 100%"),
            ("-1%return", "the rate -1% is out of range, 0% to 100%"),
            ("NaN%return", "the rate NaN% is out of range, 0% to 100%"),
            ("x%return", "the rate \"x\" is not a number"),
            ("1.5*return", "the count \"1.5\" is not a whole number"),
            ("return(kept", "\"return(kept\" has an open parenthesis"),
            ("sleep(100)", "the task \"sleep\" of fail is not one of this fault"),
            ("off(1)", "off takes no argument"),
            ("", "\"\" is no task"),
            ("return->", "\"\" is no task"),
        ] {
            let e = When::parse("when", bad).unwrap_err();
            assert_eq!((e.path.as_str(), e.problem.as_str()), ("when", problem), "{bad}");
            assert_eq!(e.allowed, When::ALLOWED);
        }
    }
}
