//! The kernel's word that the wall clock was set: a timer that never fires, but is cancelled by every step.
//!
//! `timerfd` with `CANCEL_ON_SET` wakes its reader when somebody sets the clock or the machine resumes, and stays silent while
//! NTP slews. It costs nothing while nothing happens. Where there is none (another system, a sandbox that refuses the call)
//! [`super::steps`] finds the same a little later.

#[cfg(target_os = "linux")]
use tokio::io::{Interest, unix::AsyncFd};

/// Waits for the wall clock to be set.
pub struct Alarm {
    #[cfg(target_os = "linux")]
    timer: AsyncFd<std::os::fd::OwnedFd>,
    #[cfg(not(target_os = "linux"))]
    never: std::convert::Infallible,
}

/// The instant that the timer waits for, in seconds: the year 2242, which nobody lives to see fire.
#[cfg(target_os = "linux")]
const FAR: i64 = 1 << 33;

#[cfg(target_os = "linux")]
impl Alarm {
    /// Arms one; needs a runtime. `None` where the kernel refuses.
    #[allow(deprecated)] // Its successor is `unsafe` for descriptors that change under it; this one is owned and stays.
    pub fn arm() -> Option<Self> {
        use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};
        let fd = timerfd_create(TimerfdClockId::Realtime, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC).ok()?;
        set(&fd)?;
        AsyncFd::with_interest(fd, Interest::READABLE).ok().map(|timer| Self { timer })
    }

    /// Resolves when the clock was set. `false`: the timer is of no more use.
    pub async fn set(&self) -> bool {
        loop {
            let Ok(mut ready) = self.timer.readable().await else { return false };
            let read = take(self.timer.get_ref());
            ready.clear_ready();
            match read {
                Read::Set => return true,
                // Beyond the year that it waits for a timer fires once and is silent from then on.
                Read::Fired | Read::Nothing => {}
                Read::Broken => return false,
            }
        }
    }

    /// Looks without waiting: an edge that the poll lost is not lost for good.
    pub fn was_set(&self) -> bool {
        matches!(take(self.timer.get_ref()), Read::Set)
    }
}

#[cfg(not(target_os = "linux"))]
impl Alarm {
    /// There is none on this system.
    pub fn arm() -> Option<Self> {
        None
    }

    /// Cannot be called.
    pub async fn set(&self) -> bool {
        match self.never {}
    }

    /// Cannot be called.
    pub fn was_set(&self) -> bool {
        match self.never {}
    }
}

#[cfg(target_os = "linux")]
enum Read {
    Set,
    Fired,
    Nothing,
    Broken,
}

#[cfg(target_os = "linux")]
fn set(fd: &std::os::fd::OwnedFd) -> Option<()> {
    use rustix::time::{Itimerspec, TimerfdTimerFlags, Timespec, timerfd_settime};
    let never = Timespec { tv_sec: 0, tv_nsec: 0 };
    let at = Itimerspec { it_interval: never, it_value: Timespec { tv_sec: FAR, tv_nsec: 0 } };
    timerfd_settime(fd, TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET, &at).ok().map(drop)
}

/// Reads the timer. A cancelled one is armed again by being read: the kernel only reports each change of the clock once.
#[cfg(target_os = "linux")]
fn take(fd: &std::os::fd::OwnedFd) -> Read {
    use rustix::io::Errno;
    let mut count = [0; 8];
    match rustix::io::read(fd, &mut count) {
        Ok(_) => Read::Fired,
        Err(Errno::CANCELED) => Read::Set,
        Err(Errno::AGAIN | Errno::INTR) => Read::Nothing,
        Err(_) => Read::Broken,
    }
}

#[cfg(all(test, target_os = "linux"))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn a_clock_that_nobody_sets_is_silent() {
        let alarm = Alarm::arm().unwrap();
        assert!(!alarm.was_set());
        assert!(tokio::time::timeout(Duration::from_millis(50), alarm.set()).await.is_err(), "it woke although nothing happened");
    }

    /// Only root may set the clock; an expiry takes the same way through the poll, and is read there.
    #[tokio::test]
    async fn the_timer_wakes_who_waits_and_an_expiry_is_read_and_not_taken_for_a_step() {
        use rustix::time::{Itimerspec, TimerfdTimerFlags, Timespec, timerfd_settime};
        let alarm = Alarm::arm().unwrap();
        let fd = alarm.timer.get_ref();
        let soon = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: Timespec { tv_sec: 0, tv_nsec: 20_000_000 } };
        timerfd_settime(fd, TimerfdTimerFlags::empty(), &soon).unwrap();
        assert!(tokio::time::timeout(Duration::from_millis(500), alarm.set()).await.is_err(), "an expiry is no step");
        assert!(matches!(take(fd), Read::Nothing), "nobody woke to read the timer");
    }
}
