//! The reader against a Graph of a few lines.

use std::collections::BTreeSet;
use std::future::ready;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::fixture::{
    ALL_ROLES, Asked, Fixture, Reply, SECRET, Script, TENANT, done, not_there, ok, otherwise,
    refuse,
};
use super::resolve::Resolution;
use crate::model::{Address, ObjectId};
use crate::settings::MatchAttribute;
use crate::snapshot::EntraSnapshot;

const GROUP: &str = "00000000-0000-4000-8000-00000000000a";
const OTHER_GROUP: &str = "00000000-0000-4000-8000-00000000000b";

fn id(number: usize) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

fn group(id: &str, name: &str) -> Value {
    json!({"id": id, "displayName": name, "createdDateTime": "2021-03-02T09:00:00Z", "groupTypes": [], "mailEnabled": false, "securityEnabled": true})
}

fn account(number: usize, mail: &str) -> Value {
    json!({"id": id(number), "userPrincipalName": format!("u{number}@acme.example"), "mail": mail, "userType": "Member"})
}

fn member(kind: &str, number: usize) -> Value {
    json!({"@odata.type": format!("#microsoft.graph.{kind}"), "id": id(number)})
}

fn names(texts: &[&str]) -> BTreeSet<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn addresses(texts: &[&str]) -> BTreeSet<Address> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

async fn read_all(fixture: &Fixture, wanted: &[&str]) -> anyhow::Result<EntraSnapshot> {
    let reader = fixture.connect().await?;
    let resolution = reader.resolve(&names(&[GROUP])).await?;
    reader
        .read(
            &resolution,
            ready(addresses(wanted)),
            &[MatchAttribute::Mail],
        )
        .await
}

/// A tenant with one group, whose members are answered by the test.
fn with_members(
    members: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
) -> impl Fn(&Asked) -> Reply + Send + Sync + 'static {
    move |asked| {
        if asked.is("GET", &format!("/groups/{GROUP}")) {
            ok(group(GROUP, "platform"))
        } else if asked.is("GET", &format!("/groups/{GROUP}/members")) {
            members(asked)
        } else if asked.is("GET", "/users/$count") {
            Reply::Raw(200, "2")
        } else if asked.is("GET", "/users") {
            ok(
                json!({"value": [account(1, "ann@partner.example"), account(2, "else@partner.example")]}),
            )
        } else if asked.path.starts_with("/users/") {
            ok(account(7, "late@partner.example"))
        } else {
            otherwise()
        }
    }
}

#[tokio::test]
async fn the_tenant_must_be_the_configured_one() {
    let fixture = Fixture::start(|_| otherwise()).await;
    for same in [TENANT, "ACME.example", "acme.onmicrosoft.com"] {
        let reader = fixture.connect_to(same).await.unwrap();
        assert_eq!(reader.tenant().name, "Acme");
    }
    for other in ["00000000-0000-4000-8000-0000000000fe", "other.example"] {
        let error = fixture.connect_to(other).await.err().unwrap();
        assert!(error.to_string().contains(other), "{error}");
    }
}

#[tokio::test]
async fn a_refused_login_says_why_and_never_shows_the_secret() {
    let fixture = Fixture::start(|_| otherwise()).await;
    fixture.set_token_reply(Reply::Json(
        401,
        json!({"error": "invalid_client", "error_codes": [7_000_215], "error_description": format!("AADSTS7000215: Invalid client secret {SECRET} provided. Trace ID: x")}),
    ));
    let error = format!("{:#}", fixture.connect().await.err().unwrap());
    assert!(error.contains("the secret's value, not its id"), "{error}");
    assert!(
        !error.contains(SECRET) && !error.contains("Trace ID"),
        "{error}"
    );
    fixture.set_token_reply(Reply::Raw(200, "{\"access_token\": 5, \"x\": \"eyJ\"}"));
    let error = format!("{:#}", fixture.connect().await.err().unwrap());
    assert!(error.contains("without a token"), "{error}");
    fixture.set_token_reply(Reply::Raw(404, "<html><title>x</title></html>"));
    let error = format!("{:#}", fixture.connect().await.err().unwrap());
    assert!(error.contains("azure_login_url"), "{error}");
}

#[tokio::test]
async fn many_requests_share_one_token_and_one_that_runs_out_is_replaced() {
    let fixture = Fixture::start_with(
        &ALL_ROLES,
        json!("3599"),
        with_members(|_| ok(json!({"value": []}))),
    )
    .await;
    read_all(&fixture, &[]).await.unwrap();
    let tokens = |fixture: &Fixture| {
        let log = fixture.take_log();
        log.iter().filter(|asked| asked.method == "TOKEN").count()
    };
    assert_eq!(tokens(&fixture), 1);
    // A life of nothing is one of a clock that is wrong; what really is over is refused.
    let fixture = Fixture::start_with(
        &ALL_ROLES,
        json!(0),
        with_members(|_| ok(json!({"value": []}))),
    )
    .await;
    read_all(&fixture, &[]).await.unwrap();
    assert_eq!(tokens(&fixture), 1);
}

#[tokio::test]
async fn a_part_that_answers_401_is_sent_again_once_with_a_new_token() {
    let expired = || {
        refuse(
            401,
            "InvalidAuthenticationToken",
            "Access token has expired.",
        )
    };
    let script = Script::new([expired(), ok(json!({"value": []}))]);
    let fixture = Fixture::start(with_members(move |_| script.next())).await;
    read_all(&fixture, &[]).await.unwrap();
    let log = fixture.take_log();
    assert_eq!(
        log.iter().filter(|asked| asked.method == "TOKEN").count(),
        2
    );

    let fixture = Fixture::start(with_members(move |_| expired())).await;
    let error = read_all(&fixture, &[]).await.unwrap_err();
    assert!(format!("{error:#}").contains("expired"), "{error:#}");
    let members = format!("/groups/{GROUP}/members");
    let asked = fixture.take_log();
    assert_eq!(
        asked
            .iter()
            .filter(|asked| asked.is("GET", &members))
            .count(),
        2
    );
}

#[tokio::test]
async fn a_token_that_is_quoted_back_is_not_shown() {
    let quoting = || refuse(400, "BadRequest", "No: Bearer the-token-value");
    let fixture = Fixture::start(with_members(move |_| quoting())).await;
    fixture.set_token_reply(ok(json!({"access_token": "the-token-value"})));
    let error = read_all(&fixture, &[]).await.unwrap_err();
    assert!(
        format!("{error:#}").contains("No: Bearer (secret)"),
        "{error:#}"
    );
}

#[tokio::test]
async fn only_the_parts_that_were_refused_are_sent_again() {
    let throttled = Reply::With(
        429,
        vec![("retry-after", "0.01".to_owned())],
        json!({"error": {"code": "TooManyRequests", "message": "Please retry again later."}}),
    );
    let script = Script::new([throttled, Reply::Raw(503, "<html>"), ok(group(GROUP, "a"))]);
    let fixture = Fixture::start(move |asked| {
        if asked.is("GET", &format!("/groups/{GROUP}")) {
            script.next()
        } else if asked.is("GET", &format!("/groups/{OTHER_GROUP}")) {
            ok(group(OTHER_GROUP, "b"))
        } else {
            otherwise()
        }
    })
    .await;
    let reader = fixture.connect().await.unwrap();
    let resolution = reader.resolve(&names(&[GROUP, OTHER_GROUP])).await.unwrap();
    assert_eq!(resolution.resolved.len(), 2);
    let log = fixture.take_requests();
    let times = |group: &str| {
        log.iter()
            .filter(|asked| asked.path.contains(group))
            .count()
    };
    assert_eq!((times(GROUP), times(OTHER_GROUP)), (3, 1));
}

#[tokio::test]
async fn a_wait_beyond_the_bound_ends_the_read_and_says_when_to_come_back() {
    let fixture = Fixture::start(with_members(|_| {
        Reply::With(429, vec![("Retry-After", "4000".to_owned())], Value::Null)
    }))
    .await;
    let error = format!("{:#}", read_all(&fixture, &[]).await.unwrap_err());
    assert!(error.contains("come back in 4000 s"), "{error}");
}

#[tokio::test]
async fn a_part_that_is_left_out_is_an_error_and_not_an_empty_group() {
    let fixture = Fixture::start(with_members(|_| Reply::Omit)).await;
    let error = format!("{:#}", read_all(&fixture, &[]).await.unwrap_err());
    assert!(
        error.contains("members of platform") && error.contains("without one of its parts"),
        "{error}"
    );
    let fixture = Fixture::start(with_members(|_| ok(json!({"values": []})))).await;
    assert!(read_all(&fixture, &[]).await.is_err());
}

#[tokio::test]
async fn a_missing_permission_is_named() {
    let fixture = Fixture::start(with_members(|_| {
        refuse(
            403,
            "Authorization_RequestDenied",
            "Insufficient privileges to complete the operation.",
        )
    }))
    .await;
    let error = format!("{:#}", read_all(&fixture, &[]).await.unwrap_err());
    assert!(error.contains("GroupMember.Read.All"), "{error}");
}

#[tokio::test]
async fn members_that_no_list_shows_are_read_by_id_and_one_that_is_gone_is_an_error() {
    let fixture = Fixture::start(with_members(|_| {
        ok(json!({"value": [member("user", 7), member("user", 2)]}))
    }))
    .await;
    let snapshot = read_all(&fixture, &["ANN@partner.example"]).await.unwrap();
    let found: Vec<&str> = snapshot
        .accounts
        .iter()
        .map(|account| account.mail.as_deref().unwrap())
        .collect();
    assert_eq!(
        found,
        [
            "ann@partner.example",
            "else@partner.example",
            "late@partner.example"
        ]
    );

    let gone = with_members(|_| ok(json!({"value": [member("user", 7)]})));
    let fixture = Fixture::start(move |asked| {
        if asked.path.starts_with(&format!("/users/{}", id(7))) {
            not_there(&id(7))
        } else {
            gone(asked)
        }
    })
    .await;
    let error = format!("{:#}", read_all(&fixture, &[]).await.unwrap_err());
    let gone = format!(
        "account {} is listed as a member of a group and does not exist",
        id(7)
    );
    assert!(error.contains(&gone), "{error}");
    // The answer is understood very well.
    assert!(!error.contains("cannot be understood"), "{error}");
}

#[tokio::test]
async fn the_list_and_the_filters_find_the_same_accounts() {
    let everybody = || {
        vec![
            account(1, "ann@partner.example"),
            account(2, "else@partner.example"),
            json!({"id": id(3), "userPrincipalName": "bob_partner.example#EXT#@acme.onmicrosoft.com", "mail": null}),
            json!({"id": id(4), "userPrincipalName": "u4@acme.example", "otherMails": ["Cyd@partner.example"]}),
            json!({"id": id(5), "userPrincipalName": "u5@acme.example", "proxyAddresses": ["SMTP:dan@partner.example"]}),
        ]
    };
    let wanted = addresses(&[
        "ann@partner.example",
        "bob@partner.example",
        "cyd@partner.example",
        "dan@partner.example",
        "nobody@partner.example",
    ]);
    let mut snapshots = Vec::new();
    for count in ["5", "50000"] {
        let fixture = Fixture::start(move |asked| {
            let filter = asked.decoded();
            if asked.is("GET", &format!("/groups/{GROUP}")) {
                ok(group(GROUP, "platform"))
            } else if asked.is("GET", &format!("/groups/{GROUP}/members")) {
                ok(json!({"value": []}))
            } else if asked.is("GET", "/users/$count") {
                assert_eq!(asked.header("ConsistencyLevel"), Some("eventual"));
                Reply::Raw(200, count)
            } else if filter.contains("mail in (") {
                ok(json!({"value": [account(1, "ann@partner.example")]}))
            } else if filter.contains("startsWith(userPrincipalName") {
                ok(json!({"value": [everybody()[2]]}))
            } else if filter.contains("otherMails/any") {
                ok(json!({"value": [everybody()[3]]}))
            } else if filter.contains("proxyAddresses/any") {
                ok(json!({"value": [everybody()[4], account(2, "else@partner.example")]}))
            } else if filter.contains("filter") {
                ok(json!({"value": []}))
            } else if asked.is("GET", "/users") {
                ok(json!({"value": everybody()}))
            } else {
                otherwise()
            }
        })
        .await;
        let reader = fixture.connect().await.unwrap();
        let resolution = reader.resolve(&names(&[GROUP])).await.unwrap();
        let snapshot = reader
            .read(
                &resolution,
                ready(wanted.clone()),
                &crate::matching::ALL_ATTRIBUTES,
            )
            .await
            .unwrap();
        let log = fixture.take_requests();
        let is_filtered = log
            .iter()
            .any(|asked| asked.path.starts_with("/users?$filter"));
        assert_eq!(is_filtered, count == "50000");
        snapshots.push(snapshot);
    }
    assert_eq!(snapshots[0], snapshots[1]);
    assert_eq!(snapshots[0].accounts.len(), 4);
}

#[tokio::test]
async fn names_are_resolved_exactly_and_what_is_not_found_says_why() {
    let fixture = Fixture::start(|asked| {
        if asked.is("GET", &format!("/groups/{OTHER_GROUP}")) {
            not_there(OTHER_GROUP)
        } else if asked.is("GET", "/groups") {
            ok(json!({"value": [
                group(&id(1), "platform"), group(&id(2), "support"), group(&id(3), "support"), group(&id(4), "Partners"),
                group(&id(5), "O'Brien's"),
            ]}))
        } else {
            otherwise()
        }
    })
    .await;
    let reader = fixture.connect().await.unwrap();
    let resolution: Resolution = reader
        .resolve(&names(&[
            "platform",
            "support",
            "partners",
            "plattform",
            "zzz",
            "O'Brien's",
            OTHER_GROUP,
        ]))
        .await
        .unwrap();
    let resolved: Vec<(&str, &ObjectId)> = resolution
        .resolved
        .iter()
        .map(|(name, id)| (name.as_str(), id))
        .collect();
    assert_eq!(
        resolved,
        [
            ("O'Brien's", &id(5).parse().unwrap()),
            ("platform", &id(1).parse().unwrap())
        ]
    );
    let reason = |name: &str| resolution.unresolved[name].as_str();
    assert_eq!(
        reason("support"),
        format!(
            "fits 2 groups: {} (created 2021-03-02), {} (created 2021-03-02); give the id instead",
            id(2),
            id(3)
        )
    );
    assert_eq!(
        reason("partners"),
        format!(
            "does not exist in tenant Acme; it differs only in letter case or spaces from Partners ({})",
            id(4)
        )
    );
    assert_eq!(
        reason("plattform"),
        "does not exist in tenant Acme; did you mean platform?"
    );
    assert_eq!(reason("zzz"), "does not exist in tenant Acme");
    assert_eq!(
        reason(OTHER_GROUP),
        "is not the id of a group in tenant Acme"
    );
    assert!(
        reader
            .read(&resolution, ready(BTreeSet::new()), &[])
            .await
            .is_err()
    );
}

#[tokio::test]
async fn hidden_members_are_not_taken_for_an_empty_group() {
    let fixture = Fixture::start(|asked| {
        if asked.is("GET", &format!("/groups/{GROUP}")) {
            let mut group = group(GROUP, "secret");
            group["visibility"] = "HiddenMembership".into();
            ok(group)
        } else {
            otherwise()
        }
    })
    .await;
    let error = read_all(&fixture, &[]).await.unwrap_err();
    assert!(error.to_string().contains("Member.Read.Hidden"), "{error}");
}

/// A token that cannot be looked into, or of a person, does not say whether hidden members are shown.
#[tokio::test]
async fn hidden_members_of_whom_none_are_shown_are_not_taken_for_an_empty_group_where_rights_are_not_known()
 {
    for (visibility, members, is_read) in [
        ("HiddenMembership", vec![], false),
        ("HiddenMembership", vec![member("user", 1)], true),
        ("Private", vec![], true),
    ] {
        let fixture = Fixture::start(move |asked| {
            if asked.is("GET", &format!("/groups/{GROUP}")) {
                let mut group = group(GROUP, "secret");
                group["visibility"] = visibility.into();
                ok(group)
            } else {
                let members = members.clone();
                with_members(move |_| ok(json!({"value": members})))(asked)
            }
        })
        .await;
        fixture.set_token_reply(ok(json!({"access_token": "opaque"})));
        match read_all(&fixture, &[]).await {
            Ok(_) => assert!(is_read, "{visibility}"),
            Err(error) => {
                assert!(!is_read, "{visibility}: {error:#}");
                for words in ["secret hides its members", "Member.Read.Hidden"] {
                    assert!(error.to_string().contains(words), "{error}");
                }
            }
        }
    }
}

#[tokio::test]
async fn an_account_that_does_not_exist_is_none() {
    let fixture = Fixture::start(|_| not_there(&id(1))).await;
    let reader = fixture.connect().await.unwrap();
    assert_eq!(reader.account(&id(1).parse().unwrap()).await.unwrap(), None);
    let fixture = Fixture::start(|_| done()).await;
    let reader = fixture.connect().await.unwrap();
    assert!(reader.account(&id(1).parse().unwrap()).await.is_err());
}

/// A list whose pages are made from the number of the page and the address of the fixture.
async fn read_pages(
    page: impl Fn(usize, &str) -> Value + Send + Sync + 'static,
) -> anyhow::Result<EntraSnapshot> {
    let pages = AtomicUsize::new(0);
    let url = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let own_url = std::sync::Arc::clone(&url);
    let fixture = Fixture::start(with_members(move |_| {
        let number = pages.fetch_add(1, Ordering::SeqCst);
        ok(page(number, &own_url.lock().unwrap()))
    }))
    .await;
    *url.lock().unwrap() = format!(
        "{}/v1.0/groups/{GROUP}/members?$select=id&$top=999&$skiptoken=",
        fixture.url
    );
    read_all(&fixture, &[]).await
}

#[tokio::test]
async fn a_list_is_followed_to_its_end_over_empty_pages() {
    let snapshot = read_pages(|number, next| match number {
        0 => json!({"value": [member("user", 1), member("device", 9)], "@odata.nextLink": format!("{next}a")}),
        1 => json!({"value": [], "@odata.nextLink": format!("{next}b")}),
        _ => json!({"value": [member("user", 1), member("user", 2), member("group", 8)]}),
    })
    .await
    .unwrap();
    assert_eq!(snapshot.groups[0].members.len(), 2);
    assert_eq!(snapshot.groups[0].other_members, 2);
}

#[tokio::test]
async fn a_list_without_an_end_is_an_error() {
    let circle =
        read_pages(|_, next| json!({"value": [], "@odata.nextLink": format!("{next}a")})).await;
    assert!(format!("{:#}", circle.unwrap_err()).contains("circle"));
    let endless = read_pages(|number, next| json!({"value": [member("user", 1)], "@odata.nextLink": format!("{next}{number}")})).await;
    assert!(format!("{:#}", endless.unwrap_err()).contains("nothing new"));
    let stray =
        read_pages(|_, _| json!({"value": [], "@odata.nextLink": "http://evil.example/v1.0/x"}))
            .await;
    assert!(format!("{:#}", stray.unwrap_err()).contains("leads away"));
}
