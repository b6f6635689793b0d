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

/// Costs are whole numbers in here, so that shortest paths are exact. A power of two, so that rounding leaves the ratios
/// of usual worths as they are: else there were as many different lengths of paths as there are paths.
const SCALE: f64 = (1_u64 << 40) as f64;
/// No way costs more: what is added up on the way stays within its number.
const COST_MAX: f64 = (1_u64 << 60) as f64;

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
        let scale = self.scale();
        let mut graph = Graph { edges: Vec::new(), of_node: vec![Vec::new(); moments + 3] };
        let mut wanted = vec![0_i128; moments + 1];
        for arc in &self.arcs {
            #[allow(clippy::cast_possible_truncation, reason = "the scale has room for a whole way")]
            graph.add(arc.from, arc.to, arc.bytes, (arc.worth * scale).round() as i64);
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
        distances[..=moments].windows(2).map(|pair| (pair[1] - pair[0]).max(0) as f64 / scale).collect()
    }

    /// What a cost of 1 is multiplied by: [`SCALE`], or a smaller power of two where objects are light and long in the making. A way comes by
    /// each moment once.
    fn scale(&self) -> f64 {
        let dearest = self.arcs.iter().map(|arc| arc.worth).fold(0.0, f64::max);
        let way = self.arcs.len().min(self.rooms.len() + 3) as f64;
        let mut scale = SCALE;
        while scale * dearest * way > COST_MAX {
            scale /= 2.0;
        }
        scale
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
            // Along all shortest paths of this length. A sweep may pass a way by because it lay on its own path; the
            // next one finds it.
            while self.sweep(source, sink, &distances) > 0 {}
        }
        distances
    }

    /// Sends along shortest paths until it finds none; returns how much.
    fn sweep(&mut self, source: usize, sink: usize, distances: &[i64]) -> u64 {
        let mut sent = 0;
        // Of each node, the first edge that may still lead on; and which nodes are on the path.
        let mut first = vec![0_usize; self.of_node.len()];
        let mut on_path = vec![false; self.of_node.len()];
        let (mut node, mut path) = (source, Vec::new());
        on_path[source] = true;
        loop {
            if node == sink {
                sent += self.use_path(&path);
                for edge in path.drain(..) {
                    on_path[self.edges[edge].to] = false;
                }
                node = source;
                continue;
            }
            let leads_on = |edge: usize| {
                let Edge { to, left, cost } = self.edges[edge];
                left > 0 && !on_path[to] && distances[to] == distances[node] + cost
            };
            let edges = &self.of_node[node];
            first[node] += edges[first[node]..].iter().take_while(|edge| !leads_on(**edge)).count();
            if let Some(&edge) = edges.get(first[node]) {
                path.push(edge);
                node = self.edges[edge].to;
                on_path[node] = true;
            } else if let Some(edge) = path.pop() {
                // A dead end: it stays marked, and the one before goes on with its next edge.
                node = self.edges[edge ^ 1].to;
                first[node] += 1;
            } else {
                return sent;
            }
        }
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

    /// Sends along a path what fits through it.
    fn use_path(&mut self, path: &[usize]) -> u64 {
        let least = path.iter().map(|edge| self.edges[*edge].left).min().unwrap_or(0);
        for edge in path {
            self.edges[*edge].left -= least;
            self.edges[edge ^ 1].left += least;
        }
        least
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
