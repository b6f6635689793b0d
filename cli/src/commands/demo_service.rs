//! `ebbpool demo-service`: the child of a demo. Hidden: it is started by the demo, not by people.

use crate::demo::process::{self, ServiceOptions};
use crate::demo::service::PoolsMode;
use crate::failure::Failure;
use crate::units;
use clap::Args;
use pool_chaos::broken::Broken;
use std::net::SocketAddr;
use std::path::PathBuf;

/// What the child is told.
#[derive(Debug, Args)]
pub(crate) struct DemoServiceArgs {
    #[arg(long, value_enum)]
    pools: PoolsMode,
    #[arg(long, default_value_t = 100)]
    fixed_percent: u32,
    #[arg(long)]
    allocator_defaults: bool,
    #[arg(long)]
    admin: SocketAddr,
    #[arg(long, value_parser = units::size)]
    simulated_limit: Option<u64>,
    #[arg(long)]
    faults: bool,
    #[arg(long, value_parser = broken)]
    broken: Option<Broken>,
    #[arg(long)]
    postmortem: Option<PathBuf>,
}

fn broken(name: &str) -> Result<Broken, pool_chaos::Refused> {
    Broken::parse("broken", name)
}

/// Runs the child to its end.
pub(crate) fn run(args: &DemoServiceArgs) -> Result<(), Failure> {
    let DemoServiceArgs {
        pools,
        fixed_percent,
        allocator_defaults,
        admin,
        simulated_limit,
        faults,
        broken,
        ref postmortem,
    } = *args;
    let postmortem = postmortem.clone();
    process::run(&ServiceOptions {
        pools,
        fixed_percent,
        allocator_defaults,
        admin,
        simulated_limit_bytes: simulated_limit,
        faults,
        broken,
        postmortem,
    })
}
