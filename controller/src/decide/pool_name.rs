//! A pool's name, shared by everything that speaks of the pool.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

/// A pool's name: text, and in JSON a string. Clones share it, and comparing two clones costs nothing, so that plans and
/// inputs of thousands of pools can be laid side by side at every tick.
///
/// ```
/// use pool_controller::decide::PoolName;
/// let name = PoolName::from("http.body");
/// assert!(name == "http.body" && name.starts_with("http"));
/// assert_eq!(format!("{name}"), "http.body");
/// assert_eq!(name.clone(), PoolName::from("http.body".to_owned()));
/// ```
#[derive(Clone)]
pub struct PoolName(Arc<str>);

impl PoolName {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for PoolName {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for PoolName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for PoolName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl From<&str> for PoolName {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl From<String> for PoolName {
    fn from(name: String) -> Self {
        Self(name.into())
    }
}

impl From<&String> for PoolName {
    fn from(name: &String) -> Self {
        Self(name.as_str().into())
    }
}

impl From<&Self> for PoolName {
    fn from(name: &Self) -> Self {
        name.clone()
    }
}

impl From<PoolName> for String {
    fn from(name: PoolName) -> Self {
        name.as_str().to_owned()
    }
}

impl Default for PoolName {
    fn default() -> Self {
        Self::from("")
    }
}

impl PartialEq for PoolName {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl Eq for PoolName {}

impl PartialEq<str> for PoolName {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for PoolName {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl PartialOrd for PoolName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PoolName {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for PoolName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Debug for PoolName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for PoolName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

impl Serialize for PoolName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

impl<'de> Deserialize<'de> for PoolName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn it_is_its_text_whoever_made_it() {
        let [one, other, later] = ["a.b", "a.b", "a.c"].map(PoolName::from);
        assert_eq!((&one, one.cmp(&other)), (&other, Ordering::Equal));
        assert!(one < later && one != later && one != "a");
        let by_name = BTreeMap::from([(one, 7)]);
        assert_eq!((by_name.get("a.b"), by_name.get("a")), (Some(&7), None));
    }

    #[test]
    fn in_json_it_is_a_string() {
        let text = serde_json::to_string(&PoolName::from("a\"b")).unwrap();
        assert_eq!(text, r#""a\"b""#);
        assert_eq!(serde_json::from_str::<PoolName>(&text).unwrap(), "a\"b");
    }
}
