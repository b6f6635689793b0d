//! Structs and enums of every shape.

use pool_core::{Keep, Recycle, Retention};
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::marker::PhantomData;

fn recycle<T: Recycle + ?Sized>(value: &mut T) {
    assert_eq!(value.recycle(&Retention::default()), Keep::Yes);
}

/// Cannot be recycled.
#[derive(Clone, Debug, PartialEq)]
struct Foreign;

#[test]
fn unit_and_empty_structs() {
    #[derive(Recycle)]
    struct Unit;
    #[derive(Recycle)]
    struct Braces {}
    #[derive(Recycle)]
    struct Parentheses();
    let mut all = (Unit, Braces {}, Parentheses());
    recycle(&mut all);
    assert_eq!(all.weight(), 0);
}

#[test]
fn tuple_structs() {
    #[derive(Recycle)]
    struct Tuple(u32, #[recycle(keep)] Foreign, String, #[recycle(scrub)] Vec<u8>);
    let mut tuple = Tuple(1, Foreign, "x".repeat(10), vec![1; 20]);
    recycle(&mut tuple);
    assert_eq!((tuple.0, tuple.1.clone(), tuple.weight()), (0, Foreign, 30));
    assert!(tuple.2.is_empty() && tuple.3.is_empty());
}

#[test]
fn only_kept_fields() {
    #[derive(Recycle)]
    struct Kept {
        #[recycle(keep)]
        number: u32,
    }
    let mut kept = Kept { number: 7 };
    recycle(&mut kept);
    assert_eq!(kept.number, 7);
}

#[test]
fn names_that_are_keywords() {
    #[derive(Recycle)]
    struct Raw {
        r#type: u32,
        r#fn: String,
    }
    let mut raw = Raw { r#type: 1, r#fn: "x".into() };
    recycle(&mut raw);
    assert_eq!((raw.r#type, raw.r#fn.as_str()), (0, ""));
}

#[test]
fn parameters_need_no_more_than_their_fields() {
    #[derive(Recycle)]
    struct Batch<K, V, S, T>
    where
        T: Clone,
    {
        rows: Vec<T>,
        by_key: HashMap<K, V, S>,
        last: Option<T>,
        of: PhantomData<fn(T)>,
        #[recycle(keep)]
        kept: T,
    }
    fn batch<S: BuildHasher + Default>(hasher: S) -> Batch<u32, Box<dyn Send>, S, Foreign> {
        let mut by_key = HashMap::with_hasher(hasher);
        by_key.insert(1, Box::new(Foreign) as Box<dyn Send>);
        Batch { rows: vec![Foreign; 3], by_key, last: Some(Foreign), of: PhantomData, kept: Foreign }
    }
    let mut batch = batch(std::hash::RandomState::new());
    recycle(&mut batch);
    assert!(batch.rows.is_empty() && batch.by_key.is_empty() && batch.last.is_none());
    assert_eq!(batch.kept, Foreign);
    let _ = batch.of;
}

#[test]
fn parameters_that_are_fields() {
    #[derive(Recycle)]
    struct Pair<T, U: Clone = u32> {
        both: [T; 2],
        other: Box<U>,
    }
    let mut pair = Pair { both: ["a".to_owned(), "b".to_owned()], other: Box::new(1_u32) };
    recycle(&mut pair);
    assert_eq!((pair.both[1].as_str(), *pair.other), ("", 0));
}

#[test]
fn lifetimes_and_constants() {
    #[derive(Recycle)]
    struct Line<'a, 'b: 'a, T: 'a, const N: usize> {
        text: &'a str,
        items: &'b [T],
        bytes: [u8; N],
    }
    let items = [Foreign, Foreign];
    let mut line = Line { text: "x", items: &items, bytes: [1; 40] };
    recycle(&mut line);
    assert_eq!((line.text, line.items.len(), line.bytes), ("", 0, [0; 40]));
}

#[test]
fn a_last_field_without_a_size() {
    #[derive(Recycle)]
    struct Tail<T: ?Sized> {
        head: u32,
        tail: T,
    }
    let mut whole: Box<Tail<[u8]>> = Box::new(Tail { head: 1, tail: [1, 2, 3] });
    recycle(&mut whole);
    assert_eq!((whole.head, &whole.tail), (0, &[0, 0, 0][..]));
}

#[test]
fn types_within_themselves() {
    #[derive(Recycle)]
    struct Tree<T> {
        value: T,
        children: Vec<Tree<T>>,
        fixed: Box<[Self]>,
    }
    let leaf = |value| Tree { value, children: Vec::new(), fixed: Box::default() };
    let mut tree = Tree { value: 1, children: vec![leaf(2)], fixed: vec![leaf(3), leaf(4)].into() };
    recycle(&mut tree);
    assert_eq!((tree.value, tree.children.len()), (0, 0));
    assert_eq!([tree.fixed[0].value, tree.fixed[1].value], [0, 0]);
}

#[test]
fn bounds_of_ones_own() {
    /// Recycles whatever is `Copy`, by a rule that the derive cannot guess.
    struct Slot<T>(Option<T>);
    impl<T: Copy> Recycle for Slot<T> {
        fn recycle(&mut self, _: &Retention) -> Keep {
            self.0 = None;
            Keep::Yes
        }
    }
    #[derive(Recycle)]
    #[recycle(bound(T: Copy))]
    struct Slots<T> {
        slots: [Slot<T>; 2],
    }
    let mut slots = Slots { slots: [Slot(Some('a')), Slot(Some('b'))] };
    recycle(&mut slots);
    assert!(slots.slots.iter().all(|slot| slot.0.is_none()));
}

#[test]
fn private_parts_of_a_more_public_type() {
    mod parts {
        #[derive(super::Recycle)]
        struct Private<T>(Option<T>);

        #[derive(super::Recycle)]
        pub(crate) struct Public<T> {
            inside: Private<T>,
        }

        impl<T> Public<T> {
            pub(crate) fn new(inside: T) -> Self {
                Self { inside: Private(Some(inside)) }
            }

            pub(crate) fn is_empty(&self) -> bool {
                self.inside.0.is_none()
            }
        }
    }
    let mut public = parts::Public::new(Foreign);
    recycle(&mut public);
    assert!(public.is_empty());
}

#[test]
fn an_enum_goes_to_its_default_variant() {
    #[derive(Debug, Default, PartialEq, Recycle)]
    enum State<T> {
        Reading {
            into: T,
        },
        #[default]
        Waiting,
        Failed(Foreign, String),
    }
    for mut state in [
        State::Reading { into: Foreign },
        State::Waiting,
        State::Failed(Foreign, String::from("broken pipe")),
    ] {
        recycle(&mut state);
        assert_eq!((&state, state.weight()), (&State::Waiting, 0));
    }
    assert_eq!(State::<Foreign>::default(), State::Waiting);
}
