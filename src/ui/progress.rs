//! How far an apply is: a bar on a terminal, a line every few seconds elsewhere, while Graph makes it wait as well.

use std::collections::VecDeque;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::Instant;

use super::Ui;
use crate::clock::Clock;
use crate::execute::Observer;
use crate::report::{ChangeOutcome, Outcome};

/// How often a run says where it is where there is no terminal.
const INTERVAL: Duration = Duration::from_secs(5);
/// How often on a terminal, where waits are counted down.
const INTERVAL_OF_BAR: Duration = Duration::from_secs(1);
/// From what time back the rate is taken. Graph counts writes over two minutes and a half, the first of which go through at once; twice
/// that shows the rate that it keeps to.
const RATE_OF: Duration = Duration::from_secs(300);
/// A wait that is shorter is not worth a word.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

/// What is going on.
const WHAT: &str = "Applying";

/// Shows how far an apply is.
pub struct Progress<'a> {
    ui: &'a mut Ui,
    clock: Clock,
    bar: Option<ProgressBar>,
    count: Count,
    next_look: Instant,
}

impl<'a> Progress<'a> {
    /// Progress on the streams, by a clock.
    pub fn new(ui: &'a mut Ui, clock: Clock) -> Self {
        let now = clock.now();
        Self {
            ui,
            clock,
            bar: None,
            count: Count::new(0, now),
            next_look: now,
        }
    }

    fn interval(&self) -> Duration {
        if self.bar.is_some() {
            INTERVAL_OF_BAR
        } else {
            INTERVAL
        }
    }

    fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn beside_bar(&mut self, print: impl FnOnce(&mut Ui)) {
        match &self.bar {
            Some(bar) => bar.suspend(|| print(self.ui)),
            None => print(self.ui),
        }
    }
}

impl Observer for Progress<'_> {
    fn begin(&mut self, total: usize) {
        self.finish();
        let now = self.clock.now();
        self.count = Count::new(total, now);
        if total > 0 && self.ui.err_is_terminal {
            let bar = ProgressBar::new(total as u64);
            if let Ok(style) = ProgressStyle::with_template("{prefix} {bar:30} {pos}/{len}{msg}") {
                bar.set_style(style.progress_chars("━╸ "));
            }
            bar.set_prefix(WHAT);
            self.bar = Some(bar);
        }
        self.next_look = now + self.interval();
    }

    fn advance(&mut self) {
        self.count.settled += 1;
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
        if self.clock.now() >= self.next_look {
            self.look(None);
        }
        if self.count.settled == self.count.total {
            self.finish();
        }
    }

    fn wrote(&mut self, message: &str) {
        self.beside_bar(|ui| ui.event(message));
    }

    fn not_done(&mut self, outcome: &ChangeOutcome, object: &str) {
        let level = if outcome.outcome == Outcome::Failed {
            "ERROR"
        } else {
            "WARNING"
        };
        let request = outcome
            .request_id
            .as_ref()
            .map(|id| format!(" (request {id})"));
        let line = format!(
            "{} {} {object}: {}{}",
            outcome.outcome,
            outcome.action,
            outcome.message,
            request.unwrap_or_default()
        );
        self.beside_bar(|ui| ui.log_line(level, &line));
    }

    fn next_look(&self) -> impl Future<Output = ()> + Send {
        self.clock.sleep_until(self.next_look)
    }

    fn look(&mut self, paused: Option<Duration>) {
        let now = self.clock.now();
        self.next_look = now + self.interval();
        let rest = self.count.rest(now, paused);
        if let Some(bar) = &self.bar {
            bar.set_message(rest);
        } else {
            let (settled, total) = (self.count.settled, self.count.total);
            self.ui.say(&format!("{WHAT}: {settled} of {total}{rest}"));
        }
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        self.finish();
    }
}

/// How many changes are settled, and since when how many were.
struct Count {
    total: usize,
    settled: usize,
    seen: VecDeque<(Instant, usize)>,
}

impl Count {
    fn new(total: usize, now: Instant) -> Self {
        Self {
            total,
            settled: 0,
            seen: VecDeque::from([(now, 0)]),
        }
    }

    /// What stands after the numbers: how long the rest takes, and why nothing moves.
    fn rest(&mut self, now: Instant, paused: Option<Duration>) -> String {
        while let Some((second, _)) = self.seen.get(1)
            && now.saturating_duration_since(*second) >= RATE_OF
        {
            self.seen.pop_front();
        }
        let left = self.time_left(now);
        self.seen.push_back((now, self.settled));
        let paused = paused.filter(|paused| *paused >= SHORTEST_PAUSE);
        let left = left.map(|left| {
            let left = left.max(paused.unwrap_or_default());
            format!(", about {} left", in_words(left))
        });
        let paused =
            paused.map(|paused| format!("; Graph is throttling, going on in {}", in_words(paused)));
        left.unwrap_or_default() + &paused.unwrap_or_default()
    }

    /// How long the rest takes at the rate of the last minutes, the waits in them included. `None` if nothing moved.
    fn time_left(&self, now: Instant) -> Option<Duration> {
        let (then, settled_then) = *self.seen.front()?;
        let settled = self.settled.saturating_sub(settled_then);
        let passed = now.saturating_duration_since(then).as_secs_f64();
        let left = self.total.saturating_sub(self.settled);
        if settled == 0 || passed <= 0.0 {
            return None;
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "nobody has so many changes that it shows"
        )]
        Duration::try_from_secs_f64(passed * left as f64 / settled as f64).ok()
    }
}

/// A length of time, rounded up to what somebody who waits wants to know.
fn in_words(time: Duration) -> String {
    let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    let minutes = seconds.div_ceil(60);
    match (seconds, minutes) {
        (0..=90, _) => format!("{seconds} s"),
        (_, 0..=90) => format!("{minutes} min"),
        _ => format!("{} h {} min", minutes / 60, minutes % 60),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Heard(Arc<Mutex<Vec<u8>>>);

    impl Write for Heard {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Heard {
        fn lines(&self) -> Vec<String> {
            let bytes = std::mem::take(&mut *self.0.lock().unwrap());
            let text = String::from_utf8(bytes).unwrap();
            text.lines().map(str::to_owned).collect()
        }
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Lets so many seconds pass with so many changes settled in each, as a run does. It may be paused until ten seconds after them.
    async fn pass(progress: &mut Progress<'_>, time: u64, per_second: usize, paused: bool) {
        let clock = progress.clock.clone();
        let end = clock.now() + seconds(time);
        while clock.now() < end {
            let second = clock.sleep(seconds(1));
            tokio::pin!(second);
            loop {
                tokio::select! {
                    biased;
                    () = progress.next_look() => {
                        let until = end + seconds(10);
                        progress.look(paused.then(|| until - clock.now()));
                    }
                    () = &mut second => break,
                }
            }
            (0..per_second).for_each(|_| progress.advance());
        }
    }

    #[tokio::test]
    async fn a_line_comes_every_few_seconds_while_nothing_moves_as_well() {
        let heard = Heard::default();
        let mut ui = Ui::plain(Box::new(std::io::sink()), Box::new(heard.clone()));
        let mut progress = Progress::new(&mut ui, Clock::of_waits());
        progress.begin(1_000);
        pass(&mut progress, 11, 10, false).await;
        assert_eq!(
            heard.lines(),
            [
                "Applying: 40 of 1000, about 2 min left",
                "Applying: 90 of 1000, about 2 min left",
            ]
        );
        pass(&mut progress, 9, 0, true).await;
        assert_eq!(
            heard.lines(),
            [
                "Applying: 110 of 1000, about 3 min left; Graph is throttling, going on in 15 s",
                "Applying: 110 of 1000, about 3 min left; Graph is throttling, going on in 10 s",
            ]
        );
    }

    #[tokio::test]
    async fn what_is_left_is_told_by_the_rate_of_the_last_minutes_waits_included() {
        let heard = Heard::default();
        let mut ui = Ui::plain(Box::new(std::io::sink()), Box::new(heard.clone()));
        let mut progress = Progress::new(&mut ui, Clock::of_waits());
        progress.begin(63_000);
        // The burst that Graph lets through, and then what it keeps to.
        pass(&mut progress, 30, 100, false).await;
        let last = heard.lines().pop().unwrap();
        assert_eq!(last, "Applying: 2900 of 63000, about 11 min left");
        pass(&mut progress, 271, 0, true).await;
        let last = heard.lines().pop().unwrap();
        assert_eq!(
            last,
            "Applying: 3000 of 63000, about 1 h 40 min left; Graph is throttling, going on in 11 s"
        );
        pass(&mut progress, 400, 20, false).await;
        let last = heard.lines().pop().unwrap();
        assert!(last.ends_with(", about 44 min left"), "{last}");
    }

    #[tokio::test]
    async fn nothing_is_said_of_the_end_before_anything_moved_and_never_less_than_the_wait() {
        let clock = Clock::of_waits();
        let mut count = Count::new(10, clock.now());
        assert_eq!(count.rest(clock.now() + seconds(5), None), "");
        assert_eq!(
            count.rest(clock.now() + seconds(10), Some(seconds(150))),
            "; Graph is throttling, going on in 3 min"
        );
        count.settled = 9;
        assert_eq!(
            count.rest(clock.now() + seconds(20), Some(seconds(42))),
            ", about 42 s left; Graph is throttling, going on in 42 s"
        );
        assert_eq!(
            count.rest(clock.now() + seconds(20), Some(Duration::from_millis(300))),
            ", about 3 s left"
        );
    }

    #[tokio::test]
    async fn a_terminal_gets_the_same_words_beside_a_bar() {
        let heard = Heard::default();
        let mut ui = Ui::plain(Box::new(std::io::sink()), Box::new(heard.clone()));
        ui.err_is_terminal = true;
        let mut progress = Progress::new(&mut ui, Clock::of_waits());
        progress.begin(100);
        pass(&mut progress, 10, 2, false).await;
        pass(&mut progress, 2, 0, true).await;
        let bar = progress.bar.clone().unwrap();
        assert_eq!((bar.position(), bar.length()), (20, Some(100)));
        assert_eq!(
            bar.message(),
            ", about 48 s left; Graph is throttling, going on in 10 s"
        );
        assert_eq!(heard.lines(), [""; 0]);
    }

    #[test]
    fn times_are_rounded_up_to_what_matters() {
        for (time, words) in [
            (Duration::from_millis(200), "1 s"),
            (seconds(90), "90 s"),
            (seconds(91), "2 min"),
            (seconds(5_400), "90 min"),
            (seconds(5_401), "1 h 31 min"),
            (seconds(10_100), "2 h 49 min"),
        ] {
            assert_eq!(in_words(time), words);
        }
    }
}
