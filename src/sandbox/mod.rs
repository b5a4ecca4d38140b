//! Two simulated directories to try the program on: a Keycloak and a Graph with its login service, on loopback.
//!
//! A sandbox serves a [`World`] on real connections, as the real services would. Tests start one with any world, script
//! [`Fault`]s into it, change it while a run goes on, and read which requests were made; `--sandbox` and the `sandbox` command
//! start one with the small company of [`seed`] and a state file. Of the program itself, nothing but what starts one and keeps it alive depends on
//! it.

mod addresses;
pub mod exchange;
mod faults;
pub mod graph;
pub mod keycloak;
pub mod seed;
mod server;
mod stage;
mod state;

#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::config::{EntraCredentials, EntraLogin, KeycloakCredentials};

pub use faults::{Fault, When};

use exchange::{Request, Response};
use graph::{EntraWorld, PerformedCall};
use keycloak::KeycloakWorld;
use server::{Server, lock};
use stage::Stage;
use state::StateFile;

/// Both directories.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct World {
    /// The Keycloak.
    pub keycloak: KeycloakWorld,
    /// The Entra tenant.
    pub entra: EntraWorld,
}

/// Both directories of a running sandbox, to look at and to change.
#[derive(Debug)]
pub struct WorldMut<'a> {
    /// The Keycloak.
    pub keycloak: &'a mut KeycloakWorld,
    /// The Entra tenant.
    pub entra: &'a mut EntraWorld,
}

/// One of the two simulated services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// Keycloak.
    Keycloak,
    /// Graph and its login.
    Graph,
}

/// Where a sandbox listens and what it keeps.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Where Keycloak listens; a loopback address. Where it listened before, or anywhere, if not given.
    pub keycloak: Option<SocketAddr>,
    /// Where Graph and its login listen; a loopback address. Where they listened before, or anywhere, if not given.
    pub graph: Option<SocketAddr>,
    /// What clients call Graph by, if that is not where it listens: the address of a proxy before it.
    pub graph_url: Option<String>,
    /// What the services' time goes by.
    pub clock: Clock,
    /// How long every answer takes.
    pub latency: Duration,
    /// The state file. If it exists, the sandbox goes on with the world in it, whatever world it is started with.
    pub state: Option<PathBuf>,
}

/// A request that arrived at one of the services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedRequest {
    /// Where it arrived.
    pub service: Service,
    /// The method.
    pub method: Method,
    /// The path as sent.
    pub path: String,
    /// The query as sent, without its question mark.
    pub query: String,
    /// The body.
    pub body: Vec<u8>,
    /// The status it was answered with, or `None` if it was not answered.
    pub status: Option<u16>,
    /// When it arrived, by the services' clock.
    pub at: Duration,
}

/// Sees what passes a sandbox, while it passes: a test that holds every exchange against the services' descriptions is one.
pub trait Observer: Send {
    /// A request has arrived, whatever becomes of it.
    fn request(&mut self, service: Service, request: &Request);

    /// A service has answered a request. What a [`Fault`] answers in its place, or makes of its answer on the wire, is not
    /// shown.
    fn answer(&mut self, service: Service, request: &Request, answer: &Response);
}

/// Two simulated directories at work. They end when it is dropped; [`Sandbox::shut_down`] also saves their state.
pub struct Sandbox {
    stage: Arc<Mutex<Stage>>,
    servers: [Server; 2],
    keycloak: SocketAddr,
    graph: SocketAddr,
    graph_url: String,
}

impl Sandbox {
    /// Starts both services on the current runtime, with the world in the state file if there is one, else with `world`.
    pub async fn start(world: World, options: Options) -> io::Result<Self> {
        let file = options.state.map(StateFile::new);
        let saved = match &file {
            Some(file) => file.load()?,
            None => None,
        };
        let remembered = saved.as_ref().map(|saved| (saved.keycloak, saved.graph));
        let listeners = addresses::listen(
            (options.keycloak, options.graph),
            remembered,
            file.as_ref().map(StateFile::path),
        )
        .await?;
        let keycloak = listeners.keycloak.local_addr()?;
        let graph = listeners.graph.local_addr()?;
        let (world, before) =
            saved.map_or((world, Duration::ZERO), |saved| (saved.world, saved.clock));
        let graph_url = match &options.graph_url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => format!("http://{graph}"),
        };
        let mut stage = Stage::new(
            world,
            before,
            (options.clock, options.latency),
            (keycloak, graph),
            file,
        );
        stage.set_graph_url(&graph_url);
        // At once, so that the addresses are kept even if nothing is ever written.
        stage.save()?;
        let stage = Arc::new(Mutex::new(stage));
        Ok(Self {
            servers: [
                Server::start(Service::Keycloak, listeners.keycloak, Arc::clone(&stage)),
                Server::start(Service::Graph, listeners.graph, Arc::clone(&stage)),
            ],
            stage,
            keycloak,
            graph,
            graph_url,
        })
    }

    /// What `keycloak_url` has to be: the address of Keycloak with its relative path.
    pub fn keycloak_url(&self) -> String {
        let address = self.keycloak;
        self.with_world(|world| format!("http://{address}{}", world.keycloak.relative_path))
    }

    /// What `azure_login_url` has to be.
    pub fn login_url(&self) -> String {
        format!("http://{}", self.graph)
    }

    /// What `azure_graph_url` has to be.
    pub fn graph_url(&self) -> String {
        self.graph_url.clone()
    }

    /// A login to Keycloak: the first client with a service account, else the first person with a password.
    pub fn keycloak_credentials(&self) -> Option<KeycloakCredentials> {
        self.with_world(|world| {
            let realms = &world.keycloak.realms;
            let client = realms
                .iter()
                .flat_map(|realm| &realm.clients)
                .find(|client| client.service_accounts_enabled && client.secret.is_some());
            if let Some(client) = client {
                return Some(KeycloakCredentials::Client {
                    id: client.client_id.clone(),
                    secret: SecretString::from(client.secret.clone()?),
                });
            }
            let mut people = realms.iter().flat_map(|realm| &realm.people);
            let person = people.find(|person| person.password.is_some())?;
            Some(KeycloakCredentials::Password {
                user: person.username.clone(),
                password: SecretString::from(person.password.clone()?),
            })
        })
    }

    /// A login to Entra: the first app of the tenant.
    pub fn entra_credentials(&self) -> Option<EntraCredentials> {
        self.with_world(|world| {
            let app = world.entra.apps.first()?;
            Some(EntraCredentials::with_secret(
                &world.entra.tenant_id,
                &app.client_id,
                SecretString::from(app.client_secret.clone()),
            ))
        })
    }

    /// The variables of the environment with which the program logs in to both services, or `None` if it cannot log in to one of them.
    pub fn variables(&self) -> Option<Vec<(&'static str, String)>> {
        let shown = |secret: &SecretString| secret.expose_secret().to_owned();
        let mut variables = match self.keycloak_credentials()? {
            KeycloakCredentials::Password { user, password } => vec![
                ("KEYCLOAK_USER", user),
                ("KEYCLOAK_PASSWORD", shown(&password)),
            ],
            KeycloakCredentials::Client { id, secret } => vec![
                ("KEYCLOAK_CLIENT_ID", id),
                ("KEYCLOAK_CLIENT_SECRET", shown(&secret)),
            ],
        };
        let entra = self.entra_credentials()?;
        variables.push(("AZURE_TENANT_ID", entra.tenant));
        if let EntraLogin::Secret { client_id, secret } = entra.login {
            variables.push(("AZURE_CLIENT_ID", client_id));
            variables.push(("AZURE_CLIENT_SECRET", shown(&secret)));
        }
        Some(variables)
    }

    /// Shows every further exchange to somebody, in place of whoever saw them before.
    pub fn observe(&self, observer: impl Observer + 'static) {
        lock(&self.stage).observer = Some(Box::new(observer));
    }

    /// Looks at both directories, or changes them. No request is answered meanwhile, and `look` must not ask this sandbox
    /// for anything else: it would wait for itself.
    pub fn with_world<R>(&self, look: impl FnOnce(&mut WorldMut<'_>) -> R) -> R {
        look(&mut lock(&self.stage).world_mut())
    }

    /// Every request so far, in the order of their arrival.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        lock(&self.stage).requests.clone()
    }

    /// The calls that Graph answered since this was last asked, parts of batches one by one, with what they cost.
    pub fn take_calls(&self) -> Vec<PerformedCall> {
        lock(&self.stage).take_calls()
    }

    /// What the services' clock shows.
    pub fn now(&self) -> Duration {
        lock(&self.stage).now()
    }

    /// Forgets the requests so far, so that the next run can be counted by itself.
    pub fn forget_requests(&self) {
        lock(&self.stage).requests.clear();
    }

    /// The script of what goes wrong.
    pub fn faults(&self) -> Faults<'_> {
        Faults(&self.stage)
    }

    /// Lets the requests that are being answered finish, ends both services and saves their state.
    pub async fn shut_down(self) -> io::Result<()> {
        let Self { stage, servers, .. } = self;
        for server in servers {
            server.shut_down().await?;
        }
        lock(&stage).save()
    }
}

/// The script of what goes wrong in a running sandbox.
pub struct Faults<'a>(&'a Mutex<Stage>);

impl Faults<'_> {
    /// Lets a fault happen to the next `times` requests that fit and meet no other.
    pub fn add(&self, when: When, times: usize, fault: Fault) -> &Self {
        lock(self.0).script.add_fault(when, times, fault);
        self
    }

    /// Changes the directories once, just before the next request that fits is answered.
    pub fn change_world(
        &self,
        when: When,
        change: impl FnOnce(&mut WorldMut<'_>) + Send + 'static,
    ) -> &Self {
        lock(self.0).script.add_change(when, Box::new(change));
        self
    }

    /// How many faults and changes are still to come; a test that scripted some wants 0 in the end.
    pub fn pending(&self) -> usize {
        lock(self.0).script.pending()
    }

    /// Takes back whatever has not happened yet.
    pub fn clear(&self) {
        lock(self.0).script.clear();
    }
}
