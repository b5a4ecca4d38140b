use super::*;

#[test]
fn every_call_says_what_it_costs() {
    let mut client = Client::company();
    for (target, cost) in [
        ("/users".to_owned(), "2"),
        ("/users?$select=id".to_owned(), "1"),
        ("/users?$top=5".to_owned(), "1"),
        ("/users?$top=5&$select=id".to_owned(), "1"),
        (format!("/groups/{}/members", id(100)), "3"),
        (format!("/groups/{}/members?$select=id", id(100)), "2"),
        ("/groups?$select=id".to_owned(), "1"),
        ("/organization".to_owned(), "1"),
        (format!("/users/{}", id(1)), "1"),
    ] {
        assert_eq!(
            client.get(&target).header("x-ms-resource-unit"),
            cost,
            "{target}"
        );
    }
    assert_eq!(
        client.add(&id(100), &id(1)).header("x-ms-resource-unit"),
        "1"
    );
}

#[test]
fn an_empty_bucket_answers_429_and_fills_with_time() {
    let mut client = Client::company();
    client.behaviour().quotas.resource_units = Some(Limit::new(10, 10));
    for _ in 0..5 {
        assert_eq!(client.get("/users").status, 200);
    }
    let answer = client.get("/users");
    answer.is_refused(429, "TooManyRequests", "Please retry again later.");
    assert_eq!(
        answer.header("x-ms-throttle-information"),
        "ResourceUnitLimitExceeded"
    );
    let scope = format!("Tenant_Application/ReadWrite/{APP}/{TENANT}");
    assert_eq!(answer.header("x-ms-throttle-scope"), scope);
    let inner = &answer.body["error"]["innerError"];
    assert_eq!(
        (&inner["code"], &inner["status"]),
        (&json!("429"), &json!("429"))
    );
    // Two for the call itself, and two that the refused one drained.
    assert_eq!(answer.header("retry-after"), "4");
    client.now = Duration::from_secs(3);
    assert_eq!(client.get("/users").status, 429);
    client.now = Duration::from_secs(20);
    assert_eq!(client.get("/users").status, 200);
}

#[test]
fn who_waits_as_long_as_asked_goes_through() {
    for retry_after in [RetryAfter::Seconds, RetryAfter::Fraction] {
        let mut client = Client::company();
        client.behaviour().quotas.resource_units = Some(Limit::new(7, 10));
        client.behaviour().quotas.retry_after = retry_after;
        for _ in 0..40 {
            let answer = client.get("/users");
            if answer.status == 200 {
                continue;
            }
            let wait: f64 = answer.header("retry-after").parse().unwrap();
            client.now += Duration::from_secs_f64(wait);
            assert_eq!(client.get("/users").status, 200, "{retry_after:?} {wait}");
        }
        assert!(client.now > Duration::from_secs(30));
    }
}

#[test]
fn the_wait_comes_in_every_form_or_not_at_all() {
    let mut client = Client::company();
    client.behaviour().quotas.resource_units = Some(Limit::new(3, 10));
    client.behaviour().quotas.retry_after = RetryAfter::Fraction;
    client.get("/users");
    assert_eq!(client.get("/users").header("retry-after"), "10.000");
    client.behaviour().quotas.retry_after = RetryAfter::Date;
    client.now = Duration::from_millis(500);
    assert!(
        client
            .get("/users")
            .header("retry-after")
            .starts_with("Mon, 05 Jan 2026 08:00:1")
    );
    client.behaviour().quotas.retry_after = RetryAfter::Missing;
    let answer = client.get("/users");
    assert_eq!((answer.status, answer.header("retry-after")), (429, ""));
}

#[test]
fn a_nearly_empty_bucket_warns() {
    let mut client = Client::company();
    client.behaviour().quotas.resource_units = Some(Limit::new(10, 10));
    let warnings: Vec<String> = (0..6)
        .map(|_| {
            client
                .get("/users")
                .header("x-ms-throttle-limit-percentage")
                .to_owned()
        })
        .collect();
    assert_eq!(warnings, ["", "", "", "0.80", "1.00", ""]);
    client.behaviour().quotas.warn = false;
    client.now = Duration::from_secs(5);
    assert_eq!(
        client
            .get("/users")
            .header("x-ms-throttle-limit-percentage"),
        ""
    );
}

#[test]
fn writes_have_a_bucket_of_their_own() {
    let mut client = Client::company();
    client.behaviour().quotas.writes = Limit::new(2, 150);
    let target = format!("/users/{}", id(3));
    for expected in [204, 204, 429] {
        assert_eq!(
            client.patch(&target, &json!({"surname": "G"})).status,
            expected
        );
    }
    assert_eq!(client.get("/users").status, 200);
    assert_eq!(client.invite("dana@partner.example").status, 201);
    client.behaviour().quotas.invitations_are_writes = true;
    assert_eq!(client.invite("dora@partner.example").status, 429);
}

#[test]
fn invitations_have_a_bucket_of_their_own() {
    let mut client = Client::company();
    client.behaviour().quotas.invitations = Limit::new(3, 5);
    let statuses = [0, 1, 2, 3].map(|n| client.invite(&format!("p{n}@partner.example")).status);
    assert_eq!(statuses, [201, 201, 201, 429]);
    assert_eq!(
        client
            .patch(&format!("/users/{}", id(3)), &json!({"surname": "G"}))
            .status,
        204
    );
    client.now = Duration::from_secs(5);
    assert_eq!(client.invite("p3@partner.example").status, 201);
}

#[test]
fn adding_several_members_costs_one_write_or_a_third_of_them() {
    for (bind_cost, second) in [(BindCost::Table, 204), (BindCost::ThirdOfMembers, 429)] {
        let mut client = Client::new(large_company(0));
        client.behaviour().quotas.writes = Limit::new(8, 150);
        client.behaviour().writing.bind_cost = bind_cost;
        for n in 300..340 {
            let name = format!("p{n}@acme.example");
            client
                .graph
                .world_mut()
                .insert_user(User::internal(&id(n), &name, "P"));
        }
        let members: Vec<String> = (300..340).map(id).collect();
        assert_eq!(client.bind(&id(100), &members[..20]).status, 204);
        assert_eq!(client.bind(&id(100), &members[20..]).status, second);
    }
}

#[test]
fn the_bucket_of_resource_units_grows_with_the_tenant() {
    for (accounts, fits) in [(0, 1_750), (100, 2_500), (600, 4_000)] {
        let mut client = Client::new(large_company(accounts));
        let target = "/users?$filter=mail+eq+'x'";
        let answered = (0..10_000)
            .take_while(|_| client.get(target).status == 200)
            .count();
        assert_eq!(answered, fits, "{accounts}");
    }
}

#[test]
fn without_quotas_nothing_is_throttled() {
    let mut client = Client::company();
    client.behaviour().quotas.resource_units = Some(Limit::new(1, 10));
    client.behaviour().quotas.enabled = false;
    assert!((0..20).all(|_| client.get("/users").status == 200));
}

/// A client that has just invited somebody whose account lags, and that account's id.
fn newcomer() -> (Client, String) {
    let mut client = Client::company();
    client.behaviour().replication = Replication {
        object: Duration::from_secs(3),
        list: Duration::from_secs(60),
        write: Duration::from_secs(10),
        not_yet: NotYet::ResourceNotFound,
    };
    let answer = client.invite("dana@partner.example");
    let id = answer.body["invitedUser"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    (client, id)
}

#[test]
fn a_new_account_appears_by_id_first_and_in_lists_last() {
    let (mut client, new) = newcomer();
    let mut seen = Vec::new();
    for second in [0, 2, 3, 9, 10, 59, 60] {
        client.now = Duration::from_secs(second);
        let by_id = client.get(&format!("/users/{new}")).status == 200;
        let in_list = client.get("/users").ids().contains(&new);
        let filter = "/users?$filter=mail+eq+'dana@partner.example'";
        assert_eq!(client.get(filter).ids().contains(&new), in_list);
        let writable = client
            .patch(&format!("/users/{new}"), &json!({"surname": "D"}))
            .status
            == 204;
        seen.push((second, by_id, writable, in_list));
    }
    assert_eq!(
        seen,
        [
            (0, false, false, false),
            (2, false, false, false),
            (3, true, false, false),
            (9, true, false, false),
            (10, true, true, false),
            (59, true, true, false),
            (60, true, true, true),
        ]
    );
}

#[test]
fn a_new_account_cannot_be_added_before_it_arrived() {
    let (mut client, new) = newcomer();
    client
        .add(&id(100), &new)
        .is_refused(404, "Request_ResourceNotFound", &new);
    client
        .bind(&id(100), &[id(1), new.clone()])
        .is_refused(404, "Request_ResourceNotFound", &new);
    assert!(client.members().is_empty());
    client.now = Duration::from_secs(10);
    assert_eq!(client.add(&id(100), &new).status, 204);
    let members = format!("/groups/{}/members", id(100));
    assert!(client.get(&members).ids().is_empty());
    client.now = Duration::from_secs(60);
    assert_eq!(client.get(&members).ids(), [new]);
}

#[test]
fn not_yet_is_said_in_three_ways() {
    let (mut client, new) = newcomer();
    let target = format!("/users/{new}");
    let name = json!({"surname": "D"});
    client.behaviour().replication.not_yet = NotYet::CompanyInformation;
    client.patch(&target, &name).is_refused(
        404,
        "Directory_ObjectNotFound",
        "Unable to read the company information from the directory.",
    );
    client.behaviour().replication.not_yet = NotYet::SourceResource;
    client.add(&id(100), &new).is_refused(
        400,
        "Request_BadRequest",
        "The source resource object or one of the objects being referenced do not exist.",
    );
    client.behaviour().replication.not_yet = NotYet::Mixed;
    let updates: BTreeSet<String> = (0..30)
        .map(|_| client.patch(&target, &name).code().to_owned())
        .collect();
    assert_eq!(updates.len(), 2);
    let additions: BTreeSet<u16> = (0..30).map(|_| client.add(&id(100), &new).status).collect();
    assert_eq!(additions, [400, 404].into());
}

#[test]
fn a_second_invitation_finds_an_account_that_lists_do_not_show_yet() {
    let (mut client, new) = newcomer();
    let again = client.invite("dana@partner.example");
    assert_eq!(again.body["invitedUser"]["id"], new);
}

#[test]
fn after_a_restart_everything_has_arrived() {
    let (client, new) = newcomer();
    let mut client = Client::new(client.graph.world().clone());
    assert_eq!(client.get(&format!("/users/{new}")).status, 200);
    assert!(client.get("/users").ids().contains(&new));
}

#[test]
fn new_ids_never_repeat_even_after_a_restart() {
    let mut client = Client::company();
    let mut ids = BTreeSet::new();
    for round in 0..3 {
        for n in 0..10 {
            let answer = client.invite(&format!("p{round}.{n}@partner.example"));
            assert!(ids.insert(answer.body["invitedUser"]["id"].to_string()));
        }
        client = Client::new(client.graph.world().clone());
    }
    assert_eq!(client.graph.world().users.len(), 33);
}
