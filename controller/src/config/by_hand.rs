//! Knobs by the names of their fields, for those who set or read one by hand: the fields, values and errors of a file.

use super::fields;
use super::settings::{self, KNOBS};
use super::staged::Says;
use super::units::{show_duration, show_exact};
use super::{Refused, suggest};
use pool_core::{Capacity, Eviction, KnobKind, Knobs, LeaseLevel, Priority, Sampling, Setting};
use std::collections::BTreeMap;

/// The fields of one knob with their values as a file has them: `capacity.bytes` is `64MiB`.
pub(crate) type Told = BTreeMap<&'static str, String>;

/// All knobs, as they are shown.
pub(crate) const KINDS: [KnobKind; 5] =
    [KnobKind::Capacity, KnobKind::Sampling, KnobKind::Eviction, KnobKind::Reuse, KnobKind::Priority];

/// The name of a knob.
pub(crate) const fn name_of(kind: KnobKind) -> &'static str {
    match kind {
        KnobKind::Capacity => "capacity",
        KnobKind::Sampling => "sampling",
        KnobKind::Eviction => "eviction",
        KnobKind::Reuse => "reuse",
        KnobKind::Priority => "priority",
    }
}

/// The knob of this name, or the one that a field of this name belongs to.
pub(crate) fn kind_of(name: &str) -> Result<KnobKind, Refused> {
    let by_name = KINDS.into_iter().find(|kind| name_of(*kind) == name);
    let by_field = || knob_fields().find(|(field, _)| *field == name).map(|(_, kind)| kind);
    by_name.or_else(by_field).ok_or_else(|| {
        let names = || KINDS.iter().map(|kind| name_of(*kind)).chain(knob_fields().map(|(field, _)| field));
        let problem = format!("there is no such knob{}", suggest::hint(name, names()));
        Refused::invalid("knob", name, problem, names().collect::<Vec<_>>().join(", "))
    })
}

/// Fields of knobs with their knob, in the order of the table.
fn knob_fields() -> impl Iterator<Item = (&'static str, KnobKind)> + Clone {
    fields::knob_fields().filter_map(|(name, field)| {
        let (kind, ..) =
            KNOBS.iter().find(|(_, starts, _)| starts.iter().any(|s| field.path.starts_with(s)))?;
        Some((name, *kind))
    })
}

/// The settings that `fields` ask for, for a pool whose knobs are `now`: what of a knob they leave out stays as it is in
/// force. All of them are right, or none is returned.
///
/// # Errors
/// [`Refused`]: a field that no knob has, a value that is not allowed, values that do not go together or not with the
/// pool, or no field at all.
pub(crate) fn settings(now: &Knobs, fields: &[(String, String)]) -> Result<Vec<Setting>, Refused> {
    let names = || knob_fields().map(|(field, _)| field);
    if fields.is_empty() {
        let allowed = names().collect::<Vec<_>>().join(", ");
        return Err(Refused::invalid("set", "", "there is no field in it", allowed));
    }
    let mut says = Says::default();
    for (field, value) in fields {
        if !names().any(|known| known == field) {
            let problem = format!("no knob has such a field{}", suggest::hint(field, names()));
            let allowed = names().collect::<Vec<_>>().join(", ");
            return Err(Refused::invalid(format!("set.{field}"), field.as_str(), problem, allowed));
        }
        says.tell(field, &format!("set.{field}"), value)?;
    }
    let wishes = settings::wishes(&says.own, &as_built(now), |_| String::new());
    wishes
        .into_iter()
        .map(|wish| {
            let knob = name_of(wish.kind);
            wish.setting.map_err(|error| {
                let said = error.to_string();
                let (problem, allowed) =
                    said.split_once(", allowed are ").unwrap_or((&said, "what the pool can hold"));
                Refused::invalid(format!("set.{knob}"), "", problem, allowed)
            })
        })
        .collect()
}

/// The same knobs, as if the pool had been built with what is in force.
fn as_built(now: &Knobs) -> Knobs {
    let mut knobs = now.clone();
    knobs.capacity.built = knobs.capacity.value;
    knobs.sampling.built = knobs.sampling.value;
    knobs.eviction.built = knobs.eviction.value;
    knobs.reuse.built = knobs.reuse.value;
    knobs.priority.built = knobs.priority.value;
    knobs
}

/// The fields of a setting as a file would have them.
pub(crate) fn told(setting: Setting) -> Told {
    match setting {
        Setting::Capacity(capacity) => of_capacity(capacity),
        Setting::Sampling(sampling) => of_sampling(sampling),
        Setting::Eviction(eviction) => of_eviction(eviction),
        Setting::Reuse(reuse) => Told::from([("reuse", reuse.0.get().to_string())]),
        Setting::Priority(priority) => of_priority(priority),
    }
}

fn of_capacity(capacity: Capacity) -> Told {
    Told::from([
        ("capacity.objects", capacity.objects_max().to_string()),
        ("capacity.bytes", show_exact(capacity.bytes_max())),
        ("capacity.floor", capacity.objects_floor().to_string()),
    ])
}

fn of_sampling(sampling: Sampling) -> Told {
    let leases = match sampling.leases() {
        LeaseLevel::Off => "off".to_owned(),
        LeaseLevel::All => "all".to_owned(),
        LeaseLevel::Sampled(one_in) => format!("1/{one_in}"),
    };
    let timing = match sampling.timing_one_in() {
        0 => "off".to_owned(),
        one_in => format!("1/{one_in}"),
    };
    let evict_ratio = sampling.evict_ratio().get().to_string();
    Told::from([
        ("sampling.leases", leases),
        ("sampling.timing", timing),
        ("sampling.evict_ratio", evict_ratio),
    ])
}

fn of_eviction(eviction: Eviction) -> Told {
    Told::from([
        ("eviction.cycle", show_duration(eviction.cycle())),
        ("eviction.max_age_cycles", eviction.max_age_cycles().to_string()),
        ("eviction.idle_ttl", eviction.idle_ttl().map_or_else(|| "never".to_owned(), show_duration)),
        ("eviction.slice", show_duration(eviction.slice())),
    ])
}

fn of_priority(priority: Priority) -> Told {
    Told::from([("weight", priority.weight().to_string()), ("pinned", priority.is_pinned().to_string())])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::FakePool;
    use pool_core::{Change, Managed};

    fn fields(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(field, value)| ((*field).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn every_field_of_a_knob_is_shown_as_it_is_read() {
        let pool = FakePool::new("a");
        let knobs = pool.knobs();
        let shown = [
            told(Setting::Capacity(knobs.capacity.value)),
            told(Setting::Sampling(knobs.sampling.value)),
            told(Setting::Eviction(knobs.eviction.value)),
            told(Setting::Reuse(knobs.reuse.value)),
            told(Setting::Priority(knobs.priority.value)),
        ];
        let shown: Vec<(String, String)> =
            shown.into_iter().flatten().map(|(field, value)| (field.to_owned(), value)).collect();
        let mut names: Vec<_> = shown.iter().map(|(field, _)| field.as_str()).collect();
        let mut known: Vec<_> = knob_fields().map(|(field, _)| field).collect();
        names.sort_unstable();
        known.sort_unstable();
        assert_eq!(names, known);
        let settings = settings(&knobs, &shown).expect("what is shown is allowed");
        let again: Vec<_> = settings.into_iter().flat_map(told).collect();
        assert!(
            shown.iter().all(|(field, value)| again.contains(&(field.as_str(), value.clone()))),
            "{again:?}"
        );
    }

    #[test]
    fn what_is_left_out_stays_as_it_is_in_force() {
        let pool = FakePool::new("a");
        let small = Capacity::new(500, 1 << 20).expect("in range");
        pool.set_capacity(small, Change::policy("tide"));
        let asked = settings(&pool.knobs(), &fields(&[("capacity.bytes", "64KiB"), ("weight", "7")]));
        let capacity = Capacity::new(500, 64 << 10).expect("in range");
        let priority = Priority::new(7).expect("in range");
        assert_eq!(asked, Ok(vec![Setting::Capacity(capacity), Setting::Priority(priority)]));
    }

    #[test]
    fn what_is_wrong_says_where_and_what_is_allowed() {
        let knobs = FakePool::new("a").knobs();
        for (set, expected) in [
            (&[][..], "set: there is no field in it; allowed: capacity.objects, capacity.bytes,"),
            (
                &[("wieght", "7")][..],
                "set.wieght: \"wieght\": no knob has such a field, did you mean \"weight\"?; allowed: c",
            ),
            (
                &[("floor", "8MiB")],
                "set.floor: \"floor\": no knob has such a field; allowed: capacity.objects",
            ),
            (
                &[("weight", "0")],
                "set.weight: \"0\": not allowed here; allowed: a whole number from 1 to 10000",
            ),
            (
                &[("capacity.bytes", "64")],
                "set.capacity.bytes: \"64\": not allowed here; allowed: a size from 0B",
            ),
            (&[("capacity.floor", "1001")], "set.capacity: "),
            (
                &[("capacity.objects", "4"), ("capacity.floor", "5")],
                "set.capacity.floor: \"5\": the number 5 is above objects; allowed: 0 to 4",
            ),
        ] {
            let refused = settings(&knobs, &fields(set)).expect_err(expected).to_string();
            assert!(refused.starts_with(expected), "{refused}");
        }
    }

    #[test]
    fn a_knob_is_named_by_itself_or_by_a_field() {
        assert_eq!(kind_of("capacity"), Ok(KnobKind::Capacity));
        assert_eq!(kind_of("pinned"), Ok(KnobKind::Priority));
        assert_eq!(kind_of("eviction.cycle"), Ok(KnobKind::Eviction));
        let refused = kind_of("capcity").unwrap_err();
        assert_eq!(refused.problem, "there is no such knob, did you mean \"capacity\"?");
    }
}
