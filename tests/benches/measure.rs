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
}

/// Runs a command to its end.
pub fn run(command: &mut Command) -> Run {
    let begun = Instant::now();
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
            };
        }
        std::thread::sleep(Duration::from_millis(1));
    }
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
