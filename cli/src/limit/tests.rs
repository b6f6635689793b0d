//! Creation on fixture trees.

use super::fake::{FakeKernel, Tree};
use super::*;
use std::fs;

const LIMIT: u64 = 192 << 20;

fn create(tree: &Tree, kernel: &FakeKernel) -> Result<Group, LimitError> {
    Group::create_in(tree.path(), || Box::new(kernel.clone()), LIMIT)
}

fn refused(tree: &Tree, kernel: &FakeKernel) -> String {
    create(tree, kernel).err().expect("no group").to_string()
}

#[test]
fn the_nearest_ancestor_without_processes_gets_the_group() {
    let tree = Tree::v2("0::/user/session\n", &["user", "user/session"]);
    tree.write("sys/fs/cgroup/cgroup.subtree_control", "memory\n");
    for group in ["user", "user/session"] {
        tree.write(&format!("sys/fs/cgroup/{group}/cgroup.controllers"), "memory\n");
    }
    tree.write("sys/fs/cgroup/user/session/cgroup.procs", "4242\n");
    let group = create(&tree, &FakeKernel::v2()).expect("a group");
    let names = tree.ours("user");
    assert_eq!((names.len(), tree.ours("user/session").len()), (1, 0));
    let read =
        |file: &str| fs::read_to_string(tree.group("user").join(&names[0]).join(file)).expect("a file");
    assert_eq!((read("memory.max"), read("memory.swap.max")), (LIMIT.to_string(), "0".to_owned()));
    assert_eq!((group.kind(), group.peak_bytes()), ("cgroup-v2", Some(8192)));
    assert_eq!(group.oom_kills().expect("a count"), 3);
    drop(group);
    assert!(tree.ours("user").is_empty());
}

#[test]
fn each_ancestor_that_fails_is_named_with_its_reason() {
    let tree = Tree::v2("0::/user/session\n", &["user", "user/session"]);
    tree.write("sys/fs/cgroup/user/cgroup.controllers", "memory\n");
    tree.write("sys/fs/cgroup/user/cgroup.procs", "17\n");
    tree.write("sys/fs/cgroup/user/session/cgroup.controllers", "cpu\n");
    let kernel = FakeKernel { not_to_be_entered: vec!["cgroup"], ..FakeKernel::v2() };
    let text = refused(&tree, &kernel);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "no real memory limit of 192MiB can be set on this machine; tried were");
    let session = "  /sys/fs/cgroup/user/session: the memory controller is not available here, only: cpu";
    assert_eq!(lines[1], session);
    let user = "  /sys/fs/cgroup/user: it has processes of its own, so it can limit no groups below";
    assert_eq!(lines[2], user);
    assert_eq!(lines[3], "  /sys/fs/cgroup: cannot use the group: permission denied");
    assert!(lines[4].contains("or without --limit"), "{text}");
    let left: Vec<String> = ["", "user", "user/session"].iter().flat_map(|group| tree.ours(group)).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_read_only_mount_and_no_mount_at_all() {
    let tree = Tree::v2("0::/\n", &[]);
    let text = refused(&tree, &FakeKernel { read_only: true, ..FakeKernel::v2() });
    assert!(text.contains("/sys/fs/cgroup: cannot make a group: read-only"), "{text}");
    tree.write("proc/self/mountinfo", "23 1 8:1 / / rw - ext4 /dev/sda1 rw\n");
    let text = refused(&tree, &FakeKernel::v2());
    assert!(text.contains("no hierarchy that accounts for memory is mounted here"), "{text}");
}

#[test]
fn a_tighter_limit_around_us_is_refused_by_name() {
    let tree = Tree::v2("0::/box\n", &["box"]);
    tree.write("sys/fs/cgroup/cgroup.subtree_control", "memory\n");
    tree.write("sys/fs/cgroup/box/cgroup.controllers", "memory\n");
    tree.write("sys/fs/cgroup/box/memory.max", "max\n");
    tree.write("sys/fs/cgroup/box/memory.high", "134217728\n");
    let outer = "a memory limit of 192MiB would never be reached: /sys/fs/cgroup/box/memory.high allows 128MiB; ask for less than that";
    assert_eq!(refused(&tree, &FakeKernel::v2()), outer);
    assert!(tree.ours("box").is_empty());
    tree.write("sys/fs/cgroup/box/memory.high", "268435456\n");
    assert!(create(&tree, &FakeKernel::v2()).is_ok());
    let tree = Tree::v1("4:memory:/box\n", &["box"]);
    tree.write("sys/fs/cgroup/box/memory.stat", "cache 0\nhierarchical_memory_limit 134217728\n");
    let text = refused(&tree, &FakeKernel::v1());
    assert!(text.contains("would never be reached: /sys/fs/cgroup/box allows 128MiB"), "{text}");
}

#[test]
fn version_1_moves_memory_with_swap_out_of_the_way_first() {
    let tree = Tree::v1("4:memory:/docker/abc\n", &["docker", "docker/abc"]);
    let kernel = FakeKernel::v1();
    let group = create(&tree, &kernel).expect("a group");
    group.set_limit(LIMIT * 2).expect("raised");
    group.set_limit(LIMIT).expect("lowered");
    let written = kernel.written.lock().expect("not poisoned").clone();
    let (limit, with_swap) = ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes");
    assert_eq!(written, [limit, with_swap, with_swap, limit, limit, with_swap]);
    assert_eq!(
        (group.kind(), group.oom_kills().expect("a count"), group.peak_bytes()),
        ("cgroup-v1", 3, Some(8192))
    );
    assert_eq!(tree.ours("docker/abc").len(), 1);
}

#[test]
fn version_1_is_told_to_kill_where_it_would_let_processes_hang() {
    let tree = Tree::v1("4:memory:/a\n", &["a"]);
    let written_with = |kill_disabled| {
        let kernel = FakeKernel { kill_disabled, ..FakeKernel::v1() };
        create(&tree, &kernel).expect("a group");
        kernel.written.lock().expect("not poisoned").contains(&"memory.oom_control".to_owned())
    };
    assert_eq!([written_with(false), written_with(true)], [false, true]);
}

#[test]
fn groups_of_dead_runs_are_removed_and_no_others() {
    let tree =
        Tree::v2("0::/\n", &["ebbpool-11-0", "ebbpool-12-0", "ebbpool-13-0", "ebbpool-x", "docker-11-0"]);
    tree.write("proc/12/stat", "12 (ebbpool) S");
    tree.write("sys/fs/cgroup/ebbpool-13-0/cgroup.procs", "99\n");
    let group = create(&tree, &FakeKernel::v2()).expect("a group");
    let ours =
        group.procs().parent().and_then(Path::file_name).expect("a name").to_string_lossy().into_owned();
    let mut expected =
        vec!["ebbpool-12-0".to_owned(), "ebbpool-13-0".to_owned(), "ebbpool-x".to_owned(), ours];
    expected.sort();
    assert_eq!(tree.ours(""), expected);
    assert!(tree.group("docker-11-0").exists());
}

#[test]
fn too_small_is_refused_before_anything_is_touched() {
    let text = launcher(LIMIT_BYTES_MIN - 1).err().expect("refused").to_string();
    assert!(text.contains("33554431 is too small") && text.contains("allowed are 32MiB and more"), "{text}");
}
