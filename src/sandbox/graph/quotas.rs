//! Throttling: the buckets of resource units, writes and invitations, and the 429 when one of them is empty.
//!
//! It runs on the service's clock. Calls that are throttled drain their bucket as well, so that early repetitions make it worse.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::StatusCode;

use super::Graph;
use super::behaviour::{Limit, Quotas, RetryAfter};
use super::call::Call;
use super::clock::{http_date, moment};
use super::refusal::Refusal;

/// What a call costs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Cost {
    pub(super) resource_units: u32,
    pub(super) writes: u32,
    pub(super) invitations: u32,
}

impl Cost {
    /// A read. `$select` makes it cheaper, and so does a small page.
    pub(super) fn read(call: &Call, resource_units: u32) -> Self {
        let selects = u32::from(call.query.get("$select").is_some());
        let small = call
            .query
            .get("$top")
            .and_then(|top| top.parse::<u32>().ok())
            .is_some_and(|top| top < 20);
        Self {
            resource_units: resource_units
                .saturating_sub(selects + u32::from(small))
                .max(1),
            ..Self::default()
        }
    }

    /// A write that counts as so many.
    pub(super) fn write(writes: u32) -> Self {
        Self {
            resource_units: 1,
            writes,
            invitations: 0,
        }
    }
}

/// How full the buckets are.
#[derive(Debug, Clone, Default)]
pub(super) struct Buckets {
    resource_units: BTreeMap<String, Bucket>,
    writes: BTreeMap<String, Bucket>,
    tenant_writes: Bucket,
    invitations: Bucket,
}

/// A bucket that fills again evenly.
#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    /// What was taken and has not come back.
    taken: f64,
    at: Duration,
}

/// How far below empty repetitions can drive a bucket: the highest percentage that the service reports is 180.
const DEEPEST: f64 = 1.8;

impl Bucket {
    fn refill(&mut self, limit: Limit, now: Duration) {
        let passed = now.saturating_sub(self.at).as_secs_f64();
        self.taken = (self.taken - passed * rate(limit)).max(0.0);
        self.at = now;
    }

    /// Takes so much, or says how long it would have to wait.
    fn take(&mut self, amount: u32, limit: Limit) -> Result<(), Duration> {
        let size = f64::from(limit.size);
        // Nothing costs more than a full bucket, or it could never go through.
        let amount = f64::from(amount).min(size);
        let missing = self.taken + amount - size;
        self.taken = (self.taken + amount).min(size * DEEPEST);
        // A ten-millionth of a unit is what rounding of floating-point numbers leaves.
        if missing > 1e-7 {
            let missing = (self.taken + amount - size).max(0.0);
            return Err(Duration::from_secs_f64(missing / rate(limit)));
        }
        Ok(())
    }

    fn share(&self, limit: Limit) -> f64 {
        self.taken / f64::from(limit.size.max(1))
    }
}

fn rate(limit: Limit) -> f64 {
    (f64::from(limit.size) / limit.per.as_secs_f64().max(0.001)).max(0.001)
}

impl Quotas {
    fn resource_units_of(&self, accounts: usize) -> Limit {
        self.resource_units.unwrap_or(match accounts {
            0..50 => Limit::new(3_500, 10),
            50..=500 => Limit::new(5_000, 10),
            _ => Limit::new(8_000, 10),
        })
    }
}

impl Graph {
    /// Takes the cost of a call out of the buckets. Returns how much of the fullest is used, or the 429.
    pub(super) fn charge(&mut self, call: &Call, mut cost: Cost) -> Result<Option<f64>, Refusal> {
        let quotas = &self.world.behaviour.quotas;
        if !quotas.enabled {
            return Ok(None);
        }
        if cost.invitations > 0 && quotas.invitations_are_writes {
            cost.writes += cost.invitations;
            cost.resource_units += cost.invitations;
        }
        let app = &call.caller.client_id;
        let resource_units = quotas.resource_units_of(self.world.users.len());
        let takings = [
            (
                self.buckets.resource_units.entry(app.clone()).or_default(),
                cost.resource_units,
                resource_units,
                "ResourceUnitLimitExceeded",
                "Tenant_Application",
            ),
            (
                self.buckets.writes.entry(app.clone()).or_default(),
                cost.writes,
                quotas.writes,
                "WriteLimitExceeded",
                "Tenant_Application",
            ),
            (
                &mut self.buckets.tenant_writes,
                cost.writes,
                quotas.tenant_writes,
                "WriteLimitExceeded",
                "Tenant",
            ),
            (
                &mut self.buckets.invitations,
                cost.invitations,
                quotas.invitations,
                "WriteLimitExceeded",
                "Tenant",
            ),
        ];
        let mut fullest: f64 = 0.0;
        let mut longest: Option<(Duration, &str, &str)> = None;
        for (bucket, amount, limit, information, scope) in takings {
            bucket.refill(limit, call.now);
            if amount == 0 {
                continue;
            }
            if let Err(wait) = bucket.take(amount, limit)
                && longest.is_none_or(|(other, ..)| wait > other)
            {
                longest = Some((wait, information, scope));
            }
            fullest = fullest.max(bucket.share(limit));
        }
        match longest {
            None => Ok(Some(fullest).filter(|_| quotas.warn)),
            Some((wait, information, scope)) => {
                let scope = format!("{scope}/ReadWrite/{app}/{}", self.world.tenant_id);
                Err(self.throttled(call, wait, information, scope))
            }
        }
    }

    fn throttled(&self, call: &Call, wait: Duration, information: &str, scope: String) -> Refusal {
        let mut refusal = Refusal::new(
            StatusCode::TOO_MANY_REQUESTS,
            "TooManyRequests",
            "Please retry again later.",
        )
        .with_header("x-ms-throttle-scope", scope)
        .with_header("x-ms-throttle-information", information.to_owned());
        refusal.inner = vec![
            ("code", "429".to_owned()),
            ("message", "Please retry after".to_owned()),
            ("status", "429".to_owned()),
        ];
        let whole = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        let retry_after = match self.world.behaviour.quotas.retry_after {
            RetryAfter::Seconds => whole.to_string(),
            // Rounded up, so that who waits exactly that long goes through.
            RetryAfter::Fraction => {
                let millis = wait.as_micros().div_ceil(1_000);
                format!("{}.{:03}", millis / 1_000, millis % 1_000)
            }
            RetryAfter::Date => {
                let until = call.now.saturating_add(wait);
                let until =
                    Duration::from_secs(until.as_secs() + u64::from(until.subsec_nanos() > 0));
                http_date(moment(self.world.behaviour.clock_start, until))
            }
            RetryAfter::Missing => return refusal,
        };
        refusal.with_header("retry-after", retry_after)
    }
}
