//! Generated code means pool-core and core, whatever those names mean where it stands.
#![no_implicit_prelude]
#![deny(warnings, clippy::pedantic)]

/// Names that generated code might take for its own.
#[allow(dead_code)]
mod decoys {
    pub(crate) mod core {}
    pub(crate) mod std {}
    pub(crate) mod pool_core {}
    pub(crate) struct Keep;
    pub(crate) struct Retention;
    pub(crate) trait Recycle {
        fn recycle(&mut self) {}
        fn weight(&self) {}
        fn scrub(&mut self) {}
    }
    impl<T> Recycle for T {}
}

#[allow(unused_imports)]
use decoys::*;

#[allow(non_camel_case_types, dead_code)]
type usize = ();

/// With methods of its own by the names of the trait's.
struct Own(u8);

#[allow(clippy::unused_self, dead_code)]
impl Own {
    fn recycle(&mut self) -> ! {
        ::std::panic!("not this one")
    }
    fn weight(&self) -> ! {
        ::std::panic!("not this one")
    }
}

impl ::pool_core::Recycle for Own {
    fn recycle(&mut self, _: &::pool_core::Retention) -> ::pool_core::Keep {
        self.0 = 0;
        ::pool_core::Keep::Yes
    }
    fn weight(&self) -> ::core::primitive::usize {
        5
    }
}

/// Items that a path in an attribute names, by the names that generated code gives its variables.
fn keep(retention: &mut u8, _: &::pool_core::Retention) -> ::pool_core::Keep {
    *retention = 1;
    ::pool_core::Keep::Yes
}

#[allow(clippy::trivially_copy_pass_by_ref)] // a weight is asked by reference
fn weight(_: &u8) -> ::core::primitive::usize {
    70
}

#[derive(::pool_core::Recycle)]
struct Struct {
    own: Own,
    #[recycle(with = keep, weight = weight)]
    retention: u8,
    #[recycle(scrub)]
    r#self_: u8,
}

#[derive(::pool_core::Recycle)]
#[allow(dead_code)]
enum Enum {
    #[default]
    Keep,
    Retention(Own),
}

/// A pool-core by another name, and no other.
mod toolbox {
    pub(crate) mod pools {
        pub(crate) use ::pool_core::{Keep, Recycle, Retention, Scrub};
    }
}

#[derive(toolbox::pools::Recycle)]
#[recycle(crate = toolbox::pools)]
struct Elsewhere<T> {
    items: ::std::vec::Vec<T>,
    #[recycle(scrub)]
    key: [u8; 4],
}

#[deprecated = "to see that generated code does not warn of it"]
#[derive(::pool_core::Recycle)]
struct Old {
    #[deprecated]
    field: u8,
}

#[test]
fn generated_code_means_what_it_says() {
    let mut value = Struct { own: Own(3), retention: 0, r#self_: 9 };
    let retention = <::pool_core::Retention as ::std::default::Default>::default();
    ::std::assert!(::pool_core::Recycle::recycle(&mut value, &retention) == ::pool_core::Keep::Yes);
    ::std::assert!(::pool_core::Recycle::weight(&value) == 75);
    ::std::assert!(value.own.0 == 0 && value.retention == 1 && value.r#self_ == 0);
    let mut value = Enum::Retention(Own(1));
    let _ = ::pool_core::Recycle::recycle(&mut value, &retention);
    ::std::assert!(::std::matches!(value, Enum::Keep));
    let mut value = Elsewhere { items: ::std::vec![Own(1)], key: [1; 4] };
    let _ = ::pool_core::Recycle::recycle(&mut value, &retention);
    ::std::assert!(value.items.is_empty() && value.key == [0; 4]);
    #[allow(deprecated)]
    {
        let mut value = Old { field: 1 };
        let _ = ::pool_core::Recycle::recycle(&mut value, &retention);
        ::std::assert!(value.field == 0);
    }
}
