//! The time that the program waits in and measures by: that of the machine, or one that only passes while everybody waits.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// How often everybody else gets a turn before a virtual clock believes that they all wait. What a task does between two waits takes
/// one or two; the rest is for the tasks behind a connection.
const TURNS_BEFORE_TIME_PASSES: usize = 8;

/// A clock. Clones show the same time.
///
/// The paused time of tokio is no use with real connections: it runs ahead while an answer is on its way. A virtual clock is told what is
/// on its way ([`Clock::busy`]), and goes to the end of the shortest wait when nothing is.
#[derive(Debug, Clone, Default)]
pub struct Clock(Option<Arc<Virtual>>);

#[derive(Debug)]
struct Virtual {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    now: Instant,
    /// What is on its way, less what of it waits for this clock.
    busy: isize,
    /// When those who wait go on, each with a number of its own.
    waits: BTreeSet<(Instant, u64)>,
    waits_begun: u64,
}

impl Clock {
    /// The clock of the machine.
    pub const fn of_machine() -> Self {
        Self(None)
    }

    /// A clock on which hours pass as soon as nobody does anything but wait, so that long runs can be tried out.
    pub fn of_waits() -> Self {
        Self(Some(Arc::new(Virtual {
            state: Mutex::new(State {
                now: Instant::now(),
                busy: 0,
                waits: BTreeSet::new(),
                waits_begun: 0,
            }),
            changed: Notify::new(),
        })))
    }

    /// The time.
    pub fn now(&self) -> Instant {
        match &self.0 {
            None => Instant::now(),
            Some(clock) => clock.lock().now,
        }
    }

    /// Waits for so long.
    pub async fn sleep(&self, wait: Duration) {
        self.sleep_until(self.now() + wait).await;
    }

    /// Waits until a moment.
    pub async fn sleep_until(&self, moment: Instant) {
        match &self.0 {
            None => tokio::time::sleep_until(moment).await,
            Some(clock) => Wait::begin(clock, moment, 0).end().await,
        }
    }

    /// Waits in the course of something that somebody else is busy with: a service that takes its time to answer.
    pub async fn delay(&self, wait: Duration) {
        match &self.0 {
            None => tokio::time::sleep(wait).await,
            Some(clock) => {
                let moment = clock.lock().now + wait;
                Wait::begin(clock, moment, 1).end().await;
            }
        }
    }

    /// Keeps a virtual clock from going on until what is returned is dropped: something is on its way, and only the machine knows
    /// when it arrives.
    #[must_use = "it ends when it is dropped"]
    pub fn busy(&self) -> Busy {
        if let Some(clock) = &self.0 {
            clock.lock().busy += 1;
        }
        Busy(self.0.clone())
    }
}

impl Virtual {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Something that is on its way.
#[derive(Debug)]
pub struct Busy(Option<Arc<Virtual>>);

impl Drop for Busy {
    fn drop(&mut self) {
        if let Some(clock) = &self.0 {
            clock.lock().busy -= 1;
            clock.changed.notify_waiters();
        }
    }
}

/// Somebody who waits on a virtual clock, and brings it on if nobody else does anything.
struct Wait<'a> {
    clock: &'a Virtual,
    place: (Instant, u64),
    /// How much of what is on its way is this wait.
    busy: isize,
}

impl<'a> Wait<'a> {
    fn begin(clock: &'a Virtual, until: Instant, busy: isize) -> Self {
        let mut state = clock.lock();
        state.waits_begun += 1;
        let place = (until, state.waits_begun);
        state.waits.insert(place);
        state.busy -= busy;
        drop(state);
        clock.changed.notify_waiters();
        Self { clock, place, busy }
    }

    async fn end(self) {
        loop {
            // Asked for before the state is looked at, so that no change is missed.
            let changed = self.clock.changed.notified();
            let (is_over, is_due) = {
                let state = self.clock.lock();
                (self.place.0 <= state.now, self.is_due(&state))
            };
            if is_over {
                return;
            }
            if is_due {
                self.pass_time().await;
            } else {
                changed.await;
            }
        }
    }

    fn is_due(&self, state: &State) -> bool {
        state.busy <= 0 && state.waits.first() == Some(&self.place)
    }

    /// Brings the clock on to the end of this wait, unless somebody still does something.
    async fn pass_time(&self) {
        for _ in 0..TURNS_BEFORE_TIME_PASSES {
            tokio::task::yield_now().await;
            if !self.is_due(&self.clock.lock()) {
                return;
            }
        }
        let mut state = self.clock.lock();
        if self.is_due(&state) {
            state.now = state.now.max(self.place.0);
            drop(state);
            self.clock.changed.notify_waiters();
        }
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        let mut state = self.clock.lock();
        state.waits.remove(&self.place);
        state.busy += self.busy;
        drop(state);
        self.clock.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    #[tokio::test]
    async fn hours_pass_at_once_when_everybody_waits() {
        let clock = Clock::of_waits();
        let (begun, really) = (clock.now(), Instant::now());
        let order = AtomicU32::new(0);
        let wait = async |hours: u32| {
            clock.sleep(HOUR * hours).await;
            assert_eq!(order.fetch_add(1, Ordering::SeqCst) + 1, hours);
            assert_eq!(clock.now() - begun, HOUR * hours);
        };
        tokio::join!(wait(3), wait(1), wait(2));
        assert!(really.elapsed() < HOUR);
    }

    #[tokio::test]
    async fn no_time_passes_while_something_is_on_its_way() {
        let clock = Clock::of_waits();
        let begun = clock.now();
        let (tell, told) = tokio::sync::oneshot::channel();
        let service = {
            let clock = clock.clone();
            tokio::spawn(async move {
                // The service takes its time on the same clock, which that alone does not keep from going on.
                clock.delay(HOUR).await;
                tokio::time::sleep(Duration::from_millis(20)).await;
                let _ = tell.send(());
            })
        };
        let ask = async {
            let busy = clock.busy();
            told.await.unwrap();
            drop(busy);
            clock.now() - begun
        };
        let (arrived, ()) = tokio::join!(ask, clock.sleep(2 * HOUR));
        assert_eq!(arrived, HOUR);
        assert_eq!(clock.now() - begun, 2 * HOUR);
        service.await.unwrap();
    }

    #[tokio::test]
    async fn a_wait_that_is_given_up_holds_nobody_up() {
        let clock = Clock::of_waits();
        let begun = clock.now();
        tokio::select! {
            () = clock.sleep(HOUR) => panic!("the shorter one is over first"),
            () = clock.sleep(HOUR / 2) => {}
        }
        clock.sleep(HOUR).await;
        assert_eq!(clock.now() - begun, HOUR + HOUR / 2);
    }
}
