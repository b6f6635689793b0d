//! A demo from its start to its summary: watches the session, shows it, arms the fault, notices every end.

use super::child::Fall;
use super::fault::{self, Fault};
use super::load::ledger::{Delays, Ledger, Totals, Windows};
use super::load::plan::Shape;
use super::outcome::{Course, End, conclude, summarize};
use super::recovery::Sample;
use super::service::PoolsMode;
use super::session::{Ended, Limit, Session, SessionOptions};
use super::story::Story;
use super::terminal::Screen;
use super::terminal::frame::Status;
use super::watching::Seen;
use crate::failure::Failure;
use crate::interruption::Interruption;
use crate::service::Client;
use crate::units::exact_size;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

/// What a demo is told.
#[derive(Clone, Debug)]
pub(crate) struct DemoOptions {
    /// What runs.
    pub(crate) session: SessionOptions,
    /// How the load changes.
    pub(crate) load: Shape,
    /// How long; `None`: until it is interrupted.
    pub(crate) run: Option<Duration>,
    /// Another limit, from a time on.
    pub(crate) limit_after: Option<LimitAfter>,
    /// A fault during the run.
    pub(crate) fault: Option<Fault>,
    /// Nothing but the summary as JSON.
    pub(crate) json: bool,
}

/// A limit that changes while the service runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LimitAfter {
    /// From the start of the load.
    pub(crate) from: Duration,
    /// The limit from then on.
    pub(crate) bytes: u64,
}

/// How often the status is redrawn and a sample is kept.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Rates and delays are those of a second, or of the looks that are nearest to it.
const SECOND: Duration = Duration::from_millis(950);

/// From a connection that breaks off to the end of the process that had it.
const FALL_TIME_MAX: Duration = Duration::from_secs(2);

/// Runs a demo. Says everything on stdout; the summary comes last.
///
/// # Errors
/// [`Failure::Usage`] if it cannot begin, [`Failure::Run`] if it did not hold what it claims.
pub(crate) async fn run(options: DemoOptions) -> Result<(), Failure> {
    // Before anything exists that an interruption would have to clean up.
    let mut interruption =
        Interruption::new().map_err(|e| Failure::usage(format!("cannot catch signals: {e}")))?;
    let mut screen = Screen::new(options.json);
    let session = tokio::select! {
        session = Session::start_with(options.session.clone(), options.load) => session?,
        () = interruption.comes() => return Err(Failure::run("interrupted before the service served")),
    };
    let page = format!("http://{}/", session.admin());
    screen.introduce(&page);
    let mut demo = Demo::new(&options, session, page, screen);
    let end = demo.watch(&mut interruption).await;
    let Demo { session, mut screen, course, .. } = demo;
    let ended = tokio::select! {
        ended = finish(session, &end) => ended,
        // A second Ctrl-C does not wait; the child is killed and the group removed as the session is dropped.
        () = interruption.comes() => return Err(Failure::run("interrupted twice: ended without a summary")),
    };
    let summary = summarize(&options, &end, &ended, &course);
    conclude(&options, &end, &ended, &summary, &mut screen)
}

async fn finish(session: Session, end: &End) -> Ended {
    match end {
        End::Time | End::Interrupted => session.end().await,
        End::Killed(_) | End::Broken(_) => session.end_after_fall().await,
    }
}

struct Demo<'a> {
    options: &'a DemoOptions,
    title: String,
    page: String,
    session: Session,
    screen: Screen,
    client: Client,
    story: Story,
    second: Second,
    course: Course,
}

/// Rates and delays of the last second.
struct Second {
    began: Instant,
    totals: Totals,
    windows: Windows,
    rates: Totals,
    delays: Delays,
}

impl<'a> Demo<'a> {
    fn new(options: &'a DemoOptions, session: Session, page: String, screen: Screen) -> Self {
        let client = Client::new(session.admin());
        let second = Second {
            began: Instant::now(),
            totals: Totals::default(),
            windows: session.ledger().windows(),
            rates: Totals::default(),
            delays: Delays::default(),
        };
        Self {
            options,
            title: title(options, &session),
            page,
            session,
            screen,
            client,
            story: Story::default(),
            second,
            course: Course::default(),
        }
    }

    /// Until the run ends, by whatever.
    async fn watch(&mut self, interruption: &mut Interruption) -> End {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = interruption.comes() => return End::Interrupted,
                fall = self.session.fall() => return self.fallen(fall),
                _ = looks.tick() => {}
            }
            let elapsed = self.session.elapsed();
            if self.options.run.is_some_and(|run| elapsed >= run) {
                return End::Time;
            }
            if self.screen.is_closed() {
                return End::Interrupted;
            }
            if let Err(e) = self.change_limit(elapsed) {
                return End::Broken(format!("the change of the limit: {e:#}"));
            }
            if let Err(e) = self.fault(elapsed).await {
                // A child that is being killed lets go of its connections first.
                return match timeout(FALL_TIME_MAX, self.session.fall()).await {
                    Ok(fall) => self.fallen(fall),
                    Err(_stands) => End::Broken(format!("the fault: {e:#}")),
                };
            }
            let whole_second = self.second.pass(self.session.ledger());
            let seen = self.session.latest();
            self.tell(elapsed, seen.as_deref());
            self.keep(elapsed, seen.as_deref(), self.second.delays.p99_ms);
            let fault = self.options.fault.as_ref().filter(|_| self.is_armed()).map(Fault::flag);
            let status = Status {
                title: &self.title,
                page: &self.page,
                elapsed,
                run: self.options.run,
                rates: self.second.rates,
                delays: self.second.delays,
                seen: seen.as_deref(),
                fault,
            };
            self.screen.draw(&status, whole_second);
        }
    }

    /// What a fall was: a kill by the kernel only if its own count says so.
    fn fallen(&self, fall: std::io::Result<Fall>) -> End {
        let after = self.session.elapsed();
        match (fall, self.session.oom_kills()) {
            (Ok(Fall::Sigkill), Ok(kills)) if kills > 0 => End::Killed(after),
            (Ok(Fall::Sigkill), Ok(_)) => End::Broken(
                "the service was killed by SIGKILL, but the kernel counts no kill for memory".to_owned(),
            ),
            (Ok(fall), Ok(_)) => End::Broken(format!("the service ended by itself: {fall:?}")),
            (Err(e), _) => End::Broken(format!("cannot wait for the service: {e}")),
            (_, Err(e)) => {
                End::Broken(format!("the service fell, and the kernel's count is not readable: {e:#}"))
            }
        }
    }

    const fn is_armed(&self) -> bool {
        self.course.armed_at.is_some() && self.course.disarmed_at.is_none()
    }

    /// Changes the limit when the time has come, and tries again while the kernel refuses.
    fn change_limit(&mut self, elapsed: Duration) -> anyhow::Result<()> {
        let due = self.options.limit_after.filter(|after| elapsed >= after.from);
        let Some(after) = due.filter(|_| self.course.limit_changed_at.is_none()) else { return Ok(()) };
        if self.session.set_limit(after.bytes)? {
            self.course.limit_changed_at = Some(elapsed);
            let said =
                format!("{:>6.1} s  the limit is {} now", elapsed.as_secs_f64(), exact_size(after.bytes));
            self.screen.say(&said);
        }
        Ok(())
    }

    /// Arms and disarms when the time has come, and asks what the fault has done.
    async fn fault(&mut self, elapsed: Duration) -> anyhow::Result<()> {
        let Some(fault) = &self.options.fault else { return Ok(()) };
        if self.course.armed_at.is_none() && elapsed >= fault.from {
            fault.arm(&mut self.client).await?;
            self.course.armed_at = Some(elapsed);
            self.screen.say(&format!("{:>6.1} s  {} armed", elapsed.as_secs_f64(), fault.flag()));
        }
        if self.is_armed() {
            self.course.struck = fault::struck(fault.name(), &mut self.client).await?;
            if elapsed >= fault.until {
                fault.disarm(&mut self.client).await?;
                self.course.struck = fault::struck(fault.name(), &mut self.client).await?;
                self.course.disarmed_at = Some(elapsed);
                let hits = self.course.struck.hits;
                self.screen.say(&format!(
                    "{:>6.1} s  {} disarmed after {hits} hits",
                    elapsed.as_secs_f64(),
                    fault.flag()
                ));
            }
        }
        Ok(())
    }

    /// Lines that stay: what the child says, and turns of the story.
    fn tell(&mut self, elapsed: Duration, seen: Option<&Seen>) {
        while let Some(line) = self.session.said() {
            if self.options.json {
                eprintln!("{line}");
            } else {
                self.screen.say(&line);
            }
        }
        for line in seen.map(|seen| self.story.go_on(&seen.memory)).unwrap_or_default() {
            self.screen.say(&format!("{:>6.1} s  {line}", elapsed.as_secs_f64()));
        }
    }

    /// Usage for its mean; samples are only needed to judge a recovery; a run that lasts for days keeps none.
    fn keep(&mut self, elapsed: Duration, seen: Option<&Seen>, p99_ms: f64) {
        if let Some(bytes) = seen.and_then(|seen| seen.memory.usage_bytes) {
            self.course.usage.add(bytes);
        }
        let (Some(_), Some(seen)) = (&self.options.fault, seen) else { return };
        let ratio = |usage: u64, limit: u64| usage as f64 / limit as f64;
        let usage_ratio =
            seen.memory.usage_bytes.zip(seen.memory.limit_bytes).map_or(0.0, |(u, l)| ratio(u, l));
        let pool = seen.pools.pools.get(fault::MISSING_PUT_POOL);
        self.course.samples.push(Sample {
            t_s: elapsed.as_secs_f64(),
            gets: seen.pools.gets(),
            usage_ratio,
            p99_ms,
            lost_estimate: pool.map_or(0, |pool| pool.lost_estimate),
            suspects: pool.map(|p| p.suspects.iter().map(|s| s.site.clone()).collect()).unwrap_or_default(),
        });
    }
}

impl Second {
    /// Takes stock if a second is over; returns whether it is.
    fn pass(&mut self, ledger: &Ledger) -> bool {
        let length = self.began.elapsed();
        if length < SECOND {
            return false;
        }
        let (now, then) = (ledger.totals(), self.totals);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts of a second")]
        let rate = |now: u64, then: u64| ((now - then) as f64 / length.as_secs_f64()).round() as u64;
        self.rates = Totals {
            offered: rate(now.offered, then.offered),
            completed: rate(now.completed, then.completed),
            shed: rate(now.shed, then.shed),
            errors: rate(now.errors, then.errors),
            timeouts: rate(now.timeouts, then.timeouts),
        };
        self.delays = self.windows.next(ledger);
        self.totals = now;
        self.began += length;
        true
    }
}

fn title(options: &DemoOptions, session: &Session) -> String {
    let pools = match options.session.pools {
        PoolsMode::None => "no pools",
        PoolsMode::Fixed => "fixed pools",
        PoolsMode::Adaptive => "adaptive pools",
    };
    match (options.session.limit, session.limit_held_by()) {
        (Limit::Real(bytes), by) => {
            format!("Ebbpool demo · {pools} · limit {} (real, {})", exact_size(bytes), by.unwrap_or("kernel"))
        }
        (Limit::Simulated(bytes), _) => {
            format!("Ebbpool demo · {pools} · {} simulated limit: nothing will be killed", exact_size(bytes))
        }
    }
}
