use super::*;

fn capacity(n: u32) -> Setting {
    Setting::Capacity(Capacity::new(n, 100).unwrap())
}

#[test]
fn a_higher_author_overrides_and_what_is_below_comes_back() {
    let now = Instant::now();
    let minute = Duration::from_secs(60);
    let mut knobs = KnobSet::new(Capacity::UNBOUNDED);
    assert_eq!((knobs.read(now).capacity.reason.as_str(), knobs.read(now).generation), ("as built", 0));
    assert!(knobs.set(capacity(1), Change::policy("p"), now).in_force);
    assert!(knobs.set(capacity(2), Change::operator("o"), now).in_force);
    assert!(knobs.set(capacity(3), Change::person("h", minute).unwrap(), now).in_force);
    assert!(!knobs.set(capacity(4), Change::policy("p again"), now).in_force);
    let mut seen = |at| {
        let knobs = knobs.read(at);
        (knobs.capacity.value.objects_max(), knobs.capacity.author, knobs.generation)
    };
    assert_eq!(seen(now + Duration::from_secs(59)), (3, Author::Person, 4));
    assert_eq!(seen(now + minute), (2, Author::Operator, 5), "an expiry is a change");
    assert!(knobs.withdraw(KnobKind::Capacity, Author::Operator));
    assert!(!knobs.withdraw(KnobKind::Capacity, Author::Operator));
    let read = knobs.read(now + minute).capacity;
    assert_eq!((read.value.objects_max(), read.reason.as_str()), (4, "p again"));
    assert_eq!(read.built, Capacity::UNBOUNDED);
}

#[test]
fn no_policy_sets_the_capacity_of_a_pinned_pool() {
    let now = Instant::now();
    let mut knobs = KnobSet::new(Capacity::ZERO);
    let pinned = Setting::Priority(Priority::DEFAULT.pinned());
    assert!(knobs.set(pinned, Change::operator("keep"), now).in_force);
    assert!(!knobs.set(capacity(1), Change::policy("p"), now).in_force);
    assert_eq!(knobs.read(now).capacity.value, Capacity::ZERO);
    assert!(knobs.set(capacity(2), Change::operator("o"), now).in_force);
    assert!(knobs.withdraw(KnobKind::Priority, Author::Operator));
    assert!(knobs.withdraw(KnobKind::Capacity, Author::Operator));
    assert_eq!(knobs.read(now).capacity.value.objects_max(), 1, "the policy's last wish");
}

#[test]
fn a_life_without_end_is_refused() {
    let e = Change::operator("o").lasting(Duration::MAX).unwrap_err().to_string();
    assert!(e.starts_with("override.ttl: ") && e.ends_with("allowed are 1ms to 2592000s"), "{e}");
}
