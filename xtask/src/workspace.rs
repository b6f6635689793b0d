//! The workspace as cargo describes it.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Root, target folder and packages.
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
    pub(crate) packages: Vec<Package>,
}

/// A member of the workspace.
#[derive(Clone, Debug, Default)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// Relative to the root, `/` between its parts.
    pub(crate) folder: String,
    pub(crate) features: Vec<String>,
    /// All kinds: normal, dev and build.
    pub(crate) dependencies: Vec<String>,
    pub(crate) targets: Vec<Target>,
}

/// One thing that cargo builds of a package.
#[derive(Clone, Debug, Default)]
pub(crate) struct Target {
    pub(crate) name: String,
    /// `lib`, `bin`, `test`, `bench`, `example`, `custom-build`, …
    pub(crate) kind: String,
    /// Its root source file, relative to the workspace's root.
    pub(crate) source: String,
    pub(crate) required_features: Vec<String>,
}

impl Workspace {
    /// Asks cargo.
    pub(crate) fn load() -> Result<Self> {
        let output = Command::new(cargo())
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .context("cargo cannot be started")?;
        if !output.status.success() {
            bail!("`cargo metadata` failed: {}", output.status);
        }
        let metadata = serde_json::from_slice(&output.stdout).context("`cargo metadata` printed no JSON")?;
        Self::from_metadata(&metadata).context("`cargo metadata` printed something unexpected")
    }

    fn from_metadata(metadata: &Value) -> Result<Self> {
        let root = PathBuf::from(text(metadata, "workspace_root")?);
        let target = PathBuf::from(text(metadata, "target_directory")?);
        let packages = list(metadata, "packages").map(|p| package(p, &root)).collect::<Result<_>>()?;
        Ok(Self { root, target, packages })
    }

    /// A member by name.
    pub(crate) fn package(&self, name: &str) -> Result<&Package> {
        self.packages.iter().find(|p| p.name == name).with_context(|| {
            let names: Vec<_> = self.packages.iter().map(|p| p.name.as_str()).collect();
            format!("the workspace has no package {name}; it has {}", names.join(", "))
        })
    }
}

impl Package {
    /// Its targets of one kind.
    pub(crate) fn targets_of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Target> {
        self.targets.iter().filter(move |t| t.kind == kind)
    }
}

/// The cargo that runs us.
pub(crate) fn cargo() -> std::ffi::OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

fn package(value: &Value, root: &Path) -> Result<Package> {
    let manifest = PathBuf::from(text(value, "manifest_path")?);
    Ok(Package {
        name: text(value, "name")?.to_owned(),
        folder: relative(manifest.parent().unwrap_or(root), root),
        features: value["features"].as_object().into_iter().flat_map(|f| f.keys().cloned()).collect(),
        dependencies: list(value, "dependencies")
            .map(|d| text(d, "name").map(str::to_owned))
            .collect::<Result<_>>()?,
        targets: list(value, "targets").map(|t| target(t, root)).collect::<Result<_>>()?,
    })
}

fn target(value: &Value, root: &Path) -> Result<Target> {
    Ok(Target {
        name: text(value, "name")?.to_owned(),
        kind: list(value, "kind").next().and_then(Value::as_str).unwrap_or_default().to_owned(),
        source: relative(Path::new(text(value, "src_path")?), root),
        required_features: list(value, "required-features")
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
    })
}

fn relative(path: &Path, root: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned()
}

fn text<'a>(value: &'a Value, key: &str) -> Result<&'a str> {
    value[key].as_str().with_context(|| format!("no text at {key}"))
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value[key].as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_becomes_packages_and_targets() {
        let metadata = serde_json::json!({
            "workspace_root": "/r", "target_directory": "/r/target",
            "packages": [{
                "name": "a", "manifest_path": "/r/crates/a/Cargo.toml", "features": {"x": [], "default": []},
                "dependencies": [{"name": "libc"}],
                "targets": [{"name": "t", "kind": ["test"], "src_path": "/r/crates/a/tests/t.rs",
                             "required-features": ["x"]}],
            }],
        });
        let workspace = Workspace::from_metadata(&metadata).unwrap();
        let a = workspace.package("a").unwrap();
        assert_eq!(
            (a.folder.as_str(), a.dependencies.as_slice()),
            ("crates/a", ["libc".to_owned()].as_slice())
        );
        let t = a.targets_of("test").next().unwrap();
        assert_eq!((t.source.as_str(), t.required_features.len()), ("crates/a/tests/t.rs", 1));
        assert!(workspace.package("b").unwrap_err().to_string().contains("it has a"));
    }
}
