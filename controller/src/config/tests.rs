//! What a file may say, what is said of one that may not, and that what describes the format is up to date.

use super::fields::FIELDS;
use super::*;
use crate::fake::FakePool;
use pool_core::{Capacity, Change, Eviction, LeaseLevel, Managed, Priority, Setting};
use std::fmt::Write as _;
use std::num::NonZeroU32;

fn read(text: &str) -> Result<Config, String> {
    Config::from_text("e.yaml", text).map_err(|error| error.to_string())
}

/// A file with one field, told as it stands.
fn with_field(path: &str, value: &str) -> Result<Config, String> {
    let mut text = String::from("version: 1\n");
    if path == "version" {
        return read(&format!("version: {value}\n"));
    }
    for (depth, key) in path.split('.').enumerate() {
        let end = if path.split('.').count() == depth + 1 { format!(" {value}") } else { String::new() };
        let key = if key == "*" { "\"*\"" } else { key };
        let _ = writeln!(text, "{:indent$}{key}:{end}", "", indent = 2 * depth);
    }
    read(&text)
}

/// Nothing is staged in this process.
const HERE: Here<'_> = Here { instance: "here", splits: &[] };

/// More than 63 bytes.
const LONG: &str = "a-salt-that-is-longer-than-what-anybody-would-write-by-hand-in-a-file";

/// Each field with values that are just allowed, and some that are not.
const ENDS: &[(&str, &[&str], &[&str])] = &[
    ("version", &["1"], &["0", "2", "-1", "one", "1.5", "\"1\"", "[1]"]),
    ("controller.mode", &["observe", "enforce"], &["off", "Enforce", "1", "true"]),
    ("controller.policy", &crate::decide::POLICIES, &["tyde", "", "[]"]),
    (
        "controller.limit",
        &["auto", "1MiB", "65536GiB"],
        &["1023KiB", "65537GiB", "none", "512", "\"512\"", "-1MiB"],
    ),
    ("controller.suspect_after", &["1ms", "24h"], &["999us", "24.1h", "30", "never", "-1s", "30 s"]),
    ("controller.instance", &["pod-1", "a b"], &["\"\"", "7", "{}"]),
    ("pools.*.capacity.objects", &["0", "16777216"], &["-1", "16777217", "1.5", "\"7\"", "all"]),
    ("pools.*.capacity.bytes", &["0B", "65536GiB"], &["65537GiB", "16", "16M", "-1B"]),
    ("pools.*.capacity.floor", &["0", "16777216"], &["-1", "16777217", "1MiB"]),
    (
        "pools.*.sampling.leases",
        &["off", "all", "1/1", "1/4294967295"],
        &["1/0", "1/4294967296", "2/3", "1/", "1/+5", "128", "0.5", "false"],
    ),
    (
        "pools.*.sampling.timing",
        &["off", "1/1", "1/16777216"],
        &["all", "1/16777217", "1/0", "1024", "1/1.5"],
    ),
    ("pools.*.sampling.evict_ratio", &["0", "0.0", "1", "1.0"], &["-0.1", "1.1", ".nan", "50%", "2"]),
    ("pools.*.eviction.cycle", &["10ms", "1h"], &["9ms", "61m", "never", "10"]),
    ("pools.*.eviction.max_age_cycles", &["2", "1000"], &["1", "1001", "2s"]),
    ("pools.*.eviction.idle_ttl", &["never", "10ms", "168h"], &["9ms", "169h", "off", "0s"]),
    ("pools.*.eviction.slice", &["10us", "1s"], &["9us", "1001ms", "1"]),
    ("pools.*.reuse", &["0", "1", "0.7"], &["-1", "1.01", "all"]),
    ("pools.*.weight", &["1", "10000"], &["0", "10001", "1.5", "high"]),
    ("pools.*.pinned", &["true", "false"], &["yes", "1", "\"true\""]),
    ("pools.*.floor", &["0B", "65536GiB"], &["65537GiB", "8", "auto"]),
    ("pools.*.staged.percent", &["0", "0.5", "100"], &["-1", "100.1", ".nan", "10%", "all"]),
    ("pools.*.staged.salt", &["a", "spring 2026"], &["\"\"", "7", "[]", LONG]),
    ("pools.*.staged.generation", &["0", "9007199254740992"], &["-1", "1.5", "\"7\"", "9007199254740993"]),
    ("pools.*.staged.stable", &["{}", "{weight: 7}"], &["7", "[]", "off"]),
    ("pools.*.staged.canary", &["{}", "{capacity: {bytes: 1MiB}, pinned: true}"], &["7", "[]", "off"]),
];

#[test]
fn every_field_takes_the_ends_of_its_range_and_nothing_beyond() {
    let tested: Vec<_> = ENDS.iter().map(|(path, ..)| *path).collect();
    assert_eq!(tested, FIELDS.iter().map(|field| field.path).collect::<Vec<_>>());
    for (path, allowed, refused) in ENDS {
        let field = FIELDS.iter().find(|field| field.path == *path).expect("a field");
        for value in *allowed {
            assert!(with_field(path, value).is_ok(), "{path}: {value}: {:?}", with_field(path, value));
        }
        for value in *refused {
            let error = with_field(path, value).expect_err(&format!("{path}: {value}"));
            let says = error.contains(&format!("{path}: ")) && error.contains(&field.kind.allowed());
            assert!(says && error.starts_with("e.yaml:"), "{error}");
        }
    }
}

#[test]
fn a_program_is_told_the_same_as_a_file() {
    for (path, allowed, refused) in ENDS {
        if ["pools.*.staged.stable", "pools.*.staged.canary"].contains(path) {
            continue; // a program tells the fields below them, one by one
        }
        let told = |value: &str| match path.strip_prefix("pools.*.") {
            Some(field) => Some(Config::default().pool("*", field, value)),
            // The version is a file's.
            None => Some(Config::default().controller(path.strip_prefix("controller.")?, value)),
        };
        for value in *allowed {
            assert!(told(value).is_none_or(|told| told.is_ok()), "{path}: {value}");
        }
        for value in *refused {
            assert!(told(value).is_none_or(|told| told.is_err()), "{path}: {value}");
        }
    }
    let refused = Config::default().pool("a", "wieght", "1").unwrap_err();
    assert_eq!((refused.path.as_str(), refused.value.as_str()), ("pools.a.wieght", "wieght"));
    assert_eq!(refused.problem, "there is no such field, did you mean \"weight\"?");
    let small = Config::default().pool("a", "capacity.objects", "4").unwrap();
    assert_eq!(
        small.pool("a", "capacity.floor", "5").unwrap_err().to_string(),
        "pools.a.capacity.floor: \"5\": the number 5 is above objects; allowed: 0 to 4"
    );
}

#[test]
fn errors_say_where_what_and_what_is_allowed() {
    for (text, expected) in [
        ("", "e.yaml:1:1: expected a map with the key version, found nothing"),
        ("[1]\n", "e.yaml:1:1: expected a map with the key version, found a list"),
        ("controller: {}\n", "e.yaml:1:1: the key version is missing; allowed: 1; begin with `version: 1`"),
        (
            "version: 2\nnew: {}\n",
            "e.yaml:1:10: version: version 2 is newer than what this build reads; allowed: 1; run a newer Ebbpool, \
             or write the file as version 1 says",
        ),
        (
            "version: 0\n",
            "e.yaml:1:10: version: version 0 was never in use; allowed: 1; write version: 1 and see what `ebbpool \
             check` says of the rest",
        ),
        (
            "version: 1\ncontroler: {}\n",
            "e.yaml:2:1: controler: unknown key, did you mean \"controller\"?; allowed: version, controller, pools",
        ),
        (
            "version: 1\ncontroller:\n  policy: tode\n",
            "e.yaml:3:11: controller.policy: \"tode\": not a word that is known here, did you mean \"tide\"?; \
             allowed: tide, bands, pause-ratio, adaptive-reuse, two-cycle, fixed",
        ),
        (
            "version: 1\npools:\n  http.body:\n    eviction: {slice: 2s}\n",
            "e.yaml:4:23: pools.http.body.eviction.slice: \"2s\": out of range; allowed: a duration from 10us to 1s, \
             such as 500us",
        ),
        (
            "version: 1\npools: {a: {weight: 0}}\n",
            "e.yaml:2:21: pools.a.weight: the number 0 is out of range; allowed: a whole number from 1 to 10000",
        ),
        (
            "version: 1\npools: {a: {pinned: yes}}\n",
            "e.yaml:2:21: pools.a.pinned: expected true, false, found the text \"yes\"",
        ),
        (
            "version: 1\npools: {a: {reuse: 1}, a: {reuse: 0}}\n",
            "e.yaml:2:24: pools.a: this key is here twice; allowed: once",
        ),
        (
            "version: 1\npools: {a: {capacity: {objects: 4, floor: 5}}}\n",
            "e.yaml:2:43: pools.a.capacity.floor: the number 5 is above objects; allowed: 0 to 4",
        ),
        (
            "version: 1\npools: {a: 64MiB}\n",
            "e.yaml:2:12: pools.a: expected a map with the keys capacity, sampling, eviction, reuse, weight, pinned, \
             floor, staged, found the text \"64MiB\"",
        ),
        (
            "version: 1\npools:\n",
            "e.yaml:2:7: pools: expected a map from names of pools to knobs, found nothing",
        ),
    ] {
        assert_eq!(read(text).expect_err(text), expected);
    }
    assert!(read("version: [1\n").unwrap_err().ends_with("; allowed: one YAML document"));
}

#[test]
fn all_problems_are_told_at_once_in_the_order_of_the_file() {
    let text = "pols: {}\nversion: 1\npools:\n  a: {weight: 0, reus: 1}\n  b: {capacity: {bytes: 1}}\n";
    let error = Config::from_text("e.yaml", text).unwrap_err();
    let places: Vec<_> = error.errors().iter().map(|e| (e.position, e.path.as_str())).collect();
    let expected = [
        (Some((1, 1)), "pols"),
        (Some((4, 15)), "pools.a.weight"),
        (Some((4, 18)), "pools.a.reus"),
        (Some((5, 25)), "pools.b.capacity.bytes"),
    ];
    assert_eq!(places, expected);
    let many = (0..30).map(|n| format!("  p{n}: {{weight: 0}}")).collect::<Vec<_>>().join("\n");
    let error = Config::from_text("e.yaml", &format!("version: 1\npools:\n{many}")).unwrap_err();
    assert_eq!(error.errors().len(), 21);
    assert!(error.to_string().ends_with("\ne.yaml: 10 more; correct these first"), "{error}");
}

#[test]
fn what_is_no_file_or_too_long_is_refused_unread() {
    let dir = crate::sense::scratch::new_dir("config-file");
    let error = Config::from_file(&dir).unwrap_err().to_string();
    assert!(error.ends_with(": cannot be read: it is no plain file"), "{error}");
    let error = Config::from_file(dir.join("none")).unwrap_err().to_string();
    assert!(error.contains("none: cannot be read: "), "{error}");
    let long = dir.join("long");
    let length = usize::try_from(read::BYTES_MAX).expect("small") + 1;
    std::fs::write(&long, "#".repeat(length)).expect("a file");
    let error = Config::from_file(&long).unwrap_err().to_string();
    assert!(error.ends_with("long: is too long; allowed: at most 262144 bytes"), "{error}");
    std::fs::remove_dir_all(dir).expect("removed");
}

#[test]
fn part_of_a_knob_leaves_the_rest_as_built_and_says_where_it_stands() {
    let text = "version: 1\npools:\n  a:\n    pinned: true\n    sampling:\n      leases: 1/7\n    capacity:\n      \
                floor: 3\n  \"*\": {weight: 7, eviction: {idle_ttl: never, cycle: 20ms}}\n";
    let config = read(text).unwrap();
    let pool = FakePool::new("a");
    // What a policy makes of it is not what it was built with.
    pool.set(Setting::Capacity(Capacity::ZERO), Change::policy("p"));
    let wishes = config.wishes("a", &pool.knobs(), HERE);
    let told: Vec<_> =
        wishes.iter().map(|wish| (wish.setting.clone().unwrap(), wish.reason.as_str())).collect();
    let built = pool.knobs().capacity.built;
    let leases = LeaseLevel::Sampled(NonZeroU32::new(7).unwrap());
    let expected = [
        (Setting::Capacity(built.with_floor(3).unwrap()), "e.yaml:8"),
        (Setting::Sampling(pool_core::Sampling::DEFAULT.with_leases(leases)), "e.yaml:6"),
        (Setting::Priority(Priority::DEFAULT.pinned()), "e.yaml:4"),
    ];
    assert_eq!(told, expected);

    let others = config.wishes("not named", &pool.knobs(), HERE);
    let cycle = Eviction::DEFAULT.with_cycle(Duration::from_millis(20)).unwrap();
    let settings: Vec<_> = others.iter().map(|wish| wish.setting.clone().unwrap()).collect();
    assert_eq!(settings, [Setting::Eviction(cycle), Setting::Priority(Priority::new(7).unwrap())]);
    assert_eq!(read("version: 1\n").unwrap().wishes("a", &pool.knobs(), HERE), []);
}

#[test]
fn a_summary_tells_all_of_it() {
    let text = "version: 1\ncontroller: {limit: 192MiB, mode: enforce}\npools:\n  a: {sampling: {timing: off, \
                leases: 1/9, evict_ratio: 0.5}, floor: 1KiB}\n  b: {}\n  \"*\": {eviction: {slice: 200us}}\n";
    let expected = [
        "controller: mode enforce, limit 192MiB",
        "all other pools: eviction.slice 200us",
        "a: sampling.leases 1/9, sampling.timing off, sampling.evict_ratio 0.5, floor 1KiB",
        "b: as built",
    ];
    assert_eq!(read(text).unwrap().summary(), expected);
}

/// Compares a file of the repository with what it is made from, or makes it, if `EBBPOOL_WRITE` is set.
fn up_to_date(path: &str, wanted: impl Fn(&str) -> String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    let wanted = wanted(&found);
    if std::env::var_os("EBBPOOL_WRITE").is_some() {
        return std::fs::write(&path, wanted).expect("written");
    }
    let hint = "EBBPOOL_WRITE=1 cargo test -p pool-controller --lib config::";
    assert!(found == wanted, "{} is not up to date; to write it: {hint}", path.display());
}

#[test]
fn the_schema_that_ships_is_this_one() {
    up_to_date("config.schema.json", |_| format!("{:#}\n", schema()));
}

#[test]
fn the_reference_in_the_documents_is_this_one_and_its_examples_are_good() {
    const BEGIN: &str = "<!-- The table is made from the code; see the test of it. -->\n";
    const END: &str = "<!-- End of the table. -->\n";
    up_to_date("../docs/configuration.md", |found| {
        let (before, rest) = found.split_once(BEGIN).expect("the table's beginning");
        let (_, after) = rest.split_once(END).expect("the table's end");
        format!("{before}{BEGIN}{}{END}{after}", reference())
    });
    let text = include_str!("../../../docs/configuration.md");
    let examples: Vec<_> = text.split("```yaml\n").skip(1).filter_map(|t| t.split("```").next()).collect();
    assert!(!examples.is_empty());
    for example in examples.iter().filter(|example| example.contains("version: 1")) {
        assert!(read(example).is_ok(), "{:?}\n{example}", read(example));
    }
}

#[test]
fn the_schema_names_every_field() {
    let schema = schema();
    for field in FIELDS {
        let pointer = field.path.split('.').fold(String::new(), |pointer, key| match key {
            "*" => format!("{pointer}/additionalProperties"),
            key => format!("{pointer}/properties/{key}"),
        });
        let found = schema.pointer(&pointer).unwrap_or_else(|| panic!("{pointer}"));
        assert!(found["description"].as_str().is_some_and(|text| text.contains(field.doc)), "{pointer}");
    }
}
