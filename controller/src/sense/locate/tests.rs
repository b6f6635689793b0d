//! Ways in which containers have been seen to mount their cgroups.

use super::*;
use crate::sense::scratch::Scratch;

struct Seen<'a> {
    cgroup: &'a str,
    /// Mounted group, mount point, type and super options.
    mounts: &'a [(&'a str, &'a str, &'a str)],
    dirs: &'a [&'a str],
    /// The group that lists process 4242.
    lists_us: Option<&'a str>,
}

fn groups_of(seen: &Seen<'_>) -> Option<Hierarchy> {
    let tree = Scratch::new();
    tree.write("/proc/self/cgroup", seen.cgroup);
    tree.write("/proc/self/stat", "4242 (a b) S 1");
    let line = |(n, (group, point, kind)): (usize, &(&str, &str, &str))| {
        format!("{n} 23 0:{n} {group} {point} rw,relatime shared:9 - {kind}\n")
    };
    let lines: String = seen.mounts.iter().enumerate().map(line).collect();
    tree.write("/proc/self/mountinfo", &format!("1 0 8:1 / / rw - ext4 /dev/sda1 rw\n{lines}"));
    seen.dirs.iter().for_each(|dir| tree.dir(dir));
    if let Some(dir) = seen.lists_us {
        tree.write(&format!("{dir}/cgroup.procs"), "17\n4242\n");
    }
    locate(tree.path()).expect("readable")
}

fn paths(found: Option<Hierarchy>) -> Vec<String> {
    found.into_iter().flat_map(|h| h.groups).map(|dir| dir.display().to_string()).collect()
}

const V2: &str = "cgroup2 cgroup2 rw,nsdelegate";

#[test]
fn the_host_sees_every_ancestor() {
    let found = groups_of(&Seen {
        cgroup: "0::/user.slice/a b.scope\n",
        mounts: &[("/", "/sys/fs/cgroup", V2)],
        dirs: &["/sys/fs/cgroup/user.slice/a b.scope"],
        lists_us: None,
    });
    let expected = ["/sys/fs/cgroup/user.slice/a b.scope", "/sys/fs/cgroup/user.slice", "/sys/fs/cgroup"];
    assert_eq!(paths(found), expected);
}

#[test]
fn a_mount_from_the_middle_is_subtracted_from_the_path() {
    let found = groups_of(&Seen {
        cgroup: "5:memory:/docker/abc/inner\n4:cpu:/x\n0::/elsewhere\n",
        mounts: &[("/docker/abc", "/sys/fs/cgroup/memory", "cgroup cgroup rw,memory")],
        dirs: &["/sys/fs/cgroup/memory/inner", "/sys/fs/cgroup/memory/docker/abc/inner"],
        lists_us: None,
    });
    assert_eq!(paths(found), ["/sys/fs/cgroup/memory/inner", "/sys/fs/cgroup/memory"]);
}

#[test]
fn a_group_with_a_similar_name_is_not_below() {
    assert_eq!(below("/docker/abc", "/docker/abcd"), None);
    assert_eq!(below("/docker/abc", "/docker/abc"), Some(""));
    assert_eq!(below("/", "/docker"), Some("docker"));
    assert_eq!(below("/..", "/../x/y"), Some("x/y"));
    assert_eq!(below("/", "/../x"), None);
}

#[test]
fn memory_on_version_1_beside_a_version_2_mount_is_hybrid() {
    let seen = Seen {
        cgroup: "3:memory:/a\n0::/b\n",
        mounts: &[
            ("/", "/sys/fs/cgroup/unified", V2),
            ("/", "/sys/fs/cgroup/memory", "cgroup cgroup rw,memory"),
        ],
        dirs: &["/sys/fs/cgroup/memory/a", "/sys/fs/cgroup/unified/b"],
        lists_us: None,
    };
    let found = groups_of(&seen).expect("found");
    assert_eq!((found.version, found.hybrid), (Version::V1, true));
    assert_eq!(found.mount, Path::new("/sys/fs/cgroup/memory"));
    let only_v2 = Seen { cgroup: "3:cpu:/a\n0::/b\n", ..seen };
    let found = groups_of(&only_v2).expect("found");
    assert_eq!((found.version, found.hybrid), (Version::V2, false));
}

#[test]
fn a_host_mount_inside_a_namespace_is_searched_for_our_process() {
    let mut seen = Seen {
        cgroup: "0::/\n",
        mounts: &[("/../..", "/sys/fs/cgroup", V2)],
        dirs: &["/sys/fs/cgroup/docker/abc", "/sys/fs/cgroup/docker/def"],
        lists_us: Some("/sys/fs/cgroup/docker/def"),
    };
    let expected = ["/sys/fs/cgroup/docker/def", "/sys/fs/cgroup/docker", "/sys/fs/cgroup"];
    assert_eq!(paths(groups_of(&seen)), expected);
    seen.lists_us = None; // not to be found: what is mounted is an ancestor all the same
    assert_eq!(paths(groups_of(&seen)), ["/sys/fs/cgroup"]);
}

#[test]
fn a_path_outside_the_namespace_counts_only_where_it_can_be_seen() {
    let mut seen = Seen {
        cgroup: "0::/../other\n",
        mounts: &[("/", "/sys/fs/cgroup", V2)],
        dirs: &["/sys/fs/cgroup/other"],
        lists_us: None,
    };
    assert_eq!(groups_of(&seen), None, "the limits that are mounted here are not ours");
    seen.mounts = &[("/..", "/sys/fs/cgroup", V2)];
    assert_eq!(paths(groups_of(&seen)), ["/sys/fs/cgroup/other", "/sys/fs/cgroup"]);
}

#[test]
fn of_several_mounts_the_one_that_shows_most_counts_and_a_hidden_one_does_not() {
    let mut seen = Seen {
        cgroup: "0::/pod/box\n",
        mounts: &[("/pod/box", "/mine", V2), ("/", "/host", V2), ("/pod", "/half", V2)],
        dirs: &["/mine", "/host/pod/box", "/half/box"],
        lists_us: None,
    };
    assert_eq!(paths(groups_of(&seen)), ["/host/pod/box", "/host/pod", "/host"]);
    seen.mounts = &[("/", "/host", V2), ("/", "/host", "tmpfs tmpfs rw"), ("/pod/box", "/mine", V2)];
    assert_eq!(paths(groups_of(&seen)), ["/mine"]);
}

#[test]
fn a_removed_group_leaves_its_ancestors() {
    let found = groups_of(&Seen {
        cgroup: "0::/pod/box (deleted)\n",
        mounts: &[("/", "/sys/fs/cgroup", V2)],
        dirs: &["/sys/fs/cgroup/pod"],
        lists_us: None,
    });
    assert_eq!(paths(found), ["/sys/fs/cgroup/pod", "/sys/fs/cgroup"]);
}

#[test]
fn escapes_and_garbage() {
    assert_eq!(unescaped("/a\\040b\\134c"), "/a b\\c");
    assert_eq!(Membership::parse("0::/\nbanana\n"), Err("banana".to_owned()));
    assert_eq!(Membership::parse("0::relative\n"), Err("0::relative".to_owned()));
    let colons = Membership::parse("1:name=systemd:/\n0::/a:b\n").expect("parses");
    assert_eq!(colons, Membership { v2: Some("/a:b".to_owned()), ..Membership::default() });
    let tree = Scratch::new();
    assert_eq!(locate(tree.path()), Ok(None), "a kernel without cgroups");
    tree.write("/proc/self/cgroup", "what\n");
    assert!(matches!(locate(tree.path()), Err(Why::Unparsable { text, .. }) if text == "what"));
}
