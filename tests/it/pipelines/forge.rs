//! What the pipelines reach over the network besides the two directories: one pull request with its comments, as GitHub, GitLab and Azure
//! DevOps serve it; the program's release; and GitHub's word for the job that it runs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::scene::{ISSUER_OF_GITHUB, federated_token};

/// The pull request, and the commit that it was merged with.
pub const NUMBER: &str = "7";
pub const COMMIT: &str = "4f2c1e0b9d8a7c6b5a49382716059483726150a1";

/// Whoever the pipelines comment as.
pub const PIPELINE: &str = "the pipeline";

#[derive(Debug, Clone)]
pub struct Comment {
    pub author: String,
    pub body: String,
}

/// A folder that a run keeps.
#[derive(Debug, Clone)]
struct Kept {
    run: String,
    name: String,
    folder: PathBuf,
}

#[derive(Default)]
struct Contents {
    /// In the order in which they were written; each is called by its place, counted from 1.
    comments: Vec<Comment>,
    release: Vec<u8>,
    is_public: bool,
    /// Who let the run into its environment.
    approved_by: String,
    /// In the order in which they were kept; on GitLab, where jobs keep them, each is called by its place, counted from 1.
    kept: Vec<Kept>,
    /// Runs of branches, which nobody has approved.
    of_branches: BTreeSet<String>,
}

pub struct Forge {
    pub url: String,
    contents: Arc<Mutex<Contents>>,
}

impl Forge {
    pub async fn open(release: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let contents = Contents {
            release,
            approved_by: "reviewer".to_owned(),
            ..Contents::default()
        };
        let contents = Arc::new(Mutex::new(contents));
        let router = Router::new()
            .fallback(serve)
            .with_state(Arc::clone(&contents));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, contents }
    }

    pub fn make_public(&self) {
        lock(&self.contents).is_public = true;
    }

    pub fn is_public(&self) -> bool {
        lock(&self.contents).is_public
    }

    /// Somebody else lets runs into their environment from now on.
    pub fn approve_as(&self, login: &str) {
        login.clone_into(&mut lock(&self.contents).approved_by);
    }

    /// A run keeps a folder.
    pub fn keep(&self, run: &str, name: &str, folder: &Path) {
        lock(&self.contents).kept.push(Kept {
            run: run.to_owned(),
            name: name.to_owned(),
            folder: folder.to_owned(),
        });
    }

    /// A run turns out to be one of a branch.
    pub fn is_of_branch(&self, run: &str) {
        lock(&self.contents).of_branches.insert(run.to_owned());
    }

    /// What a run has kept: names and folders.
    pub fn kept(&self, run: &str) -> Vec<(String, PathBuf)> {
        lock(&self.contents).kept(run)
    }

    /// Somebody writes a comment.
    pub fn comment(&self, author: &str, body: &str) {
        let (author, body) = (author.to_owned(), body.to_owned());
        lock(&self.contents).comments.push(Comment { author, body });
    }

    pub fn forget_comments(&self) {
        lock(&self.contents).comments.clear();
    }

    /// The comments of the pipeline.
    pub fn comments(&self) -> Vec<String> {
        let contents = lock(&self.contents);
        let mine = contents.comments.iter();
        mine.filter(|comment| comment.author == PIPELINE)
            .map(|comment| comment.body.clone())
            .collect()
    }

    /// The comments of everybody else.
    pub fn of_others(&self) -> Vec<String> {
        let contents = lock(&self.contents);
        let theirs = contents.comments.iter();
        theirs
            .filter(|comment| comment.author != PIPELINE)
            .map(|comment| comment.body.clone())
            .collect()
    }
}

fn lock(contents: &Mutex<Contents>) -> MutexGuard<'_, Contents> {
    contents.lock().unwrap()
}

async fn serve(
    State(contents): State<Arc<Mutex<Contents>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut contents = lock(&contents);
    let path: Vec<&str> = uri.path().split('/').skip(1).collect();
    let query = uri.query().unwrap_or_default();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let header = |name: &str| {
        headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    };
    let answer = match path.as_slice() {
        [
            "releases",
            "v1.2.3",
            "keycloak-to-azure-1.2.3-x86_64-unknown-linux-musl.tar.gz",
        ] => {
            return contents.release.clone().into_response();
        }
        ["oidc", environment] => {
            let subject = format!("repo:acme/sync:environment:{environment}");
            Some(json!({"value": federated_token(ISSUER_OF_GITHUB, &subject)}))
        }
        ["github", rest @ ..] if header("authorization") == "Bearer github-token" => {
            github(&mut contents, &method, rest, query, &body)
        }
        ["gitlab", rest @ ..] if header("private-token") == "comment-token" => {
            return gitlab(&mut contents, &method, rest, query, &body);
        }
        ["gitlab", "projects", "5", rest @ ..] if header("job-token") == "job-token" => {
            return gitlab_jobs(&contents, rest, query);
        }
        ["azure", rest @ ..] if header("authorization") == "Bearer build-token" => {
            azure(&mut contents, &method, rest, &body)
        }
        _ => None,
    };
    answer.map_or_else(
        || StatusCode::NOT_FOUND.into_response(),
        |answer| answer.to_string().into_response(),
    )
}

/// Some of a list, as its query says, and what the next page is called.
fn page(all: Vec<Value>, query: &str) -> (Vec<Value>, String) {
    let parameter = |name: &str, default: usize| {
        let value = query
            .split('&')
            .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        value.map_or(default, |value| value.parse().unwrap())
    };
    let (size, number) = (parameter("per_page", 20).min(100), parameter("page", 1));
    let is_last = all.len() <= size * number;
    let next = if is_last {
        String::new()
    } else {
        (number + 1).to_string()
    };
    let on_it = all.into_iter().skip(size * (number - 1)).take(size);
    (on_it.collect(), next)
}

impl Contents {
    fn write(&mut self, body: &Value) {
        self.comments.push(Comment {
            author: PIPELINE.to_owned(),
            body: body.as_str().unwrap().to_owned(),
        });
    }

    fn kept(&self, run: &str) -> Vec<(String, PathBuf)> {
        let kept = self.kept.iter().filter(|kept| kept.run == run);
        kept.map(|kept| (kept.name.clone(), kept.folder.clone()))
            .collect()
    }

    fn branch_of(&self, run: &str) -> &'static str {
        if self.of_branches.contains(run) {
            "more-people"
        } else {
            "main"
        }
    }

    /// Only one's own comments can be changed.
    fn change(&mut self, id: &str, body: &Value) -> Option<()> {
        let id: usize = id.parse().ok()?;
        let comment = self.comments.get_mut(id - 1)?;
        assert_eq!(comment.author, PIPELINE);
        body.as_str()?.clone_into(&mut comment.body);
        Some(())
    }

    fn numbered(&self) -> impl DoubleEndedIterator<Item = (usize, &Comment)> {
        (1..)
            .zip(self.comments.iter())
            .collect::<Vec<_>>()
            .into_iter()
    }
}

fn github(
    contents: &mut Contents,
    method: &Method,
    path: &[&str],
    query: &str,
    body: &Value,
) -> Option<Value> {
    let ["repos", "acme", "sync", rest @ ..] = path else {
        return None;
    };
    match (method.as_str(), rest) {
        ("GET", []) => Some(json!({"private": !contents.is_public})),
        ("GET", ["commits", COMMIT, "pulls"]) => Some(json!([{"number": 7}])),
        ("GET", ["actions", "runs", run, "approvals"]) if contents.of_branches.contains(*run) => {
            Some(json!([]))
        }
        ("GET", ["actions", "runs", _, "approvals"]) => Some(json!([{
            "state": "approved",
            "user": {"login": contents.approved_by},
            "environments": [{"name": "entra-apply"}],
        }])),
        ("GET", ["actions", "runs", run, "artifacts"]) => {
            let artifacts = contents.kept(run).into_iter();
            // Beside what GitHub says, where the files are.
            let artifacts = artifacts
                .map(|(name, folder)| json!({"name": name, "expired": false, "folder": folder}));
            Some(json!({"artifacts": artifacts.collect::<Vec<_>>()}))
        }
        ("GET", ["issues", NUMBER, "comments"]) => {
            let all = contents.numbered().map(|(id, comment)| {
                let login = match comment.author.as_str() {
                    PIPELINE => "github-actions[bot]",
                    other => other,
                };
                json!({"id": id, "user": {"login": login}, "body": comment.body})
            });
            Some(page(all.collect(), query).0.into())
        }
        ("POST", ["issues", NUMBER, "comments"]) => {
            contents.write(&body["body"]);
            Some(json!({}))
        }
        ("PATCH", ["issues", "comments", id]) => {
            contents.change(id, &body["body"])?;
            Some(json!({}))
        }
        _ => None,
    }
}

fn gitlab(
    contents: &mut Contents,
    method: &Method,
    path: &[&str],
    query: &str,
    body: &Value,
) -> Response {
    let answer = match (method.as_str(), path) {
        ("GET", ["user"]) => json!({"id": 41}),
        (
            "GET",
            [
                "projects",
                "5",
                "repository",
                "commits",
                COMMIT,
                "merge_requests",
            ],
        ) => {
            json!([{"iid": 7}])
        }
        ("GET", ["projects", "5", "merge_requests", NUMBER, "notes"]) => {
            // The newest first.
            let all = contents.numbered().rev().map(|(id, comment)| {
                let author = if comment.author == PIPELINE { 41 } else { 40 };
                json!({"id": id, "author": {"id": author}, "body": comment.body})
            });
            let (notes, next) = page(all.collect(), query);
            return ([("X-Next-Page", next)], Value::from(notes).to_string()).into_response();
        }
        ("POST", ["projects", "5", "merge_requests", NUMBER, "notes"]) => {
            contents.write(&body["body"]);
            json!({})
        }
        ("PUT", ["projects", "5", "merge_requests", NUMBER, "notes", id])
            if contents.change(id, &body["body"]).is_some() =>
        {
            json!({})
        }
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    answer.to_string().into_response()
}

/// What a job may read with its own token.
fn gitlab_jobs(contents: &Contents, path: &[&str], query: &str) -> Response {
    match path {
        ["pipelines", pipeline, "jobs"] => {
            assert!(query.contains("include_retried=true"));
            let jobs = (1..).zip(&contents.kept);
            let jobs = jobs.filter(|(_, kept)| kept.run == *pipeline);
            let jobs = jobs.map(|(id, kept)| {
                let file = json!({"filename": "artifacts.zip"});
                let branch = contents.branch_of(&kept.run);
                json!({"id": id, "name": kept.name, "ref": branch, "tag": false, "artifacts_file": file})
            });
            Value::from(jobs.collect::<Vec<_>>())
                .to_string()
                .into_response()
        }
        ["jobs", id, "artifacts", "review", name] => {
            let folder = &contents.kept[id.parse::<usize>().unwrap() - 1].folder;
            let file = std::fs::read(folder.join(name));
            file.map_or_else(
                |_| StatusCode::NOT_FOUND.into_response(),
                IntoResponse::into_response,
            )
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

fn azure(contents: &mut Contents, method: &Method, path: &[&str], body: &Value) -> Option<Value> {
    match (method.as_str(), path) {
        ("GET", ["_apis", "connectionData"]) => {
            return Some(json!({"authenticatedUser": {"id": "build service"}}));
        }
        ("GET", ["_apis", "projects", "project"]) => {
            let visibility = if contents.is_public {
                "public"
            } else {
                "private"
            };
            return Some(json!({"visibility": visibility}));
        }
        ("GET", ["project", "_apis", "build", "builds", run]) => {
            let branch = format!("refs/heads/{}", contents.branch_of(run));
            return Some(json!({"sourceBranch": branch, "definition": {"id": 3}}));
        }
        _ => {}
    }
    let [
        "project",
        "_apis",
        "git",
        "repositories",
        "repository",
        rest @ ..,
    ] = path
    else {
        return None;
    };
    match (method.as_str(), rest) {
        ("POST", ["pullrequestquery"]) => {
            let query = json!({"type": "lastMergeCommit", "items": [COMMIT]});
            assert_eq!(body["queries"], json!([query]));
            Some(json!({"results": [{COMMIT: [{"pullRequestId": 7}]}]}))
        }
        ("GET", ["pullRequests", NUMBER, "threads"]) => {
            let threads = contents.numbered().map(|(id, comment)| {
                let author = match comment.author.as_str() {
                    PIPELINE => "build service",
                    other => other,
                };
                let comment = json!({"id": 1, "author": {"id": author}, "content": comment.body});
                json!({"id": id, "comments": [comment]})
            });
            let threads: Vec<Value> = threads.collect();
            Some(json!({"value": threads}))
        }
        ("POST", ["pullRequests", NUMBER, "threads"]) => {
            contents.write(&body["comments"][0]["content"]);
            Some(json!({}))
        }
        ("PATCH", ["pullRequests", NUMBER, "threads", id, "comments", "1"]) => {
            contents.change(id, &body["content"])?;
            Some(json!({}))
        }
        _ => None,
    }
}
