//! A simulated Microsoft Graph (v1.0) and its login service: what a tenant answers, as far as this program asks it.
//!
//! It is a function of a [`EntraWorld`], a request and the service's clock, but for assertions, which others date by the clock of the
//! machine. It opens no port, sleeps for nothing, draws nothing at random that does not follow from a seed, and knows neither faults of the network nor the file that a world is kept in. What
//! it does not offer it refuses; nothing is quietly ignored that the real service heeds.
//!
//! Where the words of an error are not documented or reported anywhere, the comment beside them says so.

mod account_index;
mod assertion;
mod batch;
mod behaviour;
mod call;
mod clock;
mod filter;
mod filter_rules;
mod groups;
mod invitations;
mod login;
mod machine;
mod memberships;
mod objects;
mod paging;
mod properties;
mod property_names;
mod quotas;
mod refusal;
mod replication;
mod routing;
mod tenant;
mod users;
mod world;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Method, StatusCode};

pub use self::behaviour::{
    BatchingBehaviour, Behaviour, BindCost, BindRight, Concurrency, Conflict, ContactAddress,
    DeletedGuest, HiddenMembership, InvitingBehaviour, Limit, LoginBehaviour, LongComparison,
    MemberInvitation, NotAMember, NotYet, Quotas, ReadingBehaviour, RefusalStatus, Replication,
    RetryAfter, TextBody, TokenForm, WritingBehaviour,
};
pub use self::world::{
    App, EntraWorld, FederatedCredential, Group, Identity, InvitationPolicy, InvitesFrom,
    IssuedInvitation, ManagedIdentity, OtherKind, OtherObject, PlannedFault, User,
};

use self::account_index::AccountIndex;
use self::call::{Body, Call, Caller, Query, Reply, split_path};
use self::clock::{error_date, guid, http_date, moment};
use self::login::Tokens;
use self::quotas::Buckets;
use self::refusal::{Refusal, bad_request, method_not_allowed};
use self::replication::Newcomers;
use super::exchange::{Request, Response};

/// What Graph says its JSON is.
const JSON_TYPE: &str = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8";

/// The service: a tenant, and what it remembers of the calls so far.
#[derive(Debug, Clone)]
pub struct Graph {
    world: EntraWorld,
    base_url: String,
    tokens: Tokens,
    buckets: Buckets,
    newcomers: Newcomers,
    /// Built when first needed, and dropped when accounts change behind the service's back.
    accounts: Option<AccountIndex>,
    /// How many ids of requests were given out.
    requests: u64,
    /// How often the tenant may have changed.
    revision: u64,
    membership_writes: u64,
    /// The groups written to by the batch that is being answered.
    written_in_batch: Option<BTreeSet<String>>,
    calls: Vec<PerformedCall>,
}

/// A call that was answered, alone or as a part of a batch, and what it cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PerformedCall {
    /// The method.
    pub method: String,
    /// The path below `/v1.0`, without its query.
    pub path: String,
    /// The status it was answered with.
    pub status: u16,
    /// How many resource units it cost.
    pub resource_units: u32,
    /// How many writes it cost.
    pub writes: u32,
    /// How many invitations it cost.
    pub invitations: u32,
}

impl Graph {
    /// A service for this tenant, at the address of the real one until [`Graph::set_base_url`] says otherwise.
    pub fn new(world: EntraWorld) -> Self {
        Self {
            world,
            base_url: "https://graph.microsoft.com".to_owned(),
            tokens: Tokens::default(),
            buckets: Buckets::default(),
            newcomers: Newcomers::default(),
            accounts: None,
            requests: 0,
            revision: 0,
            membership_writes: 0,
            written_in_batch: None,
            calls: Vec::new(),
        }
    }

    /// The calls answered since this was last asked, parts of batches one by one, so that tests can hold a run to its budget.
    pub fn take_calls(&mut self) -> Vec<PerformedCall> {
        std::mem::take(&mut self.calls)
    }

    /// Sets the address that stands in links, without a slash at its end.
    pub fn set_base_url(&mut self, mut url: String) {
        url.truncate(url.trim_end_matches('/').len());
        self.base_url = url;
    }

    /// The tenant as it is now.
    pub fn world(&self) -> &EntraWorld {
        &self.world
    }

    /// How often the tenant may have changed since the service began.
    pub(super) fn revision(&self) -> u64 {
        self.revision
    }

    /// The tenant, to change it behind the service's back.
    pub fn world_mut(&mut self) -> &mut EntraWorld {
        self.accounts = None;
        self.revision += 1;
        &mut self.world
    }

    /// Answers a request that arrives when the service's clock reads `now`.
    pub fn answer(&mut self, request: &Request, now: Duration) -> Response {
        let segments: Vec<&str> = request.path.split('/').collect();
        if let ["", tenant, "oauth2", "v2.0", "token"] = segments.as_slice() {
            return self.answer_login(tenant, request, now);
        }
        if let Some(response) = self.answer_machine(request, now) {
            return response;
        }
        let request_id = self.next_request_id();
        let client_request_id = request
            .header("client-request-id")
            .unwrap_or(&request_id)
            .to_owned();
        let at = self.moment(now);
        let date = error_date(at);
        let dress = |refusal: &Refusal| refusal.body(&date, &request_id, &client_request_id);
        let (status, body, headers) = match self.answer_call(request, now, dress) {
            Ok(reply) => (reply.status, reply.body, reply.headers),
            Err(refusal) => (refusal.status, Body::Json(dress(&refusal)), refusal.headers),
        };
        let mut response = match body {
            Body::None => Response::empty(status),
            Body::Json(body) => Response::json(status, &body)
                .with_header("content-type", content_type(status))
                .with_header("odata-version", "4.0"),
            Body::Text(text) => Response {
                body: text.into_bytes(),
                ..Response::empty(status).with_header("content-type", "text/plain")
            },
        };
        for (name, value) in headers {
            response = response.with_header(name, &value);
        }
        response
            .with_header("cache-control", "no-cache")
            .with_header("request-id", &request_id)
            .with_header("client-request-id", &client_request_id)
            .with_header("date", &http_date(at))
            .with_header(
                "x-ms-ags-diagnostic",
                "{\"ServerInfo\":{\"DataCenter\":\"Sandbox\",\"Slice\":\"E\",\"Ring\":\"5\",\"ScaleUnit\":\"001\",\"RoleInstance\":\"SANDBOX\"}}",
            )
    }

    fn answer_call(
        &mut self,
        request: &Request,
        now: Duration,
        dress: impl Fn(&Refusal) -> serde_json::Value,
    ) -> Result<Reply, Refusal> {
        let Some(path) = request.path.strip_prefix("/v1.0/") else {
            let version = request.path.split('/').nth(1).unwrap_or_default();
            return Err(bad_request(format!("Invalid version: {version}")));
        };
        let path = format!("/{path}");
        let caller = self.caller(request, now);
        let is_batch = matches!(path.as_str(), "/$batch" | "/%24batch");
        let parts_fail_alone = is_batch && !self.world.behaviour.batching.token_fails_whole;
        if let Err(refusal) = &caller
            && !parts_fail_alone
        {
            return Err(refusal.clone());
        }
        let call = Call {
            method: request.method.clone(),
            segments: split_path(&path)?,
            path,
            query: Query::parse(&request.query)?,
            eventual: request
                .header("consistencylevel")
                .is_some_and(|level| level.eq_ignore_ascii_case("eventual")),
            content_type: request.header("content-type").map(str::to_owned),
            body: request.body.clone(),
            caller: caller.clone().unwrap_or(Caller {
                client_id: String::new(),
                roles: BTreeSet::new(),
            }),
            now,
        };
        if !is_batch {
            return self.perform(&call);
        }
        if call.method != Method::POST {
            return Err(method_not_allowed());
        }
        self.answer_batch(&call, &caller, dress)
    }

    fn moment(&self, now: Duration) -> Timestamp {
        moment(self.world.behaviour.clock_start, now)
    }

    fn next_request_id(&mut self) -> String {
        self.requests += 1;
        guid(self.world.behaviour.seed, "request", self.requests)
    }

    fn next_object_id(&mut self) -> String {
        loop {
            self.world.objects_made += 1;
            let id = guid(self.world.behaviour.seed, "object", self.world.objects_made);
            if !self.world.users.contains_key(&id) && !self.world.deleted_users.contains_key(&id) {
                return id;
            }
        }
    }
}

fn content_type(status: StatusCode) -> &'static str {
    if status.is_success() {
        JSON_TYPE
    } else {
        "application/json"
    }
}
