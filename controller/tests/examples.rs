//! What it takes to put a controller into a service, counted.

const WITHOUT: &str = include_str!("../examples/service_without.rs");
const WITH: &str = include_str!("../examples/service_with.rs");

/// Lines of code, without comments and blank lines.
fn code(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).collect()
}

/// Lines of `b` that are not in a longest common subsequence with `a`.
fn changed(a: &[&str], b: &[&str]) -> usize {
    let mut longest = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, left) in a.iter().enumerate() {
        for (j, right) in b.iter().enumerate() {
            longest[i + 1][j + 1] =
                if left == right { longest[i][j] + 1 } else { longest[i][j + 1].max(longest[i + 1][j]) };
        }
    }
    b.len() - longest[a.len()][b.len()]
}

#[test]
fn a_service_gets_pools_and_a_controller_in_at_most_15_changed_lines() {
    let (without, with) = (code(WITHOUT), code(WITH));
    let (added, removed) = (changed(&without, &with), changed(&with, &without));
    assert!((5..=15).contains(&added), "{added} lines are new or changed");
    assert!(removed <= 1, "{removed} lines are gone or changed");
}
