//! What both services share while a sandbox runs: the two directories, the clock, the script of faults, the record of
//! requests and the state file.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::exchange::{Request, Response};
use super::faults::{Fault, Script};
use super::graph::{Graph, PerformedCall};
use super::keycloak::Keycloak;
use super::state::{Saved, StateFile};
use super::{Observer, RecordedRequest, Service, World, WorldMut};
use crate::clock::Clock;

/// How many people and accounts a world may have whose state is written after every change.
const SMALL_WORLD: usize = 2_000;

/// That of a larger one is not written again for so many times as long as it took, so that there is time for answers.
const PAUSE_AFTER_SAVE: u32 = 10;

pub(super) struct Stage {
    keycloak: Keycloak,
    graph: Graph,
    pub script: Script,
    pub requests: Vec<RecordedRequest>,
    pub observer: Option<Box<dyn Observer>>,
    /// What the services' time goes by.
    pub clock: Clock,
    began: Instant,
    /// What the services' clock showed when this start began.
    before: Duration,
    /// How long every answer takes besides.
    latency: Duration,
    addresses: (SocketAddr, SocketAddr),
    file: Option<StateFile>,
    /// The state of Graph that the file holds.
    saved: u64,
    /// When the file is written again at the earliest.
    next_save: std::time::Instant,
}

impl Stage {
    pub(super) fn new(
        world: World,
        before: Duration,
        (clock, latency): (Clock, Duration),
        addresses: (SocketAddr, SocketAddr),
        file: Option<StateFile>,
    ) -> Self {
        Self {
            keycloak: Keycloak::new(world.keycloak),
            graph: Graph::new(world.entra),
            script: Script::default(),
            requests: Vec::new(),
            observer: None,
            began: clock.now(),
            clock,
            before,
            latency,
            addresses,
            file,
            saved: 0,
            next_save: std::time::Instant::now(),
        }
    }

    /// Sets the address that stands in Graph's links.
    pub(super) fn set_graph_url(&mut self, url: &str) {
        self.graph.set_base_url(url.to_owned());
    }

    /// What the services' clock shows.
    pub(super) fn now(&self) -> Duration {
        self.before + (self.clock.now() - self.began)
    }

    /// The calls that Graph answered since this was last asked.
    pub(super) fn take_calls(&mut self) -> Vec<PerformedCall> {
        self.graph.take_calls()
    }

    /// Makes the changes that are due before a request, and says which fault it meets.
    pub(super) fn prepare(&mut self, service: Service, request: &Request) -> Option<Fault> {
        if let Some(observer) = &mut self.observer {
            observer.request(service, request);
        }
        for change in self.script.due_changes(service, request) {
            change(&mut self.world_mut());
        }
        self.script.due_fault(service, request)
    }

    /// Lets a service answer, and says how long it takes.
    pub(super) fn answer(&mut self, service: Service, request: &Request) -> (Response, Duration) {
        let now = self.now();
        let (response, took) = match service {
            Service::Keycloak => {
                let answer = self.keycloak.answer(request, now);
                (answer.response, answer.took)
            }
            Service::Graph => (self.graph.answer(request, now), Duration::ZERO),
        };
        if let Some(observer) = &mut self.observer {
            observer.answer(service, request, &response);
        }
        (response, took + self.latency)
    }

    pub(super) fn record(&mut self, request: RecordedRequest) {
        self.requests.push(request);
    }

    pub(super) fn world_mut(&mut self) -> WorldMut<'_> {
        WorldMut {
            keycloak: self.keycloak.world_mut(),
            entra: self.graph.world_mut(),
        }
    }

    /// Writes the state file after a request that may have changed what it holds, unless that was done a moment ago.
    pub(super) fn save_if_changed(&mut self) -> io::Result<()> {
        if self.saved != self.graph.revision() && std::time::Instant::now() >= self.next_save {
            self.save()?;
        }
        Ok(())
    }

    /// Writes the state file, if there is to be one.
    pub(super) fn save(&mut self) -> io::Result<()> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let begun = std::time::Instant::now();
        let world = World {
            keycloak: self.keycloak.world().clone(),
            entra: self.graph.world().clone(),
        };
        let realms = world.keycloak.realms.iter();
        let people: usize = realms.map(|realm| realm.people.len()).sum();
        let is_small = people + world.entra.users.len() <= SMALL_WORLD;
        let (keycloak, graph) = self.addresses;
        file.save(&Saved::new(keycloak, graph, self.now(), world))?;
        self.saved = self.graph.revision();
        self.next_save = if is_small {
            begun
        } else {
            begun + begun.elapsed() * (1 + PAUSE_AFTER_SAVE)
        };
        Ok(())
    }
}
