//! Invitations as people send them: what the mail says, and whoever could have an account back.

use std::collections::BTreeSet;

use keycloak_to_azure::plan::ProblemCode;
use keycloak_to_azure::plan_file;
use keycloak_to_azure::sandbox::exchange::Response;
use keycloak_to_azure::sandbox::graph::User;
use keycloak_to_azure::sandbox::{Fault, RecordedRequest, Service, When, World, seed};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::crew::parts;
use crate::house::plan;
use crate::program::{Stage, quick};

const DANA: &str = "dana@partner.example";
const DELETED: &str = "00000000-0000-4000-8000-00000000dada";
const LIST: &str = "/directory/deletedItems/microsoft.graph.user";

const MAILS: &str = "invitations:
  send_email: true
  message: |
    Welcome to Acme!

    Ask *Bea* <bea@acme.example>.
  language: de-de
  cc: People@acme.example
";

async fn company_that_mails() -> Stage {
    let mut stage = Stage::company().await;
    stage.configure(&(stage.configuration() + MAILS));
    stage.set(
        "KEYCLOAK_TO_AZURE_REDACT_KEY",
        &"0123456789abcdef".repeat(2),
    );
    stage
}

/// Plans, and returns what is shown.
async fn planned(stage: &Stage) -> String {
    let planned = stage.run("plan --out @plan.json").await;
    assert_eq!(planned.status, 0, "{}", planned.err);
    planned.out
}

/// The bodies of the invitations that were sent.
fn invitations(stage: &Stage) -> Vec<Value> {
    let requests = stage.sandbox.requests();
    let parts = requests.iter().flat_map(parts);
    let invitations = parts.filter(|part| part["url"] == "/invitations");
    invitations.map(|part| part["body"].clone()).collect()
}

/// What was printed, without how it was wrapped.
fn flat(text: &str) -> String {
    let words = text.split_whitespace().filter(|word| *word != "|");
    words.collect::<Vec<_>>().join(" ")
}

/// How often deleted accounts were listed.
fn lists_of_deleted(stage: &Stage) -> usize {
    let is_list = |request: &RecordedRequest| request.path.contains("deletedItems");
    let requests = stage.sandbox.requests();
    requests.into_iter().filter(is_list).count()
}

/// Deletes an account that Dana had.
fn delete_danas_account(world: &mut keycloak_to_azure::sandbox::WorldMut<'_>) {
    let account = User::invited(DELETED, DANA, "acme.onmicrosoft.com", "Dana Diaz");
    world.entra.insert_user(account);
    world.entra.delete_user(DELETED, "2025-12-24T17:30:00Z");
}

#[tokio::test]
async fn a_mail_is_reviewed_and_sent_as_it_was_reviewed() {
    let stage = company_that_mails().await;
    let shown = planned(&stage).await;
    for line in [
        "    Microsoft mails the invitation in de-DE (which it ignores where the mail has a text), with a",
        "    The mail is given this text, which Microsoft leaves out where an app invites, or somebody",
        "    > Welcome to Acme!\n    >\n    > Ask *Bea* <bea@acme.example>.\n",
    ] {
        assert!(shown.contains(line), "{shown}");
    }
    assert!(shown.contains("copy to people@acme.example"), "{shown}");
    let markdown = stage.run("show @plan.json --format markdown").await.out;
    assert!(
        markdown.contains("```text\n> Welcome to Acme!\n>\n> Ask *Bea* <bea@acme.example>.\n```\n"),
        "{markdown}"
    );

    let applied = stage.run("apply @plan.json").await;
    assert_eq!(applied.out, "8 done\n", "{}", applied.err);
    let [invitation] = &invitations(&stage)[..] else {
        panic!();
    };
    assert_eq!(invitation["sendInvitationMessage"], true);
    assert_eq!(
        invitation["invitedUserMessageInfo"],
        json!({
            "customizedMessageBody": "Welcome to Acme!\n\nAsk *Bea* <bea@acme.example>.",
            "messageLanguage": "de-DE",
            "ccRecipients": [{"emailAddress": {"address": "people@acme.example"}}],
        })
    );
}

#[tokio::test]
async fn without_a_word_about_mails_nothing_is_said_of_them() {
    let stage = Stage::company().await;
    planned(&stage).await;
    assert_eq!(stage.run("apply @plan.json").await.status, 0);
    let fields = invitations(&stage)[0].as_object().unwrap().clone();
    let fields: Vec<String> = fields.keys().cloned().collect();
    assert_eq!(
        fields,
        [
            "inviteRedirectUrl",
            "invitedUserDisplayName",
            "invitedUserEmailAddress",
            "invitedUserType",
            "sendInvitationMessage"
        ]
    );
}

#[tokio::test]
async fn a_mail_that_was_not_reviewed_is_not_sent() {
    let stage = company_that_mails().await;
    planned(&stage).await;
    stage.configure(
        &stage
            .configuration()
            .replace("Welcome to Acme!", "Welcome!"),
    );
    let applied = stage.run("apply @plan.json").await;
    assert_eq!(applied.status, 4, "{}", applied.out);
    assert!(
        flat(&applied.out).contains("the invitation itself is to be another since the review"),
        "{}",
        applied.out
    );
    assert_eq!(invitations(&stage), Vec::<Value>::new());
}

#[tokio::test]
async fn in_public_nobody_is_named_by_a_mail() {
    let stage = company_that_mails().await;
    planned(&stage).await;
    for format in ["text", "markdown"] {
        let line = format!("show @plan.json --redact --format {format}");
        let shown = stage.run(&line).await.out;
        for name in ["Bea", "bea@", "people@", "Welcome"] {
            assert!(!shown.contains(name), "{name}: {shown}");
        }
        assert!(
            flat(&shown).contains("with a copy to") && shown.contains("> (redacted)"),
            "{shown}"
        );
    }
}

#[tokio::test]
async fn check_says_what_microsoft_leaves_out_of_a_mail() {
    let stage = company_that_mails().await;
    let checked = stage.run("check").await;
    assert_eq!(checked.status, 0, "{}", checked.err);
    assert!(
        checked.out.ends_with(
            "Mappings   3 of 3 resolve\n\
             Mails      Microsoft leaves `invitations.message` out, because an app invites\n           \
             where a mail has a text, Microsoft ignores `invitations.language`\n"
        ),
        "{}",
        checked.out
    );
}

#[tokio::test]
async fn whoever_could_have_an_account_back_is_not_invited() {
    let stage = Stage::company().await;
    stage.sandbox.with_world(delete_danas_account);
    let shown = planned(&stage).await;
    let said = format!(
        "! dana@partner.example is the address of an account that was deleted:\n    \
         | {DELETED} (Dana Diaz, deleted on 24 December 2025)\n    \
         restore the account in Entra (Users, Deleted users; for 30 days) or delete it there for good,\n  \
         | and plan again\n"
    );
    assert!(shown.contains(&said), "{shown}");
    let plan = plan(&stage).unwrap();
    assert_eq!((plan.summary.invite, plan.summary.add), (0, 2));
    let codes = plan.problems.iter().map(|problem| problem.code);
    assert!(
        codes
            .collect::<BTreeSet<_>>()
            .contains(&ProblemCode::DeletedAccount)
    );

    let explained = stage.run("explain dana@partner.example").await;
    assert!(explained.out.contains(DELETED), "{}", explained.out);
    assert!(
        explained.out.contains("So nothing changes"),
        "{}",
        explained.out
    );

    assert_eq!(stage.run("apply @plan.json").await.status, 0);
    assert_eq!(invitations(&stage), Vec::<Value>::new());

    // Deleted for good, nobody stands in the way.
    stage
        .sandbox
        .with_world(|world| world.entra.deleted_users.clear());
    planned(&stage).await;
    let applied = stage.run("apply @plan.json --report @second.jsonl").await;
    assert_eq!(applied.out, "2 done\n", "{}", applied.err);
}

#[tokio::test]
async fn whoever_has_the_account_back_is_added_with_it() {
    let stage = Stage::company().await;
    stage.sandbox.with_world(delete_danas_account);
    stage
        .sandbox
        .with_world(|world| world.entra.restore_user(DELETED));
    let shown = planned(&stage).await;
    assert!(!shown.contains("Invite\n"), "{shown}");
    assert_eq!(stage.run("apply @plan.json").await.status, 0);
    stage.sandbox.with_world(|world| {
        let mut groups = world.entra.groups.values();
        assert!(groups.any(|group| group.members.contains(DELETED)));
    });
}

#[tokio::test]
async fn an_account_that_was_deleted_since_the_review_stops_the_invitation() {
    let stage = Stage::company().await;
    planned(&stage).await;
    stage.sandbox.with_world(delete_danas_account);
    for line in ["apply @plan.json --dry-run", "apply @plan.json"] {
        let applied = stage.run(line).await;
        assert_eq!(applied.status, 4, "{}", applied.out);
        assert_eq!(
            applied.out.matches(&format!("deleted: {DELETED}")).count(),
            2,
            "{}",
            applied.out
        );
    }
    assert_eq!(invitations(&stage), Vec::<Value>::new());
}

#[tokio::test]
async fn an_account_that_was_deleted_since_it_was_invited_is_not_waited_for() {
    let stage = Stage::company().await;
    planned(&stage).await;
    assert_eq!(stage.run("apply @plan.json").await.status, 0);
    let invited = invitations(&stage).len();
    stage.sandbox.with_world(|world| {
        let mut users = world.entra.users.values();
        let dana = users.find(|user| user.mail.as_deref() == Some("dana@partner.example"));
        let dana = dana.unwrap().id.clone();
        world.entra.delete_user(&dana, "2026-11-01T08:00:00Z");
    });
    let applied = stage.run("apply @plan.json").await;
    assert_eq!(applied.status, 4, "{}", applied.out);
    assert!(
        applied
            .err
            .contains("as which dana@partner.example was invited, was deleted since"),
        "{}",
        applied.err
    );
    assert!(
        flat(&applied.out).contains("is the address of an account that was deleted"),
        "{}",
        applied.out
    );
    assert_eq!(invitations(&stage).len(), invited);
}

#[tokio::test]
async fn deleted_accounts_are_listed_once_and_only_if_somebody_is_to_be_invited() {
    let stage = Stage::company().await;
    planned(&stage).await;
    assert_eq!(lists_of_deleted(&stage), 1);
    assert_eq!(stage.run("apply @plan.json").await.status, 0);
    assert_eq!(lists_of_deleted(&stage), 2);
    stage.sandbox.forget_requests();
    planned(&stage).await;
    assert_eq!(lists_of_deleted(&stage), 0);
    // One to invite, but into a group that this plan leaves out.
    let other = Stage::company().await;
    let line = "plan --out @plan.json --group acme-support";
    assert_eq!(other.run(line).await.status, 0);
    assert_eq!(lists_of_deleted(&other), 0);
}

#[tokio::test]
async fn however_many_were_deleted_whoever_is_to_be_invited_is_found_among_them() {
    let mut world = seed::world();
    for number in 0..2_500 {
        let id = format!("00000000-0000-4000-8000-{number:012x}");
        let address = format!("gone{number}@partner.example");
        let account = User::invited(&id, &address, "acme.onmicrosoft.com", "Gone");
        world.entra.insert_user(account);
        world.entra.delete_user(&id, "2025-12-24T17:30:00Z");
    }
    let stage = Stage::with(world).await;
    stage.sandbox.with_world(delete_danas_account);
    let shown = planned(&stage).await;
    assert_eq!(lists_of_deleted(&stage), 3);
    assert!(shown.contains(DELETED), "{shown}");
}

fn refused(status: StatusCode, code: &str) -> Fault {
    let error = json!({"error": {"code": code, "message": "Insufficient privileges to complete the operation, said dana."}});
    Fault::Answer(Response::json(status, &error))
}

fn list_of_deleted() -> When {
    When::to(Service::Graph).path(LIST)
}

#[tokio::test]
async fn where_deleted_accounts_may_not_be_seen_the_rest_goes_on_and_it_is_said_once() {
    let stage = Stage::company().await;
    planned(&stage).await;
    let expected = plan(&stage).unwrap();
    let forbidden = || refused(StatusCode::FORBIDDEN, "Authorization_RequestDenied");
    stage
        .sandbox
        .faults()
        .add(list_of_deleted(), 5, forbidden());
    let said = "Entra does not show which accounts were deleted (403)";
    let again = stage.run("plan --out @blind.json").await;
    assert_eq!(again.status, 0, "{}", again.err);
    let shown = flat(&again.out);
    assert!(
        shown.contains(said) && shown.contains("User.Read.All"),
        "{shown}"
    );
    let blind = plan_file::read(&stage.path("blind.json")).unwrap();
    let hidden = blind
        .problems
        .iter()
        .find(|it| it.code == ProblemCode::DeletedAccountsHidden);
    assert!(!hidden.unwrap().code.leaves_as_is());
    assert_eq!(blind.problems.len(), expected.problems.len() + 1);
    assert_eq!(blind.changes, expected.changes);
    assert_ne!(
        blind.plan_id, expected.plan_id,
        "a reviewer is shown another plan"
    );
    let explained = stage.run("explain dana@partner.example").await;
    assert!(flat(&explained.out).contains(said), "{}", explained.out);
    let member = stage.run("explain eve@partner.example").await;
    assert!(!flat(&member.out).contains(said), "{}", member.out);
    // What the approved plan says is no news; what it does not say is.
    let rehearsed = stage.run("apply @blind.json --dry-run").await;
    assert_eq!(rehearsed.status, 0, "{}", rehearsed.err);
    assert!(!rehearsed.err.contains(said), "{}", rehearsed.err);
    let applied = stage.run("apply @plan.json").await;
    assert_eq!(applied.out, "8 done\n", "{}", applied.err);
    assert_eq!(applied.err.matches(said).count(), 1, "{}", applied.err);
    assert_eq!(stage.sandbox.faults().pending(), 0);
}

#[tokio::test]
async fn where_they_cannot_be_read_there_is_no_plan_and_nobody_is_invited() {
    let faults: [fn() -> Fault; 5] = [
        || Fault::status(503),
        || Fault::html(502),
        || refused(StatusCode::BAD_REQUEST, "Request_UnsupportedQuery"),
        || Fault::EmptyBody,
        || {
            let page = json!({"value": [], "@odata.nextLink": "https://graph.evil.example/v1.0/directory"});
            Fault::Answer(Response::json(StatusCode::OK, &page))
        },
    ];
    for fault in faults {
        let stage = Stage::company().await;
        stage
            .sandbox
            .faults()
            .add(list_of_deleted(), 1_000, fault());
        let few = || keycloak_to_azure::http::Timing {
            tries: 2,
            ..quick()
        };
        let failed = stage.run_with("plan --out @plan.json", few()).await;
        assert_eq!(failed.status, 1, "{}", failed.out);
        assert!(
            failed.err.contains("failed to read deleted accounts"),
            "{}",
            failed.err
        );
        assert!(plan(&stage).is_none());
        stage.sandbox.faults().clear();
        planned(&stage).await;
        stage
            .sandbox
            .faults()
            .add(list_of_deleted(), 1_000, fault());
        let failed = stage.run_with("apply @plan.json", few()).await;
        assert_eq!(failed.status, 1, "{}", failed.out);
        assert_eq!(stage.writes(), Vec::<String>::new());
    }
}

/// A name in a deleted account is as hostile as any other.
#[tokio::test]
async fn the_name_of_a_deleted_account_cannot_forge_a_line() {
    let mut world: World = seed::world();
    let name = "Dana\u{1b}[2K\n  + Eve Evil";
    let account = User::invited(DELETED, DANA, "acme.onmicrosoft.com", name);
    world.entra.insert_user(account);
    world.entra.delete_user(DELETED, "2025-12-24T17:30:00Z");
    let stage = Stage::with(world).await;
    let shown = planned(&stage).await;
    assert!(shown.contains("Dana\\u{1b}[2K\\n"), "{shown}");
    assert!(!shown.contains("\n  + Eve Evil"), "{shown}");
}
