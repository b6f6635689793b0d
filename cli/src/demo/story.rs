//! What happens to the memory, as the few lines that a person wants to read: states entered and left, and pools
//! that shrink and grow back. Pure: views in, lines out.

use crate::service::wire::Memory;
use crate::units::mib;

/// Turns the sequence of views into lines.
#[derive(Debug, Default)]
pub(crate) struct Story {
    state: Option<String>,
    turn: Option<Turn>,
}

/// Where the budget has been since it last changed its direction.
#[derive(Clone, Copy, Debug)]
struct Turn {
    lowest: u64,
    highest: u64,
    shrinking: Option<bool>,
}

/// A change of the budget by less than one in this of the limit is not worth a line.
const WORTH_ONE_IN: u64 = 20;

impl Story {
    /// The lines that this view adds.
    pub(crate) fn go_on(&mut self, memory: &Memory) -> Vec<String> {
        self.enter(memory).into_iter().chain(self.budget(memory)).collect()
    }

    fn enter(&mut self, memory: &Memory) -> Option<String> {
        let before = self.state.replace(memory.state.clone())?;
        if before == memory.state {
            return None;
        }
        let Memory { usage_bytes, limit_bytes, watermarks, last_decision, .. } = memory;
        let mark = watermarks.and_then(|marks| match memory.state.as_str() {
            "elevated" => Some(marks.elevated),
            "high" => Some(marks.high),
            "critical" => Some(marks.critical),
            _ => None,
        });
        let mut line = format!("{before} → {}: usage {}", memory.state, mib(usage_bytes.unwrap_or(0)));
        if let Some(limit) = limit_bytes {
            line += &format!(" of {}", mib(*limit));
        }
        if let Some(mark) = mark {
            line += &format!(", watermark {}", mib(mark));
        }
        if let Some(decision) = last_decision {
            line += &format!("; {}", decision.reason);
        }
        Some(line)
    }

    fn budget(&mut self, memory: &Memory) -> Option<String> {
        let (budget, limit) = (memory.budget_bytes?, memory.limit_bytes?);
        let worth = limit / WORTH_ONE_IN;
        let turn = self.turn.get_or_insert(Turn { lowest: budget, highest: budget, shrinking: None });
        turn.lowest = turn.lowest.min(budget);
        turn.highest = turn.highest.max(budget);
        let from = if turn.shrinking != Some(true) && budget + worth <= turn.highest {
            turn.highest
        } else if turn.shrinking != Some(false) && budget >= turn.lowest + worth {
            turn.lowest
        } else {
            return None;
        };
        let (word, shrinking) = if budget < from { ("shrink", true) } else { ("grow", false) };
        *turn = Turn { lowest: budget, highest: budget, shrinking: Some(shrinking) };
        let reason = memory.last_decision.as_ref().map(|d| format!("; {}", d.reason)).unwrap_or_default();
        Some(format!("pools {word}: they may hold {} idle instead of {}{reason}", mib(budget), mib(from)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::wire::{Decision, Watermarks};

    fn memory(state: &str, budget_mib: u64) -> Memory {
        Memory {
            state: state.into(),
            limit_bytes: Some(100 << 20),
            usage_bytes: Some(86 << 20),
            budget_bytes: Some(budget_mib << 20),
            watermarks: Some(Watermarks { elevated: 85 << 20, high: 92 << 20, critical: 96 << 20 }),
            last_decision: Some(Decision { at_ms: 1, reason: "others rose".into() }),
            ..Memory::default()
        }
    }

    #[test]
    fn a_state_is_told_when_it_changes_with_its_mark_and_the_reason() {
        let mut story = Story::default();
        assert!(story.go_on(&memory("normal", 20)).is_empty());
        assert!(story.go_on(&memory("normal", 20)).is_empty());
        let told = story.go_on(&memory("elevated", 20));
        assert_eq!(told, ["normal → elevated: usage 86.0 MiB of 100.0 MiB, watermark 85.0 MiB; others rose"]);
        assert!(story.go_on(&memory("normal", 20))[0].starts_with("elevated → normal: usage"));
    }

    #[test]
    fn a_turn_of_the_budget_is_told_once_and_small_moves_are_not() {
        let mut story = Story::default();
        let mut told = Vec::new();
        for budget in [20, 18, 14, 8, 2, 0, 1, 3, 4, 6, 9, 15, 13, 9, 5] {
            told.extend(story.go_on(&memory("normal", budget)));
        }
        assert_eq!(
            told,
            [
                "pools shrink: they may hold 14.0 MiB idle instead of 20.0 MiB; others rose",
                "pools grow: they may hold 6.0 MiB idle instead of 0.0 MiB; others rose",
                "pools shrink: they may hold 9.0 MiB idle instead of 15.0 MiB; others rose",
            ]
        );
    }
}
