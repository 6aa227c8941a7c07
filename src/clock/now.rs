//! Where "now" comes from: the machine's clocks, one that tests move by hand, and one that follows tokio's paused time.

use crate::domain::{Boot, Stamp, Time, Wall};
use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant, UNIX_EPOCH},
};

/// The clocks of this machine. The boot clock counts through suspend on Linux; elsewhere it counts from the start of the
/// process and may stand still while the machine sleeps.
#[derive(Debug)]
pub struct SystemTime {
    boot_id: u64,
    started: Instant,
}

impl SystemTime {
    /// Reads the identity of this boot once; where there is none, this process stands for the boot.
    pub fn new() -> Self {
        let boot_id = std::fs::read("/proc/sys/kernel/random/boot_id").ok().filter(|b| !b.is_empty()).unwrap_or_else(|| {
            let wall = std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            format!("{}-{}", std::process::id(), wall.as_nanos()).into_bytes()
        });
        Self { boot_id: crate::domain::ids::fnv(&boot_id), started: Instant::now() }
    }

    #[cfg(target_os = "linux")]
    fn boot(&self) -> Boot {
        let t = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let ms = t.tv_sec.saturating_mul(1000).saturating_add(t.tv_nsec / 1_000_000);
        // The clock exists since Linux 2.6.39; a reading of zero would mean "just booted".
        Boot(u64::try_from(ms).unwrap_or_else(|_| millis(self.started.elapsed())))
    }

    #[cfg(not(target_os = "linux"))]
    fn boot(&self) -> Boot {
        Boot(millis(self.started.elapsed()))
    }
}

impl Default for SystemTime {
    fn default() -> Self {
        Self::new()
    }
}

/// Readings of two clocks that lie further apart than this do not belong together: something else ran in between.
const APART: Duration = Duration::from_millis(20);

impl Time for SystemTime {
    fn now(&self) -> Stamp {
        let mut before = self.boot();
        let mut tries = 0;
        loop {
            let wall = wall_of(std::time::SystemTime::now());
            let boot = self.boot();
            tries += 1;
            // A process that is stopped between the two readings would see a step that nobody made.
            if boot.since(before) <= APART || tries >= 5 {
                return Stamp { wall, boot: Some((self.boot_id, boot)) };
            }
            before = boot;
        }
    }

    #[cfg(target_os = "linux")]
    fn asleep(&self) -> Duration {
        let awake = || {
            let t = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
            Boot(u64::try_from(t.tv_sec.saturating_mul(1000).saturating_add(t.tv_nsec / 1_000_000)).unwrap_or(u64::MAX))
        };
        // The boot clock first: a pause between the two makes the sleep look shorter, never longer.
        let (boot, awake) = (self.boot(), awake());
        boot.since(awake)
    }
}

fn wall_of(t: std::time::SystemTime) -> Wall {
    Wall(match t.duration_since(UNIX_EPOCH) {
        Ok(d) => i64::try_from(d.as_millis()).unwrap_or(i64::MAX),
        Err(e) => i64::try_from(e.duration().as_millis()).map_or(i64::MIN, |ms| -ms),
    })
}

fn millis(d: Duration) -> u64 {
    u64::try_from(d.as_millis()).unwrap_or(u64::MAX)
}

/// 2026-11-21 12:00:00 UTC: where the clocks of tests begin, later than the build floor.
pub const TEST_WALL: Wall = Wall(1_795_262_400_000);

/// A clock for tests: wall and boot time move only when told to, each on its own.
#[derive(Debug)]
pub struct ManualTime(Mutex<(Stamp, Duration)>);

impl ManualTime {
    /// Begins at [`TEST_WALL`], an hour after boot 1.
    pub fn new() -> Self {
        Self::at(TEST_WALL)
    }
    /// Begins at `wall`, an hour after boot 1.
    pub fn at(wall: Wall) -> Self {
        Self(Mutex::new((Stamp { wall, boot: Some((1, Boot(3_600_000))) }, Duration::ZERO)))
    }
    fn change(&self, f: impl FnOnce(&mut Stamp)) {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).0);
    }
    /// The machine sleeps: both clocks go on, only the time that it was awake does not.
    pub fn sleep(&self, d: Duration) {
        self.advance(d);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1 += d;
    }
    /// Lets time pass on both clocks.
    pub fn advance(&self, d: Duration) {
        self.change(|s| {
            s.wall = s.wall.plus_ms(i64::try_from(d.as_millis()).unwrap_or(i64::MAX));
            s.boot = s.boot.map(|(id, b)| (id, b.plus(d)));
        });
    }
    /// Somebody sets the wall clock forward (or back, when negative); the boot clock does not notice.
    pub fn step_wall(&self, ms: i64) {
        self.change(|s| s.wall = s.wall.plus_ms(ms));
    }
    /// Sets the wall clock.
    pub fn set_wall(&self, wall: Wall) {
        self.change(|s| s.wall = wall);
    }
    /// Sets the boot clock within the same boot.
    pub fn set_boot(&self, boot: Boot) {
        self.change(|s| s.boot = s.boot.map(|(id, _)| (id, boot)));
    }
    /// The machine was started anew.
    pub fn reboot(&self) {
        self.change(|s| s.boot = s.boot.map(|(id, _)| (id + 1, Boot(0))));
    }
}

impl Default for ManualTime {
    fn default() -> Self {
        Self::new()
    }
}

impl Time for ManualTime {
    fn now(&self) -> Stamp {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0
    }
    fn asleep(&self) -> Duration {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1
    }
}

/// A clock that follows `tokio::time`, so that tests with paused time move it by sleeping; the wall clock can be stepped.
#[derive(Debug)]
pub struct TokioTime {
    began: tokio::time::Instant,
    wall: Mutex<Wall>,
    slept: Mutex<Duration>,
}

impl TokioTime {
    /// Begins at [`TEST_WALL`], an hour after boot 1.
    pub fn new() -> Self {
        Self::at(TEST_WALL)
    }
    /// Begins at `wall`, an hour after boot 1.
    pub fn at(wall: Wall) -> Self {
        Self { began: tokio::time::Instant::now(), wall: Mutex::new(wall), slept: Mutex::default() }
    }
    /// The machine sleeps: wall and boot clock go on, tokio's timers do not.
    pub fn sleep(&self, d: Duration) {
        *self.slept.lock().unwrap_or_else(PoisonError::into_inner) += d;
    }
    /// Somebody sets the wall clock forward (or back, when negative).
    pub fn step_wall(&self, ms: i64) {
        let mut wall = self.wall.lock().unwrap_or_else(PoisonError::into_inner);
        *wall = wall.plus_ms(ms);
    }
}

impl Default for TokioTime {
    fn default() -> Self {
        Self::new()
    }
}

impl Time for TokioTime {
    fn now(&self) -> Stamp {
        let passed = self.began.elapsed() + self.asleep();
        let wall = *self.wall.lock().unwrap_or_else(PoisonError::into_inner);
        Stamp { wall: wall.plus_ms(i64::try_from(passed.as_millis()).unwrap_or(i64::MAX)), boot: Some((1, Boot(3_600_000).plus(passed))) }
    }
    fn asleep(&self) -> Duration {
        *self.slept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machines_boot_clock_never_runs_backwards_and_keeps_its_identity() {
        let t = SystemTime::new();
        let (a, b) = (t.now(), t.now());
        assert_eq!(a.boot.map(|x| x.0), b.boot.map(|x| x.0));
        assert!(b.boot_now() >= a.boot_now());
        assert_eq!(SystemTime::new().now().boot.map(|x| x.0), SystemTime::new().now().boot.map(|x| x.0), "two readers must agree on the boot");
    }

    #[test]
    fn a_stepped_wall_clock_leaves_the_boot_clock_alone() {
        let t = ManualTime::new();
        let before = t.now();
        t.step_wall(-3_600_000);
        t.advance(Duration::from_secs(2));
        let after = t.now();
        assert_eq!(after.wall.0 - before.wall.0, -3_598_000);
        assert_eq!(after.age(&after), Duration::ZERO);
        assert_eq!(before.age(&after), Duration::from_secs(2));
    }

    #[tokio::test(start_paused = true)]
    async fn tokio_time_moves_by_sleeping_only() {
        let t = TokioTime::new();
        let a = t.now();
        tokio::time::sleep(Duration::from_secs(45)).await;
        assert_eq!(a.age(&t.now()), Duration::from_secs(45));
    }
}
