//! When the next request to a service may go out: not while it asks to wait, and more slowly the nearer one of its limits is.
//!
//! It looks at no clock and waits for nothing.

use std::time::Duration;

use tokio::time::Instant;

use super::Class;

/// From this share of a limit on less is sent. Graph says how much is used from here on.
const SLOWER_FROM: f64 = 0.8;

/// How much of the way from there to the limit counts at most.
const NEAREST: f64 = 0.9;

/// How much of the distance is kept when a request goes through and nothing is said of a limit.
const KEPT: f64 = 0.9;

/// More than anybody waits for.
const LONGEST_PAUSE: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Whether a request may go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clearance {
    /// Now.
    Now,
    /// Not before this moment, at which it is to ask again.
    NotBefore(Instant),
    /// Not as long as this program waits: the service asked for so much more.
    ComeBackLater(Duration),
}

/// What a service said about how much it takes.
#[derive(Debug, Default)]
pub(super) struct Pacing {
    /// Until when it takes nothing.
    paused_until: Option<Instant>,
    /// Whether that is longer than this program waits.
    is_closed: bool,
    reads: Lane,
    writes: Lane,
    invitations: Lane,
}

/// Requests that count against the same limit. Graph counts reads, writes and invitations each for themselves.
#[derive(Debug, Default)]
struct Lane {
    last: Option<Instant>,
    /// How far apart the requests are.
    distance: Duration,
    /// Whether the service ever said that a limit is near, so that it means something when it does not.
    is_told: bool,
}

impl Pacing {
    /// Nothing goes out for so long. What is longer than `longest` nobody waits for.
    pub(super) fn pause(&mut self, now: Instant, wait: Duration, longest: Duration) {
        // A service may ask for more than a clock can hold.
        let until = now + wait.min(LONGEST_PAUSE);
        if self.paused_until.is_none_or(|earlier| earlier < until) {
            self.paused_until = Some(until);
        }
        self.is_closed |= wait > longest;
    }

    /// How much longer nothing goes out.
    pub(super) fn paused_for(&self, now: Instant) -> Option<Duration> {
        let left = self.paused_until?.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }

    /// Asks for leave to send a request, which is taken to be sent if that is given.
    pub(super) fn clear(&mut self, class: Class, now: Instant) -> Clearance {
        if let Some(left) = self.paused_for(now) {
            return if self.is_closed {
                Clearance::ComeBackLater(left)
            } else {
                Clearance::NotBefore(now + left)
            };
        }
        self.is_closed = false;
        let Some(lane) = self.lane(class) else {
            return Clearance::Now;
        };
        match lane.last.map(|last| last + lane.distance) {
            Some(next) if next > now => Clearance::NotBefore(next),
            _ => {
                lane.last = Some(now);
                Clearance::Now
            }
        }
    }

    /// A request went through in such a time, and the service may have said how much of a limit is used.
    ///
    /// The distance grows the faster the nearer the limit is, so that somewhere below it no more goes out than what becomes free
    /// meanwhile, whatever the limit is. Where a service that has warned before does not warn, one answer is waited for and then less
    /// and less.
    pub(super) fn note_went_through(
        &mut self,
        class: Class,
        share: Option<f64>,
        took: Duration,
        unit: Duration,
    ) {
        let Some(lane) = self.lane(class) else { return };
        lane.distance = match share.filter(|share| *share >= SLOWER_FROM) {
            Some(share) => {
                lane.is_told = true;
                at((share - SLOWER_FROM) / (1.0 - SLOWER_FROM), unit)
            }
            None if lane.is_told => lane.distance.min(took).mul_f64(KEPT),
            None => lane.distance.mul_f64(KEPT),
        };
    }

    /// A request was refused because a limit is reached: those after it come further apart, even where the service does not say how
    /// near its limits are, and there the first after the wait as well: what the service asks to wait lets one through and not a whole
    /// batch. Those that were on their way meanwhile tell nothing new.
    pub(super) fn note_throttled(
        &mut self,
        class: Class,
        now: Instant,
        wait: Duration,
        unit: Duration,
    ) {
        if self.paused_for(now).is_some() {
            return;
        }
        let Some(lane) = self.lane(class) else { return };
        lane.distance = (lane.distance * 2).max(unit).min(at(NEAREST, unit));
        if !lane.is_told {
            lane.last = Some(now + wait.min(LONGEST_PAUSE));
        }
    }

    fn lane(&mut self, class: Class) -> Option<&mut Lane> {
        match class {
            Class::Read => Some(&mut self.reads),
            Class::RepeatableWrite => Some(&mut self.writes),
            Class::Invitation => Some(&mut self.invitations),
            Class::Login | Class::MachineLogin => None,
        }
    }
}

/// How far apart requests are so far on the way to a limit.
fn at(way: f64, unit: Duration) -> Duration {
    let way = way.min(NEAREST);
    unit.mul_f64(way / (1.0 - way))
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIT: Duration = Duration::from_millis(500);
    const TOOK: Duration = Duration::from_millis(200);
    const LONGEST: Duration = Duration::from_secs(300);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_pause_is_for_everybody_and_the_longest_one_counts() {
        let now = Instant::now();
        let mut pacing = Pacing::default();
        pacing.pause(now, seconds(10), LONGEST);
        pacing.pause(now, seconds(5), LONGEST);
        for class in [Class::Read, Class::RepeatableWrite, Class::Invitation] {
            let clearance = pacing.clear(class, now + seconds(9));
            assert_eq!(clearance, Clearance::NotBefore(now + seconds(10)));
        }
        assert_eq!(pacing.paused_for(now + seconds(9)), Some(seconds(1)));
        let over = now + seconds(10);
        assert_eq!(pacing.clear(Class::Read, over), Clearance::Now);
        assert_eq!(pacing.paused_for(over), None);
    }

    #[test]
    fn who_is_asked_to_come_back_later_than_anybody_waits_asks_nothing_more() {
        let now = Instant::now();
        let mut pacing = Pacing::default();
        pacing.pause(now, seconds(301), LONGEST);
        let clearance = pacing.clear(Class::Read, now + seconds(300));
        assert_eq!(clearance, Clearance::ComeBackLater(seconds(1)));
        let over = now + seconds(301);
        assert_eq!(pacing.clear(Class::Read, over), Clearance::Now);
        pacing.pause(over, seconds(1), LONGEST);
        let clearance = pacing.clear(Class::Read, over);
        assert_eq!(clearance, Clearance::NotBefore(over + seconds(1)));
    }

    #[test]
    fn a_pause_without_end_is_a_long_one() {
        let now = Instant::now();
        let mut pacing = Pacing::default();
        pacing.note_throttled(Class::RepeatableWrite, now, Duration::MAX, UNIT);
        pacing.pause(now, Duration::MAX, LONGEST);
        let clearance = pacing.clear(Class::Read, now);
        assert_eq!(clearance, Clearance::ComeBackLater(LONGEST_PAUSE));
    }

    #[test]
    fn the_nearer_the_limit_the_further_apart_are_the_requests_of_its_kind() {
        let now = Instant::now();
        let mut pacing = Pacing::default();
        let mut distances = Vec::new();
        for share in [0.5, 0.8, 0.9, 0.95, 1.0, 1.8] {
            pacing.note_went_through(Class::Invitation, Some(share), TOOK, UNIT);
            distances.push(pacing.invitations.distance.as_millis());
        }
        assert_eq!(distances, [0, 0, 500, 1_500, 4_500, 4_500]);
        assert_eq!(pacing.clear(Class::Invitation, now), Clearance::Now);
        assert_eq!(
            pacing.clear(Class::Invitation, now),
            Clearance::NotBefore(now + Duration::from_millis(4_500))
        );
        assert_eq!(pacing.clear(Class::RepeatableWrite, now), Clearance::Now);
        assert_eq!(pacing.clear(Class::RepeatableWrite, now), Clearance::Now);
        // Far from the limit again, an answer is waited for and no more.
        pacing.note_went_through(Class::Invitation, None, TOOK, UNIT);
        assert_eq!(pacing.invitations.distance.as_millis(), 180);
    }

    #[test]
    fn a_service_that_says_nothing_of_its_limits_is_pressed_less_after_each_refusal() {
        let mut pacing = Pacing::default();
        let mut distances = Vec::new();
        let mut now = Instant::now();
        for _ in 0..6 {
            pacing.note_throttled(Class::RepeatableWrite, now, seconds(7), UNIT);
            pacing.pause(now, seconds(7), LONGEST);
            // Another of the same kind that was on its way meanwhile.
            pacing.note_throttled(Class::RepeatableWrite, now, seconds(7), UNIT);
            distances.push(pacing.writes.distance.as_millis());
            now += seconds(7);
        }
        assert_eq!(distances, [500, 1_000, 2_000, 4_000, 4_500, 4_500]);
        assert_eq!(
            pacing.clear(Class::RepeatableWrite, now),
            Clearance::NotBefore(now + Duration::from_millis(4_500))
        );
        pacing.note_went_through(Class::RepeatableWrite, None, TOOK, UNIT);
        assert_eq!(pacing.writes.distance.as_millis(), 4_050);
    }
}
