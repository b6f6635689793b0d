//! Where the memory cgroup of this process is: which hierarchy, where it is mounted, which groups bound us.
//!
//! `/proc/self/cgroup` names a group relative to the root of our cgroup namespace; `/proc/self/mountinfo` says
//! which group of the hierarchy is mounted where. Neither is enough: containers see a hierarchy mounted from
//! its middle, or a path that begins above what is mounted. Where names do not resolve, the group that lists
//! our process id is looked for. Knows nothing of limits or usage.

use super::file::Root;
use super::reading::Why;
use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};

/// The kind of a cgroup hierarchy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// A hierarchy of the memory controller alone.
    V1,
    /// The unified hierarchy.
    V2,
}

/// The hierarchy that accounts for the memory of this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hierarchy {
    /// Its kind.
    pub version: Version,
    /// Whether the memory controller is on version 1 while a version 2 hierarchy is mounted beside it.
    pub hybrid: bool,
    /// Where it is mounted.
    pub mount: PathBuf,
    /// The directories of this process' group and of its ancestors that can be seen from here, own group
    /// first, the mount point last. Never empty.
    pub groups: Vec<PathBuf>,
}

/// Finds the hierarchy. `root` is `/`, or the root of a fixture tree; all paths returned are without it.
/// `None`: there is no cgroup hierarchy here that shows this process.
///
/// # Errors
/// If what the kernel says cannot be read or understood.
pub fn locate(root: &Path) -> Result<Option<Hierarchy>, Why> {
    let root = Root::new(root);
    let mut file = root.file(CGROUP);
    if !file.exists() {
        return Ok(None);
    }
    let membership = Membership::parse(file.read()?).map_err(|line| file.unparsable(&line))?;
    find(&root, &membership)
}

pub(super) const CGROUP: &str = "/proc/self/cgroup";
const MOUNTINFO: &str = "/proc/self/mountinfo";

/// The paths that `/proc/self/cgroup` names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Membership {
    v1_memory: Option<String>,
    v1_cpu: Option<String>,
    v2: Option<String>,
}

impl Membership {
    /// The error is the line that does not parse.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut found = Self::default();
        for line in text.lines() {
            let mut fields = line.splitn(3, ':');
            let (Some(id), Some(controllers), Some(path)) = (fields.next(), fields.next(), fields.next())
            else {
                return Err(line.to_owned());
            };
            if !path.starts_with('/') || id.parse::<u32>().is_err() {
                return Err(line.to_owned());
            }
            let has = |controller| controllers.split(',').any(|c| c == controller);
            if has("memory") {
                found.v1_memory = Some(path.to_owned());
            }
            if has("cpu") {
                found.v1_cpu = Some(path.to_owned());
            }
            if id == "0" && controllers.is_empty() {
                found.v2 = Some(path.to_owned());
            }
        }
        Ok(found)
    }
}

pub(super) fn find(root: &Root, membership: &Membership) -> Result<Option<Hierarchy>, Why> {
    let places = Places::read(root)?;
    let found = places.resolve(root, Controller::Memory, membership.v1_memory.as_deref());
    Ok(found.or_else(|| places.resolve(root, Controller::Unified, membership.v2.as_deref())))
}

/// The groups of this process that say what it waits for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct OwnGroups {
    /// In the unified hierarchy, whatever controllers it has: stalls are told there.
    pub(super) unified: Option<PathBuf>,
    /// In the hierarchy that shares out the processors.
    pub(super) cpu: Option<PathBuf>,
}

pub(super) fn own_groups(root: &Root) -> Result<OwnGroups, Why> {
    let mut file = root.file(CGROUP);
    if !file.exists() {
        return Ok(OwnGroups::default());
    }
    let membership = Membership::parse(file.read()?).map_err(|line| file.unparsable(&line))?;
    let places = Places::read(root)?;
    let own = |controller, path: &Option<String>| {
        places.resolve(root, controller, path.as_deref())?.groups.into_iter().next()
    };
    let unified = own(Controller::Unified, &membership.v2);
    let cpu = own(Controller::Cpu, &membership.v1_cpu).or_else(|| unified.clone());
    Ok(OwnGroups { unified, cpu })
}

/// Where hierarchies are mounted, and who we are.
struct Places {
    mounts: Vec<Mount>,
    pid: Option<u32>,
}

impl Places {
    fn read(root: &Root) -> Result<Self, Why> {
        let mut file = root.file(MOUNTINFO);
        Ok(Self { mounts: parse_mounts(file.read()?), pid: own_pid(root) })
    }

    fn resolve(&self, root: &Root, controller: Controller, path: Option<&str>) -> Option<Hierarchy> {
        let path = path?;
        let candidates = self.mounts.iter().filter(|m| m.controllers.contains(&controller));
        let found = candidates.filter_map(|m| Some((m, groups(root, m, path, self.pid)?)));
        // The mount that shows the most of our ancestors.
        let (mount, groups) = found.max_by_key(|(_, groups)| groups.len())?;
        let unified = |m: &Mount| m.controllers == [Controller::Unified];
        let version = if unified(mount) { Version::V2 } else { Version::V1 };
        let hybrid = version == Version::V1 && self.mounts.iter().any(unified);
        Some(Hierarchy { version, hybrid, mount: mount.point.clone(), groups })
    }
}

/// What a hierarchy is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Controller {
    Memory,
    Cpu,
    Unified,
}

/// One mounted hierarchy.
#[derive(Debug, PartialEq, Eq)]
struct Mount {
    controllers: Vec<Controller>,
    /// The group that is mounted, relative to the root of our cgroup namespace; may begin with `/..`.
    group: String,
    point: PathBuf,
}

/// Lines that are not about cgroups may hold anything and are passed over.
fn parse_mounts(text: &str) -> Vec<Mount> {
    let mut mounts: Vec<Mount> = Vec::new();
    for line in text.lines() {
        let Some((before, after)) = line.split_once(" - ") else { continue };
        let mut before = before.split(' ').skip(3);
        let (Some(group), Some(point)) = (before.next(), before.next()) else { continue };
        let point = PathBuf::from(unescaped(point));
        // What is mounted later at the same point hides what was there.
        mounts.retain(|m| m.point != point);
        let mut after = after.split(' ');
        let (kind, options) = (after.next(), after.nth(1).unwrap_or_default());
        let has = |controller| options.split(',').any(|o| o == controller);
        let of_version_1 = [(Controller::Memory, has("memory")), (Controller::Cpu, has("cpu"))];
        let controllers: Vec<Controller> = match kind {
            Some("cgroup2") => vec![Controller::Unified],
            Some("cgroup") => of_version_1.into_iter().filter(|(_, has)| *has).map(|(c, _)| c).collect(),
            _ => continue,
        };
        if !controllers.is_empty() {
            mounts.push(Mount { controllers, group: unescaped(group), point });
        }
    }
    mounts
}

/// Undoes the octal escapes of blanks, tabs, line ends and backslashes.
fn unescaped(field: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .into_iter()
        .fold(field.to_owned(), |text, (escape, char)| text.replace(escape, char))
}

/// Our group and its ancestors below one mount, own group first; `None` if the mount does not show us.
fn groups(root: &Root, mount: &Mount, path: &str, pid: Option<u32>) -> Option<Vec<PathBuf>> {
    let up_to_mount = |own: &Path| -> Vec<PathBuf> {
        let all = own.ancestors().take_while(|dir| dir.starts_with(&mount.point));
        // A group that was removed under us is gone from the tree; its ancestors still bound us.
        all.filter(|dir| root.real(dir).is_dir()).map(Path::to_owned).collect()
    };
    if let Some(rest) = below(&mount.group, path) {
        // Joining nothing would leave a slash at the end.
        let own = if rest.is_empty() { mount.point.clone() } else { mount.point.join(rest) };
        let groups = up_to_mount(&own);
        return (!groups.is_empty()).then_some(groups);
    }
    if let Some(own) = pid.and_then(|pid| search(root, &mount.point, pid)) {
        return Some(up_to_mount(&own));
    }
    // Mounted from above our namespace's root: whatever its name, it is one of our ancestors.
    let above = mount.group != "/" && mount.group.split('/').all(|part| part.is_empty() || part == "..");
    (above && !climbs(path)).then(|| vec![mount.point.clone()])
}

/// `path` relative to the mounted group, if it names a group below it.
fn below<'a>(group: &str, path: &'a str) -> Option<&'a str> {
    let rest = path.strip_prefix(group.trim_end_matches('/'))?;
    let is_below = rest.is_empty() || rest.starts_with('/');
    (is_below && !climbs(rest)).then(|| rest.trim_matches('/'))
}

fn climbs(path: &str) -> bool {
    path.split('/').any(|part| part == "..")
}

/// Looks for the group that lists `pid`, breadth first.
fn search(root: &Root, from: &Path, pid: u32) -> Option<PathBuf> {
    /// A node with 500 pods has about 2000 groups.
    const GROUPS_MAX: usize = 8192;
    let mut open = VecDeque::from([from.to_owned()]);
    let mut seen = 0;
    while let Some(dir) = open.pop_front() {
        let real = root.real(&dir);
        let lists_us = |procs: String| procs.lines().any(|line| line.parse() == Ok(pid));
        if fs::read_to_string(real.join("cgroup.procs")).is_ok_and(lists_us) {
            return Some(dir);
        }
        for entry in fs::read_dir(real).into_iter().flatten().flatten() {
            if seen < GROUPS_MAX && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                seen += 1;
                open.push_back(dir.join(entry.file_name()));
            }
        }
    }
    None
}

fn own_pid(root: &Root) -> Option<u32> {
    let mut file = root.file("/proc/self/stat");
    file.read().ok()?.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests;
