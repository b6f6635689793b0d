//! Text and paths.

use super::{Keep, Recycle};
use crate::retention::Retention;
use std::ffi::OsString;
use std::path::PathBuf;

macro_rules! text {
    ($($t:ty, |$value:ident| $used:expr;)*) => {$(
        /// Emptied; its storage stays.
        impl Recycle for $t {
            #[inline]
            fn recycle(&mut self, retention: &Retention) -> Keep {
                let $value = &*self;
                let keep = retention.judge($used, self.capacity());
                self.clear();
                keep
            }
            #[inline]
            fn weight(&self) -> usize {
                self.capacity()
            }
        }
    )*};
}

text! {
    String, |text| text.len();
    OsString, |text| text.len();
    PathBuf, |path| path.as_os_str().len();
}

/// Back to `""`, which has no storage: a `Box<str>` cannot be longer than its text.
impl Recycle for Box<str> {
    #[inline]
    fn recycle(&mut self, _: &Retention) -> Keep {
        *self = Self::default();
        Keep::Yes
    }
    #[inline]
    fn weight(&self) -> usize {
        self.len()
    }
}
