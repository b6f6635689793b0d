//! What the document says that no measurement changes.

pub(super) const HEAD: &str = "\
# Performance

What a get and its return cost, what memory a pool takes, what steering pools costs, and whether that is what was promised. This page is
written by `cargo xtask bench report` from `docs/performance.json`, and `cargo xtask tidy` compares the two. To measure
anew, on a machine that has nothing else to do:

```sh
cargo xtask bench all       # those below, one after the other
cargo xtask bench peers     # against pools and allocators, by CPU time
cargo xtask bench pays      # what a pool says of its own worth
cargo xtask bench control   # what steering pools costs; puts it into this page by itself
cargo xtask bench cost      # instructions per pair, by callgrind
cargo xtask bench report    # this page
```

";

pub(super) const HOW: &str = "
## How it is measured

* A pair is one get of a 1 KiB buffer, one byte written to it, and its return. Ours has everything on that is on by
  default: guard, counters, recycling, retention by use, knobs, one lease in 128 on record, removal from outside.
* The limit is a bare thread-local stack of pointers: no pool can be cheaper. It hands out what it was given, counts
  nothing, and nobody else can reach what it holds.
* Time is the CPU time of the threads that did the work (`CLOCK_THREAD_CPUTIME_ID`). With more threads than cores, wall
  time measures the scheduler. Only the drain of 256 slots is by wall time, because it must not wait for anybody.
* Each round measures every row once in every shape, one row later than the round before. Ratios are taken within a
  round, and their median counts: figures of two runs do not compare, ratios do.
* Across threads one thread gets and another returns. Batches of 64 go through a channel; sending and waiting are not
  timed, and what the hand-over costs beside that is measured with bare pointers in the same round and taken off, so
  a round may come out below zero.
* Peers are used as their documentation says they are best used. Those marked with † created anew on more than 1 % of
  their gets in some shape: there, the figure is not the cost of reuse.
* Memory is what a counting global allocator was asked for, in a process of its own; resident memory is the kernel's.
  A pool is counted with its entry in a registry.
* A tick is driven by hand, on pools that three threads have used; every seventh is in use between two ticks. A slice
  is one turn of dropping, as the controller asks for it. A create that takes back is beside one before which the same
  was taken back untimed, in turns, so that both find the allocator and the caches alike; ratios are of a round's
  sums. A burst of 96 MiB is three fifths of a limit of 160 MiB, and one of 6 MiB stays in the caches.
* Instructions are those of n warm pairs: the total of a process that runs 2n of them minus that of one that runs n.
";
