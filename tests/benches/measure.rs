//! What a run took.

use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// A run that ended.
#[derive(Debug, Clone)]
pub struct Run {
    pub status: i32,
    pub took: Duration,
    /// The most memory that it held at once, in bytes.
    pub peak: u64,
    /// How long this process, in which the simulated services run, kept processors busy meanwhile.
    pub served_for: Duration,
}

/// Runs a command to its end.
pub fn run(command: &mut Command) -> Run {
    let (begun, served_before) = (Instant::now(), busy_time());
    let mut child = command.spawn().expect("the program starts");
    let mut peak = 0;
    loop {
        // It is gone together with the process, so it is looked at until then.
        peak = peak.max(peak_of(&child).unwrap_or_default());
        if let Some(status) = child.try_wait().expect("the program can be waited for") {
            return Run {
                status: status.code().unwrap_or(-1),
                took: begun.elapsed(),
                peak,
                served_for: busy_time().saturating_sub(served_before),
            };
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// How long this process has kept processors busy so far, on Linux, in hundredths of seconds (`proc_pid_stat(5)`).
fn busy_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // What comes before the last parenthesis is the name, which may hold anything.
    let after_name = stat.rsplit(") ").next().unwrap_or_default();
    let ticks = after_name.split(' ').skip(11).take(2);
    let ticks: u64 = ticks.filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// The most memory that a process has held so far, on Linux.
fn peak_of(child: &Child) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}

/// The run that took neither the longest nor the shortest.
pub fn median(mut runs: Vec<Run>) -> Run {
    runs.sort_by_key(|run| run.took);
    runs.swap_remove(runs.len() / 2)
}

/// The power with which a figure grows from one size to another.
pub fn exponent(fewer: usize, small: f64, more: usize, large: f64) -> f64 {
    (large / small).ln() / (more as f64 / fewer as f64).ln()
}
