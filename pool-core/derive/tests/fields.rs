//! What a return does to each field, and what the whole is then worth.

use pool_core::{DropReason, Keep, Pool, Recycle, Retention};
use std::cell::RefCell;
use std::sync::Arc;

/// A field with a verdict, which notes that it was asked.
struct Part(Keep, usize, &'static str);

thread_local! {
    static ASKED: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
}

fn ask(name: &'static str) {
    ASKED.with_borrow_mut(|asked| asked.push(name));
}

fn asked() -> Vec<&'static str> {
    ASKED.take()
}

impl Recycle for Part {
    fn recycle(&mut self, _: &Retention) -> Keep {
        ask(self.2);
        self.0
    }
    fn weight(&self) -> usize {
        self.1
    }
}

impl pool_core::Scrub for Part {
    fn scrub(&mut self) {
        ask("scrubbed");
    }
}

/// Cannot be recycled.
struct Foreign(u32);

fn end(foreign: &mut Foreign, _: &Retention) -> Keep {
    ask("with");
    foreign.0 += 1;
    if foreign.0 > 2 { Keep::Refused } else { Keep::Yes }
}

fn foreign_weight(foreign: &Foreign) -> usize {
    foreign.0 as usize * 1000
}

#[test]
fn every_field_is_asked_and_the_worst_decides() {
    #[derive(Recycle)]
    struct Three {
        a: Part,
        b: Part,
        c: Part,
    }
    let mut verdicts = Vec::new();
    for says in [
        [Keep::Yes, Keep::Yes, Keep::Yes],
        [Keep::Oversize, Keep::Yes, Keep::Yes],
        [Keep::Refused, Keep::Oversize, Keep::Yes],
        [Keep::Oversize, Keep::Yes, Keep::Refused],
    ] {
        let [a, b, c] = says;
        let mut three = Three { a: Part(a, 1, "a"), b: Part(b, 20, "b"), c: Part(c, 300, "c") };
        verdicts.push(three.recycle(&Retention::default()));
        assert_eq!(asked(), ["a", "b", "c"]);
        assert_eq!(three.weight(), 321);
    }
    assert_eq!(verdicts, [Keep::Yes, Keep::Oversize, Keep::Refused, Keep::Refused]);
}

#[derive(Recycle)]
struct Mixed {
    before: Part,
    #[recycle(keep)]
    kept: Arc<str>,
    #[recycle(with = end)]
    cleaned: Foreign,
    #[recycle(scrub)]
    secret: Part,
    after: Part,
}

#[test]
fn a_field_goes_its_own_way_and_secrets_go_first() {
    let yes = |weight, name| Part(Keep::Yes, weight, name);
    let mut mixed = Mixed {
        before: yes(1, "before"),
        kept: "kept".into(),
        cleaned: Foreign(1),
        secret: yes(20, "secret"),
        after: yes(300, "after"),
    };
    assert_eq!(mixed.recycle(&Retention::default()), Keep::Yes);
    assert_eq!(asked(), ["scrubbed", "before", "with", "secret", "after"]);
    assert_eq!((&*mixed.kept, mixed.cleaned.0), ("kept", 2));
    // What is kept or cleaned by a function weighs nothing.
    assert_eq!(mixed.weight(), 321);
    assert_eq!(mixed.recycle(&Retention::default()), Keep::Refused);
    assert_eq!(asked().len(), 5);
}

#[test]
fn a_weight_can_be_given_for_any_field() {
    #[derive(Recycle)]
    struct Weighed {
        #[recycle(keep, weight = Recycle::weight)]
        dictionary: Vec<u8>,
        #[recycle(with = end, weight = foreign_weight)]
        cleaned: Foreign,
        #[recycle(weight = <[u8]>::len)]
        boxed: Box<[u8]>,
        #[recycle(scrub)]
        #[recycle(weight = Vec::capacity)]
        wide: Vec<u64>,
    }
    let mut weighed = Weighed {
        dictionary: vec![7; 5],
        cleaned: Foreign(0),
        boxed: vec![7; 20].into(),
        wide: vec![7; 300],
    };
    assert_eq!(weighed.weight(), 325);
    assert_eq!(weighed.recycle(&Retention::default()), Keep::Yes);
    asked();
    assert_eq!(weighed.weight(), 1325);
    assert_eq!((&*weighed.dictionary, &*weighed.boxed), (&[7; 5][..], &[0; 20][..]));
}

#[test]
fn weights_that_no_memory_has_do_not_overflow() {
    #[derive(Recycle)]
    struct Huge(Part, Part);
    let huge = || Part(Keep::Yes, usize::MAX, "");
    assert_eq!(Huge(huge(), huge()).weight(), usize::MAX);
}

#[test]
fn scrubbed_and_spare_bytes_are_zero() {
    #[derive(Recycle)]
    struct Login {
        #[recycle(scrub)]
        key: [u8; 32],
        #[recycle(scrub)]
        password: String,
    }
    let mut login = Login { key: [9; 32], password: "correct horse".into() };
    login.password.truncate(3);
    let capacity = login.password.capacity();
    assert_eq!(login.recycle(&Retention::default()), Keep::Yes);
    assert_eq!((login.key, login.password.len(), login.password.capacity()), ([0; 32], 0, capacity));
}

#[test]
fn a_pool_lends_what_was_recycled_and_drops_what_refused() {
    let pool = Pool::new("derive.pool", || Mixed {
        before: Part(Keep::Yes, 0, "before"),
        kept: "kept".into(),
        cleaned: Foreign(0),
        secret: Part(Keep::Yes, 0, "secret"),
        after: Part(Keep::Yes, 0, "after"),
    });
    // Each get sees what the return before it left; the third return is refused, so the fourth get creates.
    for cleaned in [0, 1, 2, 0] {
        assert_eq!(pool.get().cleaned.0, cleaned);
    }
    let stats = pool.stats();
    assert_eq!((stats.created, stats.returns_dropped[DropReason::Refused as usize]), (2, 1));
}
