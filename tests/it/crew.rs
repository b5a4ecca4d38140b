//! A handful of people who together need every kind of request, and what has to be true of them after any run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::ensure;
use futures_util::future::join_all;
use keycloak_to_azure::http::Timing;
use keycloak_to_azure::sandbox::graph::{EntraWorld, Replication, User};
use keycloak_to_azure::sandbox::keycloak::{Group, Person, ProviderKind, Version};
use keycloak_to_azure::sandbox::{RecordedRequest, Service, When, World};
use reqwest::Method;
use serde_json::Value;

use crate::house::House;
use crate::program::{Stage, quick};

pub const PLAN: &str = "plan --out @plan.json";
pub const APPLY: &str = "apply @plan.json";

/// A configuration, two services and the plan that they give, to be put back to how they were before each of many runs.
pub struct Crew {
    pub stage: Stage,
    world: World,
    plan: Vec<u8>,
}

impl Crew {
    /// Two to invite, one to update, one who moves, and one to remove for each reason there is.
    pub async fn new(change: fn(&mut World)) -> Self {
        let mut house = House::new(Version::V26_7_4, ProviderKind::ReadOnly);
        house.realm().providers.clear();
        house
            .settings
            .push_str("protected: [boss@partner.example]\n");
        house.map("staff", "acme-staff");
        house.map("lab", "acme-lab");
        let staff = house.realm().group_mut("/staff").unwrap();
        staff.subgroups.push(Group::new("core", "core"));

        house.person("ivy", false, &["staff"]);
        house.person("ida", false, &["core"]);

        let uma = house.account("uma", &["acme-staff"]);
        house.person("uma", false, &["staff"]);
        let uma = house.world.entra.users.get_mut(&uma).unwrap();
        uma.user_type = Some("Guest".to_owned());
        uma.surname = Some("Exemple".to_owned());

        // Several in one group are added together, one alone is added singly.
        house.both("ann", false, &["staff"], &[]);
        house.both("bob", false, &["lab"], &["acme-staff"]);

        house.both("dis", false, &["staff"], &["acme-staff"]);
        house.realm().person_mut("dis").unwrap().enabled = false;
        house.account("gon", &["acme-staff"]);
        house.account("boss", &["acme-staff"]);

        // Only a login by password is ended by a request.
        house.realm().people.push(
            Person::new("sync", "azure-sync", "Azure", "Sync")
                .with_email("azure-sync@acme.example")
                .with_password("secret of the sync account")
                .with_role("realm-management", "view-users")
                .with_role("realm-management", "view-realm"),
        );
        change(&mut house.world);
        let mut stage = house.stage().await;
        let world = stage.sandbox.with_world(|now| World {
            keycloak: now.keycloak.clone(),
            entra: now.entra.clone(),
        });
        stage
            .variables
            .retain(|(name, _)| !name.starts_with("KEYCLOAK_CLIENT"));
        stage.set("KEYCLOAK_USER", "azure-sync");
        stage.set("KEYCLOAK_PASSWORD", "secret of the sync account");
        let planned = stage.run(PLAN).await;
        assert_eq!(planned.status, 0, "{}", planned.err);
        let plan = std::fs::read(stage.path("plan.json")).unwrap();
        Self { stage, world, plan }
    }

    /// Puts everything back: both directories, the plan or that there is none yet, and no report.
    pub fn begin_anew(&self, is_planned: bool) {
        let Self { stage, world, plan } = self;
        stage.sandbox.faults().clear();
        stage.sandbox.with_world(|now| {
            *now.keycloak = world.keycloak.clone();
            *now.entra = world.entra.clone();
        });
        stage.sandbox.forget_requests();
        for file in std::fs::read_dir(stage.folder.path()).unwrap() {
            let path = file.unwrap().path();
            if path != stage.path("config.yaml") {
                std::fs::remove_file(path).unwrap();
            }
        }
        if is_planned {
            std::fs::write(stage.path("plan.json"), plan).unwrap();
        }
    }
}

/// What a run comes to when nothing goes wrong.
pub struct Model {
    state: State,
    plan: String,
    writes: BTreeSet<String>,
    graph_url: String,
    /// The requests of `plan`, in the order of their arrival.
    pub of_plan: Vec<RecordedRequest>,
    /// The requests of `apply`.
    pub of_apply: Vec<RecordedRequest>,
}

impl Model {
    pub fn of(change: fn(&mut World)) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(async {
            let Crew { stage, .. } = Crew::new(change).await;
            let of_plan = stage.sandbox.requests();
            stage.sandbox.forget_requests();
            let applied = stage.run(APPLY).await;
            assert_eq!(applied.status, 0, "{}{}", applied.out, applied.err);
            Self {
                state: State::of(&stage),
                plan: plan_text(&stage),
                writes: single_writes(&stage),
                graph_url: stage.sandbox.graph_url(),
                of_plan,
                of_apply: stage.sandbox.requests(),
            }
        })
    }

    /// One request and no other, in a sandbox of its own: the `at`-th of `requests`, known by what it asks for.
    pub fn when(&self, requests: &[RecordedRequest], at: usize, stage: &Stage) -> When {
        let wanted = Shape::of(&requests[at]);
        let alike = requests[..=at].iter().map(Shape::of);
        let number = alike.filter(|shape| wanted.fits(shape)).count();
        let Shape {
            service,
            method,
            target,
            body,
        } = wanted;
        let here = format!("{}/", stage.sandbox.graph_url());
        let body = body.replace(&format!("{}/", self.graph_url), &here);
        When::to(service)
            .method(method)
            .path(&target)
            .body(&body)
            .from(number)
    }

    /// That the directories are as they are to be, and that nothing else was done on the way there.
    pub fn holds(&self, stage: &Stage, most_invitations: usize) -> anyhow::Result<()> {
        let state = State::of(stage);
        ensure!(
            state == self.state,
            "{state:#?}\nis not what was to come of it: {:#?}",
            self.state
        );
        self.nothing_else_was_done(stage)?;
        is_invited_at_most(stage, most_invitations)
    }

    /// That nobody has two accounts, and that no write was sent that the plan does not hold.
    pub fn nothing_else_was_done(&self, stage: &Stage) -> anyhow::Result<()> {
        let writes = single_writes(stage);
        let further: Vec<_> = writes.difference(&self.writes).collect();
        ensure!(further.is_empty(), "nobody reviewed {further:?}");
        stage.sandbox.with_world(|world| {
            let mut addresses = BTreeSet::new();
            for user in world.entra.users.values() {
                ensure!(
                    addresses.insert(&user.mail),
                    "{:?} has two accounts",
                    user.mail
                );
            }
            Ok(())
        })
    }

    /// That the plan is the one that is made when nothing goes wrong, to the byte.
    pub fn is_planned(&self, stage: &Stage) -> anyhow::Result<()> {
        let plan = plan_text(stage);
        ensure!(plan == self.plan, "the plan is another one: {plan}");
        Ok(())
    }
}

/// That no address was invited more often.
pub fn is_invited_at_most(stage: &Stage, most: usize) -> anyhow::Result<()> {
    stage.sandbox.with_world(|world| {
        let mut invitations: BTreeMap<&str, usize> = BTreeMap::new();
        for invitation in &world.entra.invitations {
            *invitations.entry(&invitation.address).or_default() += 1;
        }
        for (address, count) in invitations {
            ensure!(count <= most, "{address} was invited {count} times");
        }
        Ok(())
    })
}

/// What is the same in two sandboxes about a request. Of logins the path says enough; their forms carry the address of Graph.
struct Shape {
    service: Service,
    method: Method,
    target: String,
    body: String,
}

impl Shape {
    fn of(request: &RecordedRequest) -> Self {
        let body = if is_batch(request) {
            String::from_utf8_lossy(&request.body)
        } else {
            "".into()
        };
        let target = format!("{}?{}", request.path, request.query);
        Self {
            service: request.service,
            method: request.method.clone(),
            // Asks with an id that nobody has, to see whether it may ask at all.
            target: match target.split_once("/brute-force/users/") {
                Some((start, _)) => start.to_owned(),
                None => target,
            },
            body: body.into_owned(),
        }
    }

    /// As [`When`] has it.
    fn fits(&self, other: &Self) -> bool {
        self.service == other.service
            && self.method == other.method
            && other.target.contains(&self.target)
            && other.body.contains(&self.body)
    }
}

pub fn is_batch(request: &RecordedRequest) -> bool {
    request.service == Service::Graph && request.path.ends_with("/$batch")
}

/// The parts of a batch; nothing of other requests.
pub fn parts(request: &RecordedRequest) -> Vec<Value> {
    if !is_batch(request) {
        return Vec::new();
    }
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    body["requests"].as_array().unwrap().clone()
}

/// Whether a request changes anything in Entra.
pub fn is_write(request: &RecordedRequest) -> bool {
    parts(request).iter().any(|part| part["method"] != "GET")
}

/// The places of the requests that write.
pub fn writes(requests: &[RecordedRequest]) -> Vec<usize> {
    let is_write = |at: &usize| is_write(&requests[*at]);
    (0..requests.len()).filter(is_write).collect()
}

pub fn shown(request: &RecordedRequest) -> String {
    let parts: Vec<String> = parts(request)
        .iter()
        .map(|part| {
            let url = part["url"].as_str().unwrap();
            let path = url.split('?').next().unwrap();
            format!("{} {path}", part["method"].as_str().unwrap())
        })
        .collect();
    format!("{} {} {}", request.method, request.path, parts.join(", "))
}

/// The directories, without what differs from run to run: ids of new accounts, and times.
#[derive(Debug, PartialEq, Eq)]
struct State {
    accounts: Vec<String>,
    groups: BTreeMap<String, BTreeSet<String>>,
}

impl State {
    fn of(stage: &Stage) -> Self {
        stage.sandbox.with_world(|world| {
            let entra = &*world.entra;
            let mut accounts: Vec<String> = entra
                .users
                .values()
                .map(|user| {
                    let user = User {
                        id: String::new(),
                        created: None,
                        external_user_state_changed: None,
                        ..user.clone()
                    };
                    format!("{user:?}")
                })
                .collect();
            accounts.sort();
            let members =
                |members: &BTreeSet<String>| members.iter().map(|id| name_of(entra, id)).collect();
            let groups = entra.groups.values();
            Self {
                accounts,
                groups: groups
                    .map(|group| (group.display_name.clone(), members(&group.members)))
                    .collect(),
            }
        })
    }
}

fn name_of(entra: &EntraWorld, id: &str) -> String {
    let user = entra.users.get(id).map(|user| &user.user_principal_name);
    let group = entra.groups.get(id).map(|group| &group.display_name);
    user.or(group).map_or(id, String::as_str).to_owned()
}

/// The plan on disk without the addresses of the sandbox, the time, and what is computed from these.
fn plan_text(stage: &Stage) -> String {
    let text = std::fs::read_to_string(stage.path("plan.json")).unwrap();
    let lines = text
        .replace(&format!("\"{}\"", stage.sandbox.keycloak_url()), "KEYCLOAK")
        .replace(&format!("\"{}\"", stage.sandbox.graph_url()), "GRAPH");
    let differs = |line: &&str| {
        ["plan_id", "created_at", "config_sha256"]
            .iter()
            .any(|name| line.starts_with(&format!("  \"{name}\": ")))
    };
    let lines: Vec<&str> = lines.lines().filter(|line| !differs(line)).collect();
    assert_eq!(lines.len() + 3, text.lines().count());
    lines.join("\n")
}

/// Every single thing that was asked of Entra so far, in words that are the same in every sandbox. What fits no word stands as it was
/// sent.
fn single_writes(stage: &Stage) -> BTreeSet<String> {
    let requests = stage.sandbox.requests();
    let is_login = |request: &RecordedRequest| {
        request.path.ends_with("/token") || request.path.ends_with("/logout")
    };
    stage.sandbox.with_world(|world| {
        let entra = &*world.entra;
        let mut writes = BTreeSet::new();
        for request in requests {
            if is_batch(&request) {
                writes.extend(
                    parts(&request)
                        .iter()
                        .filter(|part| part["method"] != "GET")
                        .flat_map(|part| writes_of(entra, part)),
                );
            } else if request.method != Method::GET && !is_login(&request) {
                writes.insert(shown(&request));
            }
        }
        writes
    })
}

fn writes_of(entra: &EntraWorld, part: &Value) -> Vec<String> {
    let name = |id: &str| name_of(entra, id.rsplit('/').next().unwrap());
    let segments: Vec<&str> = part["url"].as_str().unwrap().split('/').skip(1).collect();
    let body = &part["body"];
    match (part["method"].as_str().unwrap(), segments.as_slice()) {
        ("POST", ["invitations"]) => vec![format!("invite {}", body["invitedUserEmailAddress"])],
        ("PATCH", ["users", id]) => body
            .as_object()
            .unwrap()
            .iter()
            .map(|(field, value)| format!("set {field} of {} to {value}", name(id)))
            .collect(),
        ("PATCH", ["groups", group]) => body["members@odata.bind"]
            .as_array()
            .unwrap()
            .iter()
            .map(|member| format!("add {} to {}", name(member.as_str().unwrap()), name(group)))
            .collect(),
        ("POST", ["groups", group, "members", "$ref"]) => {
            let member = body["@odata.id"].as_str().unwrap();
            vec![format!("add {} to {}", name(member), name(group))]
        }
        ("DELETE", ["groups", group, "members", member, "$ref"]) => {
            vec![format!("remove {} from {}", name(member), name(group))]
        }
        _ => vec![part.to_string()],
    }
}

/// Waits that do not make many runs slow: a lost invitation is looked for for a fiftieth of a second.
pub fn brief() -> Timing {
    Timing {
        longest_retry_after: Duration::from_millis(100),
        ..quick()
    }
}

/// Nothing special about the directories.
pub fn as_it_is(_: &mut World) {}

/// Lists do not show new accounts for as long as a test lasts.
pub fn lagging(world: &mut World) {
    world.entra.behaviour.replication = Replication {
        list: Duration::from_secs(3_600),
        ..Replication::default()
    };
}

/// Plays cases on both cores, several at a time on each, as most of a case is waiting; one crew plays many of them, one after the other.
pub fn on_both_cores<C: Sync, T: Send>(
    cases: &[C],
    change: fn(&mut World),
    play: impl AsyncFn(&Crew, &C) -> T + Sync,
) -> Vec<T> {
    const AT_ONCE: usize = 8;
    let next = AtomicUsize::new(0);
    let play_some = async || {
        let crew = Crew::new(change).await;
        let mut played = Vec::new();
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            played.push(play(&crew, case).await);
        }
        played
    };
    let on_one_core = || -> Vec<Vec<T>> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let crews = (0..AT_ONCE).map(|_| play_some());
        runtime.unwrap().block_on(join_all(crews))
    };
    std::thread::scope(|scope| {
        let threads = [scope.spawn(on_one_core), scope.spawn(on_one_core)];
        let played = threads.map(|thread| thread.join().unwrap());
        played.into_iter().flatten().flatten().collect()
    })
}
