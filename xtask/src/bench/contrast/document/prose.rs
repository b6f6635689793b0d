//! What the page says in words.

use crate::bench::contrast::search::LEAST_MIB;

/// What stands above the figures.
pub(super) const HEAD: &str = "\
# The contrast

What pools are good for in the demo's service, and where they are good for nothing: without pools, with pools of a fixed size
and with adaptive ones, beside three allocators. This page is written by `cargo xtask bench contrast` from
`docs/contrast.json`, judgements included, and `cargo xtask tidy` compares the two. To measure anew, as root or in a user
session of systemd, on a machine that has nothing else to do:

```sh
cargo xtask bench contrast            # all of it
cargo xtask bench contrast --report   # this page again, from the figures
```

";

/// How it is measured; `served` is the share that a limit must serve.
pub(super) fn how(served: &str) -> String {
    format!(
        "
## How it is measured

* Every run is `ebbpool demo`: the service in a memory cgroup of its own, the load outside. The binary is built once for each
  allocator, which serves C code in it too.
* **none** has no pools. **fixed** has room for the peak of each endpoint and two fifths more. **fixed-best** is a size of
  fixed pools (per cent of those) that was chosen in hindsight: under the limit of the hindsight, the one that lives and
  reuses most. **adaptive** is told nothing.
* Pools keep what is worth keeping, so their allocator is told to give back what is freed at once, and *none* is measured so
  too: that is what the difference is owed to. Nobody would run a service without pools so; *none, allocator as it comes*
  is the allocator by its own rules, and a pool has to beat the better of the two.
* Requests per second: 16 clients without pauses, three large ingests and an export of one page in turn. The load takes part
  of the same cores. p99, peak and mean are those of the demo's turns of ingest and export at a fixed rate, under a limit at
  which nobody is killed; p99 is beyond what uploads and egress take. Who completes less than {served} there, in some
  round, takes no part in the judgement on p99 and memory: work that is turned away costs neither.
* What is timed runs alone, round by round. A pool wins where its worst round is better than the best round without; a
  difference that is smaller than that is none.
* The smallest limits are halved down by single runs under the same turns, and then confirmed in as many runs as the table
  says. Adaptive pools shed what does not fit, so they live under limits at which they do not serve everybody: what was
  completed there stands beside it, and the smallest limit at which none is killed and {served} are completed in each run
  stands by itself. Who wins is judged by the latter. Both are searched from {LEAST_MIB} MiB on, which may be more than it
  takes: ≤ {LEAST_MIB}.
"
    )
}
