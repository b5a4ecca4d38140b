use super::*;
use std::collections::BTreeMap;

fn batch(client: &mut Client, requests: &Value) -> Answer {
    client.post("/$batch", &json!({"requests": requests}))
}

/// The parts of an answer by their ids.
fn parts(answer: &Answer) -> BTreeMap<String, Value> {
    let responses = answer.body["responses"].as_array().unwrap();
    let parts: BTreeMap<String, Value> = responses
        .iter()
        .map(|part| (part["id"].as_str().unwrap().to_owned(), part.clone()))
        .collect();
    assert_eq!(parts.len(), responses.len());
    parts
}

fn write(id: &str, method: &str, url: &str, body: &Value) -> Value {
    json!({
        "id": id, "method": method, "url": url, "body": body, "headers": {"Content-Type": "application/json"},
    })
}

fn reads(count: usize) -> Value {
    let reads = (0..count).map(|n| json!({"id": n.to_string(), "method": "GET", "url": "/users"}));
    reads.collect()
}

#[test]
fn each_part_is_answered_for_itself() {
    let mut client = Client::company();
    let answer = batch(
        &mut client,
        &json!([
            {"id": "list", "method": "GET", "url": "/users?$select=id&$top=2"},
            write("update", "PATCH", &format!("/users/{}", id(3)), &json!({"surname": "Grey"})),
            write("add", "POST", &format!("/groups/{}/members/$ref", id(100)), &link(&id(3))),
            write("again", "POST", &format!("/groups/{}/members/$ref", id(100)), &link(&id(3))),
            {"id": "missing", "method": "GET", "url": format!("users/{}", id(9))},
            {"id": "count", "method": "GET", "url": "/users/$count", "headers": {"ConsistencyLevel": "eventual"}},
            {"id": "slashes", "method": "GET", "url": "//groups"},
            {"id": "version", "method": "GET", "url": "/v1.0/users"},
        ]),
    );
    assert_eq!(answer.status, 200);
    let parts = parts(&answer);
    let statuses: BTreeMap<&str, u64> = parts
        .iter()
        .map(|(id, part)| (id.as_str(), part["status"].as_u64().unwrap()))
        .collect();
    let expected = [
        ("add", 204),
        ("again", 400),
        ("count", 200),
        ("list", 200),
        ("missing", 404),
        ("slashes", 400),
        ("update", 204),
        ("version", 400),
    ];
    assert_eq!(statuses, expected.into());
    assert_eq!(parts["list"]["headers"]["Content-Type"], "application/json");
    assert!(parts["list"]["body"]["@odata.nextLink"].is_string());
    assert!(parts["update"].get("body").is_none());
    assert_eq!(parts["count"]["body"], "Mw==");
    let inner = &parts["missing"]["body"]["error"]["innerError"];
    assert_eq!(inner["request-id"], answer.header("request-id"));
}

#[test]
fn parts_come_in_another_order() {
    let mut client = Client::company();
    let order = |client: &mut Client| -> Vec<String> {
        let answer = batch(client, &reads(20));
        let responses = answer.body["responses"].as_array().unwrap();
        responses
            .iter()
            .map(|part| part["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let asked: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    assert_ne!(order(&mut client), asked);
    client.behaviour().batching.shuffled = false;
    assert_eq!(order(&mut client), asked);
}

#[test]
fn a_batch_that_is_not_well_formed_fails_as_a_whole() {
    let mut client = Client::company();
    let update = format!("/users/{}", id(3));
    for requests in [
        json!([]),
        json!("none"),
        reads(21),
        json!([{"id": "1", "method": "GET", "url": "/users"}, {"id": "1", "method": "GET", "url": "/users"}]),
        json!([{"id": "", "method": "GET", "url": "/users"}]),
        json!([{"id": 1, "method": "GET", "url": "/users"}]),
        json!([{"method": "GET", "url": "/users"}]),
        json!([{"id": "1", "method": "GET", "url": format!("{BASE}/v1.0/users")}]),
        json!([{"id": "1", "method": "PATCH", "url": update, "body": {"surname": "Grey"}}]),
        json!([{"id": "1", "method": "PATCH", "url": update, "headers": {"Content-Type": "application/json"}}]),
        json!([{"id": "1", "method": "GET", "url": "/users", "dependsOn": ["2"]}, {"id": "2", "method": "GET", "url": "/users"}]),
        json!([{"id": "1", "method": "GET", "url": "/users", "dependsOn": ["1"]}]),
    ] {
        let answer = batch(&mut client, &requests);
        assert_eq!(
            (answer.status, answer.code()),
            (400, "BadRequest"),
            "{requests}"
        );
    }
    assert_eq!(batch(&mut client, &reads(20)).status, 200);
    assert_eq!(client.get("/$batch").status, 405);
    assert_eq!(client.graph.world().users[&id(3)].surname, None);
}

#[test]
fn batches_do_not_nest() {
    let mut client = Client::company();
    let inner = json!({"requests": reads(1)});
    let answer = batch(&mut client, &json!([write("1", "POST", "/$batch", &inner)]));
    assert_eq!(parts(&answer)["1"]["status"], 400);
}

#[test]
fn what_depends_on_a_failure_is_not_done() {
    let mut client = Client::company();
    let mut add = write(
        "2",
        "POST",
        &format!("/groups/{}/members/$ref", id(100)),
        &link(&id(3)),
    );
    add["dependsOn"] = json!(["1"]);
    let mut third = json!({"id": "3", "method": "GET", "url": "/users", "dependsOn": ["2"]});
    let missing = json!({"id": "1", "method": "GET", "url": format!("/users/{}", id(9))});
    let answer = batch(&mut client, &json!([missing, add, third]));
    let failed = parts(&answer);
    assert_eq!(
        (&failed["2"]["status"], &failed["3"]["status"]),
        (&json!(424), &json!(424))
    );
    assert!(client.members().is_empty());
    third["dependsOn"] = json!(["1"]);
    let found = json!({"id": "1", "method": "GET", "url": format!("/users/{}", id(1))});
    let answer = batch(&mut client, &json!([found, add, third]));
    assert!(
        parts(&answer)
            .values()
            .all(|part| part["status"].as_u64().unwrap() < 300)
    );
    assert_eq!(client.members(), [id(3)]);
}

#[test]
fn a_bad_token_fails_the_whole_or_each_part() {
    let mut client = Client::company();
    client.graph.revoke_tokens();
    assert_eq!(batch(&mut client, &reads(2)).status, 401);
    client.behaviour().batching.token_fails_whole = false;
    let answer = batch(&mut client, &reads(2));
    assert_eq!(answer.status, 200);
    for part in parts(&answer).values() {
        assert_eq!(part["status"], 401);
        assert_eq!(part["body"]["error"]["code"], "InvalidAuthenticationToken");
    }
}

#[test]
fn a_text_can_come_in_three_ways() {
    let count = json!([{"id": "1", "method": "GET", "url": "/users/$count", "headers": {"consistencylevel": "eventual"}}]);
    for (text_body, expected) in [
        (TextBody::Base64, json!("Mw==")),
        (TextBody::Value, json!(3)),
        (TextBody::Text, json!("3")),
    ] {
        let mut client = Client::company();
        client.behaviour().batching.text_body = text_body;
        let answer = batch(&mut client, &count);
        assert_eq!(parts(&answer)["1"]["body"], expected);
    }
}

#[test]
fn parts_are_throttled_one_by_one() {
    let mut client = Client::company();
    client.behaviour().quotas.resource_units = Some(Limit::new(6, 10));
    let answer = batch(&mut client, &reads(5));
    assert_eq!(answer.status, 200);
    let statuses: Vec<u64> = parts(&answer)
        .values()
        .map(|part| part["status"].as_u64().unwrap())
        .collect();
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
    assert!(parts(&answer)["4"]["headers"]["retry-after"].is_string());
    client.now = Duration::from_secs(100);
    client.behaviour().batching.throttled_is_424 = true;
    client.behaviour().batching.lower_case_retry_after = false;
    let answer = batch(&mut client, &reads(5));
    assert_eq!(answer.status, 424);
    assert!(parts(&answer)["4"]["headers"]["Retry-After"].is_string());
    assert_eq!(parts(&answer)["0"]["status"], 200);
}

#[test]
fn many_links_in_one_batch_can_be_too_many() {
    let mut client = Client::company();
    client.behaviour().batching.most_links = Some(2);
    let target = |group: usize| format!("/groups/{}", id(group));
    client
        .graph
        .world_mut()
        .insert_group(Group::security(&id(101), "other"));
    let answer = batch(
        &mut client,
        &json!([
            write("1", "PATCH", &target(100), &binding(&[id(1), id(2)])),
            write("2", "PATCH", &target(101), &binding(&[id(1)])),
        ]),
    );
    let parts = parts(&answer);
    assert_eq!(
        (&parts["1"]["status"], &parts["2"]["status"]),
        (&json!(204), &json!(503))
    );
}

#[test]
fn one_group_can_take_one_write_per_batch() {
    let mut client = Client::company();
    client.behaviour().writing.concurrency = Concurrency::OncePerBatch;
    let target = format!("/groups/{}", id(100));
    let requests = json!([
        write("1", "PATCH", &target, &binding(&[id(1)])),
        write("2", "PATCH", &target, &binding(&[id(2)])),
    ]);
    let first = parts(&batch(&mut client, &requests));
    assert_eq!(
        (&first["1"]["status"], &first["2"]["status"]),
        (&json!(204), &json!(409))
    );
    assert_eq!(client.bind(&id(100), &[id(2)]).status, 204);
    assert_eq!(client.bind(&id(100), &[id(3)]).status, 204);
}

#[test]
fn a_planned_fault_hits_alone_and_in_a_batch() {
    let mut client = Client::company();
    client.graph.world_mut().faults.push(PlannedFault {
        method: Some("POST".to_owned()),
        path_contains: "/invitations".to_owned(),
        skip: 1,
        times: 1,
        status: 504,
        code: "GatewayTimeout".to_owned(),
        message: "late".to_owned(),
        retry_after: Some("2".to_owned()),
        after_effect: true,
    });
    assert_eq!(client.invite("a@partner.example").status, 201);
    let body = json!({"invitedUserEmailAddress": "b@partner.example", "inviteRedirectUrl": "https://x.example"});
    let answer = batch(
        &mut client,
        &json!([write("1", "POST", "/invitations", &body)]),
    );
    let part = parts(&answer)["1"].clone();
    assert_eq!(
        (&part["status"], &part["headers"]["retry-after"]),
        (&json!(504), &json!("2"))
    );
    assert_eq!(client.graph.world().users.len(), 5);
    assert_eq!(client.invite("c@partner.example").status, 201);
}

#[test]
fn every_call_is_recorded_with_its_cost_parts_one_by_one() {
    let mut client = Client::company();
    client.graph.take_calls();
    client.get("/users?$select=id");
    batch(
        &mut client,
        &json!([
            write("1", "PATCH", &format!("/users/{}", id(9)), &json!({"surname": "G"})),
            {"id": "2", "method": "GET", "url": "/nothing"},
        ]),
    );
    let calls = client.graph.take_calls();
    let shown: Vec<(&str, u16, u32, u32)> = calls
        .iter()
        .map(|call| {
            (
                call.method.as_str(),
                call.status,
                call.resource_units,
                call.writes,
            )
        })
        .collect();
    assert_eq!(
        shown,
        [("GET", 200, 1, 0), ("PATCH", 404, 1, 1), ("GET", 400, 0, 0)]
    );
    assert_eq!(calls[0].path, "/users");
    assert!(client.graph.take_calls().is_empty());
}
