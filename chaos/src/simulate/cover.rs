//! The linear program of the optimum, as a flow of least cost.
//!
//! Arcs stand for bytes that would like to be idle over a run of scarce moments. What does not fit has to go: at each
//! moment at least the excess over the room must be given up, at the least loss of worth. That is a flow through the
//! moments, from each rise of the excess to each fall: forward over what is given up, backward for nothing (giving up
//! more than needed is allowed). Shortest paths find it; their distances are prices, and prices make a bound.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Bytes that would be idle at the moments `from..to`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Arc {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) bytes: u64,
    /// What a byte earns over all of them.
    pub(super) worth: f64,
}

/// The program.
#[derive(Debug)]
pub(super) struct Cover {
    rooms: Vec<u64>,
    arcs: Vec<Arc>,
}

/// Costs are whole numbers in here, so that shortest paths are exact.
const SCALE: f64 = 1e12;

#[derive(Clone, Copy, Debug)]
struct Edge {
    to: usize,
    left: u64,
    cost: i64,
}

/// Edges in pairs: 2n there, 2n + 1 back.
#[derive(Debug, Default)]
struct Graph {
    edges: Vec<Edge>,
    of_node: Vec<Vec<usize>>,
}

impl Cover {
    /// `rooms`: bytes that may be idle at each scarce moment.
    pub(super) fn new(rooms: Vec<u64>, arcs: Vec<Arc>) -> Self {
        Self { rooms, arcs }
    }

    /// What can be earned at most.
    pub(super) fn bound(&self) -> f64 {
        let prices = self.prices();
        let mut before = Vec::with_capacity(prices.len() + 1);
        before.push(0.0);
        for price in &prices {
            before.push(before[before.len() - 1] + price);
        }
        let rent: f64 = prices.iter().zip(&self.rooms).map(|(price, room)| price * *room as f64).sum();
        let gain = |arc: &Arc| (arc.worth - (before[arc.to] - before[arc.from])).max(0.0) * arc.bytes as f64;
        rent + self.arcs.iter().map(gain).sum::<f64>()
    }

    /// What a byte of room is worth at each moment. Any prices that are not negative give a bound; these the least.
    fn prices(&self) -> Vec<f64> {
        let moments = self.rooms.len();
        let (source, sink) = (moments + 1, moments + 2);
        let mut graph = Graph { edges: Vec::new(), of_node: vec![Vec::new(); moments + 3] };
        let mut wanted = vec![0_i128; moments + 1];
        for arc in &self.arcs {
            #[allow(clippy::cast_possible_truncation, reason = "worth is far below a microsecond per byte")]
            graph.add(arc.from, arc.to, arc.bytes, (arc.worth * SCALE).round() as i64);
            wanted[arc.from] += i128::from(arc.bytes);
            wanted[arc.to] -= i128::from(arc.bytes);
        }
        let (mut sum, mut excess_before) = (0_i128, 0_i128);
        for (moment, wanted) in wanted.into_iter().enumerate() {
            sum += wanted;
            let excess = self.rooms.get(moment).map_or(0, |room| (sum - i128::from(*room)).max(0));
            let rise = excess - excess_before;
            excess_before = excess;
            let bytes = u64::try_from(rise.unsigned_abs()).unwrap_or(u64::MAX);
            match rise {
                1.. => graph.add(source, moment, bytes, 0),
                ..0 => graph.add(moment, sink, bytes, 0),
                0 => {}
            }
            if moment > 0 {
                graph.add(moment, moment - 1, u64::MAX / 2, 0);
            }
        }
        let distances = graph.send_all(source, sink);
        distances[..=moments].windows(2).map(|pair| (pair[1] - pair[0]).max(0) as f64 / SCALE).collect()
    }
}

impl Graph {
    fn add(&mut self, from: usize, to: usize, left: u64, cost: i64) {
        self.of_node[from].push(self.edges.len());
        self.edges.push(Edge { to, left, cost });
        self.of_node[to].push(self.edges.len());
        self.edges.push(Edge { to: from, left: 0, cost: -cost });
    }

    /// Sends as much as can be sent, at the least cost; returns each node's distance in the end.
    fn send_all(&mut self, source: usize, sink: usize) -> Vec<i64> {
        let mut distances = vec![0; self.of_node.len()];
        while self.shorten(source, sink, &mut distances) {
            // All shortest paths of this length.
            loop {
                let mut seen = vec![false; self.of_node.len()];
                let mut sent = 0;
                for at in 0..self.of_node[source].len() {
                    let edge = self.of_node[source][at];
                    let (to, left) = (self.edges[edge].to, self.edges[edge].left);
                    if left > 0 && edge.is_multiple_of(2) && distances[to] == distances[source] {
                        let through = self.push(to, sink, left, &distances, &mut seen);
                        self.use_edge(edge, through);
                        sent += through;
                    }
                }
                if sent == 0 {
                    break;
                }
            }
        }
        distances
    }

    /// Adds to `distances` what the shortest paths of what is left are longer. `false`: there is no way any more.
    fn shorten(&self, source: usize, sink: usize, distances: &mut [i64]) -> bool {
        const FAR: i64 = i64::MAX;
        let mut longer = vec![FAR; distances.len()];
        longer[source] = 0;
        let mut queue = BinaryHeap::from([(Reverse(0_i64), source)]);
        while let Some((Reverse(so_far), node)) = queue.pop() {
            if so_far > longer[node] {
                continue;
            }
            for &edge in &self.of_node[node] {
                let Edge { to, left, cost } = self.edges[edge];
                let next = so_far + cost + distances[node] - distances[to];
                if left > 0 && next < longer[to] {
                    longer[to] = next;
                    queue.push((Reverse(next), to));
                }
            }
        }
        let to_sink = longer[sink];
        if to_sink == FAR {
            return false;
        }
        for (distance, longer) in distances.iter_mut().zip(longer) {
            *distance += longer.min(to_sink);
        }
        true
    }

    /// Sends up to `most` from `node` to `sink` along edges of shortest paths; returns how much.
    fn push(&mut self, node: usize, sink: usize, most: u64, distances: &[i64], seen: &mut [bool]) -> u64 {
        // The path so far, and at each node which edge comes next.
        let mut path: Vec<usize> = Vec::new();
        let mut next = vec![(node, 0_usize)];
        seen[node] = true;
        while let Some((at, n)) = next.last_mut() {
            if *at == sink {
                let least = path.iter().map(|edge| self.edges[*edge].left).fold(most, u64::min);
                for edge in path {
                    self.use_edge(edge, least);
                }
                return least;
            }
            let Some(&edge) = self.of_node[*at].get(*n) else {
                next.pop();
                path.pop();
                continue;
            };
            *n += 1;
            let Edge { to, left, cost } = self.edges[edge];
            if left > 0 && !seen[to] && distances[to] == distances[*at] + cost {
                seen[to] = to != sink;
                path.push(edge);
                next.push((to, 0));
            }
        }
        0
    }

    fn use_edge(&mut self, edge: usize, bytes: u64) {
        self.edges[edge].left -= bytes;
        self.edges[edge ^ 1].left += bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arc(from: usize, to: usize, bytes: u64, worth: f64) -> Arc {
        Arc { from, to, bytes, worth }
    }

    #[test]
    fn the_least_worth_goes_where_room_is_scarce() {
        let bound = |rooms: &[u64], arcs: &[Arc]| Cover::new(rooms.to_vec(), arcs.to_vec()).bound();
        assert!((bound(&[], &[]) - 0.0).abs() < 1e-9);
        assert!((bound(&[100], &[arc(0, 1, 60, 1.0), arc(0, 1, 60, 2.0)]) - 160.0).abs() < 1e-6);
        // One that is in the way at both moments against one at each.
        let three = [arc(0, 2, 10, 3.0), arc(0, 1, 10, 2.0), arc(1, 2, 10, 2.0)];
        assert!((bound(&[10, 10], &three) - 40.0).abs() < 1e-6);
        assert!((bound(&[20, 10], &three) - 50.0).abs() < 1e-6);
        assert!((bound(&[20, 20], &three) - 70.0).abs() < 1e-6);
    }
}
