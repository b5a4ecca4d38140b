//! The writer against a Graph of a few lines.

use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::Writer;
use super::fixture::{
    ALL_ROLES, Asked, Fixture, Reply, Script, done, not_there, ok, otherwise, refuse,
};
use crate::execute::{AccountUpdate, Directory, Invitation, Membership, WriteErrorKind};
use crate::model::{ObjectId, UserType};
use crate::plan::{ClearedNames, NewAccount};

fn id(number: usize) -> ObjectId {
    format!("00000000-0000-4000-8000-{number:012}")
        .parse()
        .unwrap()
}

fn named(display_name: Option<&str>) -> NewAccount {
    NewAccount {
        user_type: Some(UserType::Member),
        display_name: display_name.map(str::to_owned),
        given_name: None,
        surname: None,
    }
}

fn invitation(email: &str) -> Invitation {
    Invitation {
        email: email.parse().unwrap(),
        set: named(Some("Ann Ash")),
        redirect_url: "https://portal.azure.com/x".to_owned(),
        send_email: false,
        message: None,
        language: None,
        cc: None,
    }
}

fn accepted(number: usize) -> Reply {
    Reply::Json(
        201,
        json!({"invitedUser": {"id": id(number)}, "inviteRedeemUrl": "https://login/redeem?rd=secret"}),
    )
}

fn guest(number: usize, email: &str) -> Value {
    json!({"id": id(number), "userPrincipalName": format!("{}#EXT#@acme.onmicrosoft.com", email.replace('@', "_")), "mail": email, "creationType": "Invitation"})
}

fn membership(group: usize, account: usize, is_new: bool) -> Membership {
    Membership {
        group: id(group),
        account: id(account),
        is_new,
    }
}

fn already() -> Reply {
    refuse(
        400,
        "Request_BadRequest",
        "One or more added object references already exist for the following modified properties: 'members'.",
    )
}

fn denied() -> Reply {
    refuse(
        403,
        "Authorization_RequestDenied",
        "Insufficient privileges to complete the operation.",
    )
}

async fn writer_for(fixture: &Fixture) -> Writer {
    let reader = fixture.connect().await.unwrap();
    let _ = fixture.take_log();
    Writer::new(&reader)
}

async fn start(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> (Fixture, Writer) {
    let fixture = Fixture::start(answer).await;
    let writer = writer_for(&fixture).await;
    (fixture, writer)
}

fn count(log: &[Asked], method: &str, part_of_path: &str) -> usize {
    log.iter()
        .filter(|asked| asked.method == method && asked.path.contains(part_of_path))
        .count()
}

#[tokio::test]
async fn invitations_say_what_is_set_and_nothing_else() {
    let (fixture, writer) = start(|asked| match asked.path.as_str() {
        "/invitations" => accepted(7),
        _ => otherwise(),
    })
    .await;
    let invited = writer.invite(&[invitation("ann@partner.example")]).await;
    assert_eq!(invited[0].as_ref().unwrap().account, id(7));
    assert_eq!(
        fixture.take_requests()[0].body,
        json!({
            "invitedUserEmailAddress": "ann@partner.example", "inviteRedirectUrl": "https://portal.azure.com/x",
            "sendInvitationMessage": false, "invitedUserType": "Member", "invitedUserDisplayName": "Ann Ash",
        })
    );
}

#[tokio::test]
async fn a_mail_is_given_what_is_said_of_it_and_nothing_else() {
    let (fixture, writer) = start(|asked| match asked.path.as_str() {
        "/invitations" => accepted(7),
        _ => otherwise(),
    })
    .await;
    let text = "Welcome \"Ann\"\n\nto Acme <b>";
    let plain = Invitation {
        send_email: true,
        ..invitation("ann@partner.example")
    };
    let every = Invitation {
        message: Some(text.to_owned()),
        language: Some("de-DE".parse().unwrap()),
        cc: Some("people@acme.example".parse().unwrap()),
        ..plain.clone()
    };
    let copy = json!([{"emailAddress": {"address": "people@acme.example"}}]);
    for (invitation, info) in [
        (plain.clone(), Value::Null),
        (
            Invitation {
                language: every.language.clone(),
                ..plain.clone()
            },
            json!({"messageLanguage": "de-DE"}),
        ),
        (
            Invitation {
                cc: every.cc.clone(),
                ..plain
            },
            json!({"ccRecipients": copy}),
        ),
        (
            every,
            json!({"customizedMessageBody": text, "messageLanguage": "de-DE", "ccRecipients": copy}),
        ),
    ] {
        let invited = writer.invite(&[invitation]).await;
        assert!(invited[0].is_ok());
        let body = &fixture.take_requests()[0].body;
        assert_eq!(body["invitedUserMessageInfo"], info);
        assert_eq!(body["sendInvitationMessage"], true);
    }
}

#[tokio::test]
async fn a_lost_answer_to_an_invitation_is_followed_by_look_ups_and_never_by_a_second_invitation() {
    for lost in [
        Reply::Hang,
        Reply::Omit,
        Reply::Raw(503, "<html>"),
        Reply::Json(
            500,
            json!({"error": {"code": "InternalServerError", "message": "x"}}),
        ),
        Reply::Json(201, json!({"invitedUser": null})),
    ] {
        let look_ups = AtomicUsize::new(0);
        let reply = lost.clone();
        let (fixture, writer) = start(move |asked| match asked.path.as_str() {
            "/invitations" => reply.clone(),
            path if path.starts_with("/users?$filter=mail")
                && look_ups.fetch_add(1, Ordering::SeqCst) > 1 =>
            {
                ok(json!({"value": [guest(7, "ann@partner.example")]}))
            }
            path if path.starts_with("/users") => ok(json!({"value": []})),
            _ => otherwise(),
        })
        .await;
        let invited = writer.invite(&[invitation("ann@partner.example")]).await;
        assert_eq!(
            invited[0].as_ref().map(|invited| &invited.account),
            Ok(&id(7)),
            "{lost:?}"
        );
        assert_eq!(
            count(&fixture.take_requests(), "POST", "/invitations"),
            1,
            "{lost:?}"
        );
    }
}

#[tokio::test]
async fn a_lost_invitation_that_is_not_found_is_unknown_and_an_account_of_somebody_else_is_not_it()
{
    let (fixture, writer) = start(|asked| match asked.path.as_str() {
        "/invitations" => Reply::Raw(502, ""),
        path if path.starts_with("/users") => ok(json!({"value": [
            {"id": id(1), "userPrincipalName": "ann@acme.example", "mail": "ann@partner.example"},
            {"id": id(2), "userPrincipalName": "x#EXT#@acme.example", "otherMails": ["ann@partner.example"]},
        ]})),
        _ => otherwise(),
    })
    .await;
    let invited = writer.invite(&[invitation("ann@partner.example")]).await;
    let error = invited[0].as_ref().unwrap_err();
    assert_eq!(error.kind, WriteErrorKind::Unknown);
    assert!(
        error.message.contains("not invited a second time"),
        "{error}"
    );
    assert_eq!(count(&fixture.take_requests(), "POST", "/invitations"), 1);
}

#[tokio::test]
async fn a_whole_batch_of_invitations_that_fails_is_looked_up() {
    let (fixture, writer) = start(|asked| match asked.path.as_str() {
        "/$batch" if asked.body.to_string().contains("/invitations") => {
            Reply::Raw(504, "<html><title>Gateway</title></html>")
        }
        path if path.starts_with("/users") => {
            ok(json!({"value": [guest(1, "a@partner.example"), guest(2, "b@partner.example")]}))
        }
        _ => otherwise(),
    })
    .await;
    let invited = writer
        .invite(&[
            invitation("a@partner.example"),
            invitation("b@partner.example"),
            invitation("c@partner.example"),
        ])
        .await;
    assert_eq!(invited[0].as_ref().unwrap().account, id(1));
    assert_eq!(invited[1].as_ref().unwrap().account, id(2));
    assert_eq!(
        invited[2].as_ref().unwrap_err().kind,
        WriteErrorKind::Unknown
    );
    let batches = fixture.take_log();
    let inviting = batches.iter().filter(|asked| {
        asked.is("POST", "/$batch") && asked.body.to_string().contains("/invitations")
    });
    assert_eq!(inviting.count(), 1);
}

#[tokio::test]
async fn a_throttled_invitation_is_sent_again_because_it_was_not_carried_out() {
    let script = Script::new([
        Reply::With(429, vec![("Retry-After", "0.002".to_owned())], Value::Null),
        accepted(7),
    ]);
    let (_fixture, writer) = start(move |asked| match asked.path.as_str() {
        "/invitations" => script.next(),
        _ => otherwise(),
    })
    .await;
    let invited = writer.invite(&[invitation("ann@partner.example")]).await;
    assert_eq!(invited[0].as_ref().unwrap().written.attempts, 2);
}

#[tokio::test]
async fn refused_invitations_say_why_and_what_to_do() {
    let cases = [
        (
            refuse(
                400,
                "BadRequest",
                "The invited user already exists in the directory as object ID: 00000000-0000-4000-8000-000000000009. They can use that account.",
            ),
            WriteErrorKind::Refused,
            "account 00000000-0000-4000-8000-000000000009",
        ),
        (
            refuse(
                400,
                "BadRequest",
                "This user cannot be invited because the domain of the user's email address is a verified domain of this directory.",
            ),
            WriteErrorKind::Refused,
            "own domains",
        ),
        (
            refuse(
                403,
                "Forbidden",
                "Guest invitations not allowed for your company. Contact your company administrator for more details.",
            ),
            WriteErrorKind::Refused,
            "collaboration settings",
        ),
        (
            refuse(500, "InternalServerError", "Unable to find target address"),
            WriteErrorKind::Refused,
            "does not take this address",
        ),
        (
            refuse(
                401,
                "Unauthorized",
                "Insufficient privileges to perform requested operation by the application '00000003-0000-0000-c000-000000000000'. ControllerName=MSGraphInviteAPI",
            ),
            WriteErrorKind::StopsTheRun,
            "User.Invite.All",
        ),
        (
            refuse(
                401,
                "InvalidAuthenticationToken",
                "Access token has expired.",
            ),
            WriteErrorKind::StopsTheRun,
            "new token",
        ),
    ];
    for (reply, kind, words) in cases {
        let (fixture, writer) = start(move |asked| match asked.path.as_str() {
            "/invitations" => reply.clone(),
            _ => otherwise(),
        })
        .await;
        let invited = writer.invite(&[invitation("ann@partner.example")]).await;
        let error = invited[0].as_ref().unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.message.contains(words), "{error}");
        assert_eq!(error.request_id.as_deref(), Some("req-1"));
        assert_eq!(count(&fixture.take_requests(), "GET", "/users"), 0);
    }
}

#[tokio::test]
async fn an_update_sends_only_what_is_set_and_nothing_when_nothing_is() {
    let (fixture, writer) = start(|asked| match asked.method.as_str() {
        "PATCH" => done(),
        _ => otherwise(),
    })
    .await;
    let update = |number, set| AccountUpdate {
        account: id(number),
        set,
        cleared: ClearedNames::default(),
        is_new: false,
    };
    let nothing = NewAccount {
        user_type: None,
        ..named(None)
    };
    let updated = writer
        .update(&[
            update(1, nothing),
            update(2, named(None)),
            update(3, named(Some("X"))),
        ])
        .await;
    assert!(updated[0].as_ref().unwrap().was_so_already);
    assert!(!updated[2].as_ref().unwrap().was_so_already);
    let bodies: Vec<Value> = fixture
        .take_requests()
        .into_iter()
        .map(|asked| asked.body)
        .collect();
    assert_eq!(
        bodies,
        [
            json!({"userType": "Member"}),
            json!({"userType": "Member", "displayName": "X"})
        ]
    );
}

#[tokio::test]
async fn what_a_new_account_is_not_ready_for_is_tried_again_and_an_old_one_is_refused() {
    let not_yet = [
        not_there(id(1).as_str()),
        refuse(
            404,
            "Directory_ObjectNotFound",
            "Unable to read the company information from the directory.",
        ),
        refuse(
            400,
            "Request_BadRequest",
            "The source resource object or one of the objects being referenced do not exist.",
        ),
    ];
    for reply in not_yet {
        for is_new in [true, false] {
            let script = Script::new([reply.clone(), reply.clone(), done()]);
            let (_fixture, writer) = start(move |asked| match asked.method.as_str() {
                "POST" if asked.path != "/$batch" => script.next(),
                _ => otherwise(),
            })
            .await;
            let added = writer.add(&[membership(50, 1, is_new)]).await;
            assert_eq!(added[0].is_ok(), is_new, "{reply:?} {added:?}");
            assert_eq!(
                added[0].as_ref().map_or(1, |written| written.attempts),
                if is_new { 3 } else { 1 }
            );
        }
    }
}

#[tokio::test]
async fn a_new_account_that_never_appears_is_refused_in_the_end_and_a_missing_group_at_once() {
    let (_fixture, writer) = start(|asked| match asked.method.as_str() {
        "PATCH" => not_there(id(1).as_str()),
        "POST" if asked.path != "/$batch" => not_there(id(50).as_str()),
        _ => otherwise(),
    })
    .await;
    let updated = writer
        .update(&[AccountUpdate {
            account: id(1),
            set: named(None),
            cleared: ClearedNames::default(),
            is_new: true,
        }])
        .await;
    let error = updated[0].as_ref().unwrap_err();
    assert_eq!(error.kind, WriteErrorKind::Refused);
    assert!(
        error.attempts > 5 && error.message.contains("does not show the account yet"),
        "{error}"
    );
    let added = writer.add(&[membership(50, 1, true)]).await;
    let error = added[0].as_ref().unwrap_err();
    assert_eq!(error.attempts, 1);
    assert!(
        error.message.contains("the group does not exist any more"),
        "{error}"
    );
}

#[tokio::test]
async fn members_are_added_twenty_at_a_time() {
    let (fixture, writer) = start(|asked| match asked.method.as_str() {
        "PATCH" => done(),
        "POST" if asked.path.ends_with("/members/$ref") => done(),
        _ => otherwise(),
    })
    .await;
    let mut memberships: Vec<Membership> = (0..20)
        .map(|number| membership(50, number, false))
        .collect();
    memberships.extend((0..3).map(|number| membership(51, number, false)));
    memberships.push(membership(52, 1, false));
    memberships.push(membership(51, 1, false));
    let added = writer.add(&memberships).await;
    assert_eq!(added.len(), 25);
    assert!(added.iter().all(Result::is_ok));
    let log = fixture.take_requests();
    let sizes: Vec<usize> = log
        .iter()
        .filter(|asked| asked.method == "PATCH")
        .map(|asked| asked.body["members@odata.bind"].as_array().unwrap().len())
        .collect();
    assert_eq!(sizes, [20, 3]);
    assert_eq!(
        count(&log, "POST", &format!("/groups/{}/members/$ref", id(52))),
        1
    );
    let reference = log[0].body["members@odata.bind"][0].as_str().unwrap();
    assert_eq!(
        reference,
        format!("{}/v1.0/directoryObjects/{}", fixture.url, id(0))
    );
}

#[tokio::test]
async fn one_that_is_a_member_already_does_not_keep_the_others_out() {
    let (fixture, writer) = start(|asked| match asked.method.as_str() {
        "PATCH" => already(),
        "POST"
            if asked.body["@odata.id"]
                .as_str()
                .is_some_and(|link| link.ends_with(id(1).as_str())) =>
        {
            already()
        }
        "POST" if asked.path.ends_with("/members/$ref") => done(),
        _ => otherwise(),
    })
    .await;
    let added = writer
        .add(&[membership(50, 1, false), membership(50, 2, false)])
        .await;
    let so_already: Vec<bool> = added
        .iter()
        .map(|written| written.as_ref().unwrap().was_so_already)
        .collect();
    assert_eq!(so_already, [true, false]);
    assert_eq!(count(&fixture.take_requests(), "POST", "/members/$ref"), 2);
}

#[tokio::test]
async fn additions_together_that_are_forbidden_are_not_tried_a_second_time() {
    let (fixture, writer) = start(|asked| match asked.method.as_str() {
        "PATCH" => denied(),
        "POST" if asked.path.ends_with("/members/$ref") => done(),
        _ => otherwise(),
    })
    .await;
    for _ in 0..3 {
        let added = writer
            .add(&[membership(50, 1, false), membership(50, 2, false)])
            .await;
        assert!(added.iter().all(Result::is_ok));
    }
    assert_eq!(count(&fixture.take_requests(), "PATCH", "/groups/"), 1);
}

#[tokio::test]
async fn a_missing_permission_stops_the_run_and_a_forbidden_group_does_not() {
    for (roles, kind) in [
        (&ALL_ROLES[..2], WriteErrorKind::StopsTheRun),
        (&ALL_ROLES[..], WriteErrorKind::Refused),
    ] {
        let fixture = Fixture::start_with(roles, json!(3599), |asked| match asked.path.as_str() {
            "/$batch" => otherwise(),
            _ => denied(),
        })
        .await;
        let writer = writer_for(&fixture).await;
        let added = writer.add(&[membership(50, 1, false)]).await;
        let error = added[0].as_ref().unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        let removed = writer.remove(&[membership(50, 1, false)]).await;
        assert_eq!(removed[0].as_ref().unwrap_err().kind, kind);
    }
}

/// What the app was granted does not help a person.
#[tokio::test]
async fn a_person_who_may_not_write_is_told_of_their_own_rights() {
    let fixture = Fixture::start(|asked| match asked.path.as_str() {
        "/$batch" => otherwise(),
        _ => denied(),
    })
    .await;
    let claims = URL_SAFE_NO_PAD.encode(r#"{"scp":"User.Read","appid":"the-cli"}"#);
    fixture.set_token_reply(ok(json!({"access_token": format!("e30.{claims}.x")})));
    let writer = writer_for(&fixture).await;
    let removed = writer.remove(&[membership(50, 1, false)]).await;
    let message = &removed[0].as_ref().unwrap_err().message;
    for words in [
        "a directory role to add and remove members of groups",
        "the delegated permission GroupMember.ReadWrite.All",
    ] {
        assert!(message.contains(words), "{message}");
    }
    for words in ["the-cli", "application permission"] {
        assert!(!message.contains(words), "{message}");
    }
}

#[tokio::test]
async fn a_removal_names_the_membership_and_one_who_is_no_member_is_removed_already() {
    let (fixture, writer) = start(|asked| match asked.path.rsplit('/').nth(1) {
        Some(account) if account == id(1).as_str() => done(),
        Some(account) if account == id(2).as_str() => not_there(id(2).as_str()),
        Some(account) if account == id(3).as_str() => refuse(
            400,
            "Request_BadRequest",
            "One or more removed object references do not exist for the following modified properties: 'members'.",
        ),
        Some(account) if account == id(4).as_str() => not_there(id(50).as_str()),
        Some(account) if account == id(5).as_str() => refuse(404, "Request_ResourceNotFound", "Something does not exist."),
        _ => otherwise(),
    })
    .await;
    let memberships: Vec<Membership> = (1..=5)
        .map(|number| membership(50, number, false))
        .collect();
    let removed = writer.remove(&memberships).await;
    let results: Vec<Option<bool>> = removed
        .iter()
        .map(|result| result.as_ref().ok().map(|written| written.was_so_already))
        .collect();
    assert_eq!(results, [Some(false), Some(true), Some(true), None, None]);
    assert!(
        removed[3]
            .as_ref()
            .unwrap_err()
            .message
            .contains("the group does not exist any more")
    );
    let log = fixture.take_requests();
    assert_eq!(log.len(), 5);
    assert!(
        log.iter()
            .all(|asked| asked.method == "DELETE" && asked.path.ends_with("/$ref"))
    );
}

#[tokio::test]
async fn concurrent_writes_and_failures_of_the_service_are_tried_again() {
    for again in [
        refuse(
            409,
            "Directory_ConcurrencyViolation",
            "Error due to concurrent requests being made to the tenant.",
        ),
        refuse(
            400,
            "Request_BadRequest",
            "Error due to concurrent requests being made to the tenant. Please wait briefly and retry.",
        ),
        Reply::Raw(504, ""),
        Reply::Json(424, Value::Null),
    ] {
        let script = Script::new([again, done()]);
        let (_fixture, writer) = start(move |asked| match asked.method.as_str() {
            "DELETE" => script.next(),
            _ => otherwise(),
        })
        .await;
        let removed = writer.remove(&[membership(50, 1, false)]).await;
        assert_eq!(removed[0].as_ref().unwrap().attempts, 2);
    }
    let (_fixture, writer) = start(|asked| match asked.method.as_str() {
        "DELETE" => Reply::Raw(504, ""),
        _ => otherwise(),
    })
    .await;
    let removed = writer.remove(&[membership(50, 1, false)]).await;
    assert_eq!(
        removed[0].as_ref().unwrap_err().kind,
        WriteErrorKind::Unknown
    );
}

#[tokio::test]
async fn a_batch_that_answers_424_is_read_like_any_other() {
    let (_fixture, writer) = start(|asked| match asked.path.as_str() {
        "/$batch" => Reply::Json(
            424,
            json!({"responses": [{"id": "0", "status": 204, "headers": {}}]}),
        ),
        _ => otherwise(),
    })
    .await;
    let removed = writer.remove(&[membership(50, 1, false)]).await;
    assert!(removed[0].is_ok());
}

#[tokio::test]
async fn a_login_that_is_refused_stops_the_run() {
    let fixture = Fixture::start(|_| {
        refuse(
            401,
            "InvalidAuthenticationToken",
            "Access token has expired.",
        )
    })
    .await;
    let writer = writer_for(&fixture).await;
    fixture.set_token_reply(Reply::Json(
        401,
        json!({"error_description": "AADSTS7000222: expired.", "error_codes": [7_000_222]}),
    ));
    for error in [
        writer.remove(&[membership(50, 1, false)]).await[0]
            .clone()
            .unwrap_err(),
        writer.invite(&[invitation("ann@partner.example")]).await[0]
            .clone()
            .unwrap_err(),
    ] {
        assert_eq!(error.kind, WriteErrorKind::StopsTheRun);
        assert!(error.message.contains("has expired"), "{error}");
    }
}
