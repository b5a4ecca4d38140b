use super::*;

/// Percent-encodes everything that may not stand in a query.
fn filter(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

#[test]
fn the_tenant_names_itself_and_its_domains() {
    let mut client = Client::company();
    let answer = client.get("/organization?$select=id,displayName,verifiedDomains");
    let organization = &answer.body["value"][0];
    assert_eq!(organization["id"], TENANT);
    assert_eq!(organization.as_object().unwrap().len(), 3);
    let initial = &organization["verifiedDomains"][1];
    assert_eq!(initial["name"], "acme.onmicrosoft.com");
    assert_eq!(
        (&initial["isInitial"], &initial["isDefault"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(client.get("/domains").status, 403);
    let mut client = Client::with_roles(&["Domain.Read.All"]);
    assert_eq!(
        client.get("/domains").ids(),
        ["acme.example", "acme.onmicrosoft.com"]
    );
    assert_eq!(client.get("/organization").status, 403);
}

#[test]
fn only_selected_properties_are_there() {
    let mut client = Client::company();
    let user = &client.get("/users").body["value"][2];
    for hidden in [
        "userType",
        "otherMails",
        "proxyAddresses",
        "accountEnabled",
        "creationType",
    ] {
        assert!(user.get(hidden).is_none(), "{hidden}");
    }
    assert_eq!(user["mail"], "gil@partner.example");
    let user = &client.get("/users?$select=id,userType,proxyAddresses").body["value"][2];
    assert_eq!(
        *user,
        json!({"id": id(3), "userType": "Guest", "proxyAddresses": ["SMTP:gil@partner.example"]})
    );
    client
        .get("/users?$select=id,userTyp")
        .is_refused(400, "BadRequest", "'userTyp'");
}

#[test]
fn basic_rights_show_basic_fields() {
    let mut client = Client::with_roles(&["User.ReadBasic.All"]);
    let user = &client
        .get("/users?$select=id,mail,userType,otherMails")
        .body["value"][2];
    assert_eq!(*user, json!({"id": id(3), "mail": "gil@partner.example"}));
}

#[test]
fn pages_hold_a_hundred_objects_and_lead_to_all_of_them() {
    let mut client = Client::new(large_company(247));
    let expected: Vec<String> = client.graph.world().users.keys().cloned().collect();
    let pages = client.pages("/users", &[]);
    assert_eq!(
        pages.iter().map(Vec::len).collect::<Vec<_>>(),
        [100, 100, 50]
    );
    assert_eq!(pages.concat(), expected);
    assert_eq!(client.pages("/users?$top=999", &[]).len(), 1);
    for top in ["1000", "0", "-1", "many"] {
        client.get(&format!("/users?$top={top}")).is_refused(
            400,
            "Request_UnsupportedQuery",
            "Must be between 1 and 999 inclusive.",
        );
    }
}

#[test]
fn pages_are_complete_whatever_their_size() {
    for (size, top, at_most, gaps) in (0..12).flat_map(|size| {
        [
            (1, None),
            (2, None),
            (3, Some(2)),
            (5, Some(3)),
            (999, Some(4)),
            (7, None),
        ]
        .into_iter()
        .flat_map(move |(top, at_most)| [false, true].map(|gaps| (size, top, at_most, gaps)))
    }) {
        let mut client = Client::new(large_company(size));
        client.behaviour().reading.page_at_most = at_most;
        client.behaviour().reading.empty_pages = gaps;
        let users: Vec<String> = client.graph.world().users.keys().cloned().collect();
        let members = client.members();
        let cuts = [
            (format!("/users?$select=id&$top={top}"), users),
            (format!("/groups/{}/members?$top={top}", id(100)), members),
        ];
        for (target, expected) in cuts {
            let pages = client.pages(&target, &[]);
            assert_eq!(pages.concat(), expected, "{size} {top} {at_most:?} {gaps}");
            let largest = at_most.map_or(top, |most: usize| most.min(top));
            assert!(pages.iter().all(|page| page.len() <= largest));
            let has_gap = pages.iter().any(Vec::is_empty);
            assert_eq!(
                has_gap,
                expected.is_empty() || gaps && expected.len() > largest
            );
        }
    }
}

#[test]
fn objects_that_go_between_two_pages_hide_no_others() {
    let mut client = Client::new(large_company(10));
    let first = client.get("/users?$select=id&$top=5");
    client.graph.world_mut().users.remove(&first.ids()[0]);
    let next = first.body["@odata.nextLink"].as_str().unwrap().to_owned();
    let rest = client.pages(next.strip_prefix(&format!("{BASE}/v1.0")).unwrap(), &[]);
    assert_eq!(rest.concat().len(), 8);
}

#[test]
fn a_skip_token_that_is_not_one_is_refused() {
    let mut client = Client::company();
    for token in ["x", "RFNwdAoAAQ", "RFNwdAoAAQAAAA"] {
        client
            .get(&format!("/users?$skiptoken={token}"))
            .is_refused(400, "Directory_ExpiredPageToken", "");
    }
}

#[test]
fn a_next_link_needs_its_header_again() {
    let mut client = Client::new(large_company(30));
    let target = format!(
        "/users?$count=true&$top=10&$filter={}",
        filter("endswith(mail,'@acme.example')")
    );
    let first = client.ask(Method::GET, &target, EVENTUAL, None);
    assert_eq!(first.body["@odata.count"], 32);
    let next = first.body["@odata.nextLink"].as_str().unwrap().to_owned();
    let next = next.strip_prefix(&format!("{BASE}/v1.0")).unwrap();
    client
        .get(next)
        .is_refused(400, "Request_UnsupportedQuery", "Unsupported Query.");
    let second = client.ask(Method::GET, next, EVENTUAL, None);
    assert_eq!(second.ids().len(), 10);
    assert!(second.body.get("@odata.count").is_none());
}

#[test]
fn a_count_needs_the_header() {
    let mut client = Client::company();
    client.get("/users/$count").is_refused(
        400,
        "Request_BadRequest",
        "$count is not currently supported.",
    );
    let answer = client.ask(Method::GET, "/users/$count", EVENTUAL, None);
    assert_eq!((answer.status, &answer.body), (200, &json!(3)));
    assert_eq!(answer.header("content-type"), "text/plain");
    assert!(
        client
            .get("/users?$count=true")
            .body
            .get("@odata.count")
            .is_none()
    );
}

#[test]
fn accounts_are_found_by_every_attribute_that_can_be_filtered() {
    let mut client = Client::company();
    client.patch(&format!("/users/{}", id(2)), &json!({"jobTitle": "Baker"}));
    for (text, found) in [
        ("jobTitle eq 'baker'", vec![2]),
        ("mail eq 'gil@partner.example'", vec![3]),
        ("mail eq 'GIL@Partner.example'", vec![3]),
        (
            "mail in ('ann@acme.example','bob@acme.example','nobody@x.example')",
            vec![1, 2],
        ),
        (
            "mail eq 'ann@acme.example' or mail eq 'gil@partner.example'",
            vec![1, 3],
        ),
        (
            "userPrincipalName eq 'gil_partner.example#EXT#@acme.onmicrosoft.com'",
            vec![3],
        ),
        ("otherMails/any(x:x eq 'gil@partner.example')", vec![3]),
        (
            "otherMails/any(x:x in ('gil@partner.example','a@b.example'))",
            vec![3],
        ),
        (
            "proxyAddresses/any(x:x eq 'smtp:ann@acme.example')",
            vec![1],
        ),
        ("proxyAddresses/any(x:startswith(x,'SMTP:bob'))", vec![2]),
        ("startsWith(displayName,'Gil')", vec![3]),
        ("creationType eq 'Invitation'", vec![3]),
        ("userType eq 'Member' and startswith(mail,'b')", vec![2]),
        (
            "identities/any(c:c/issuerAssignedId eq 'gil_partner.example#EXT#@acme.onmicrosoft.com' and c/issuer eq 'acme.onmicrosoft.com')",
            vec![3],
        ),
    ] {
        let answer = client.get(&format!("/users?$select=id&$filter={}", filter(text)));
        assert_eq!(answer.status, 200, "{text}: {}", answer.body);
        assert_eq!(
            answer.ids(),
            found.into_iter().map(id).collect::<Vec<_>>(),
            "{text}"
        );
    }
}

#[test]
fn comparisons_can_heed_case() {
    let mut client = Client::company();
    client.behaviour().reading.filters_ignore_case = false;
    let target = format!("/users?$filter={}", filter("mail eq 'GIL@partner.example'"));
    assert!(client.get(&target).ids().is_empty());
}

#[test]
fn filters_that_the_directory_does_not_take_are_refused() {
    let mut client = Client::company();
    let values = |count: usize| vec!["'a@b.example'"; count].join(",");
    let chain = |count: usize| vec!["mail eq 'a@b.example'"; count].join(" or ");
    let many = "Too many child clauses specified in search filter expression containing 'OR' operators: 16. Max allowed: 15.";
    for (text, code, message) in [
        (
            "companyName eq 'a'".to_owned(),
            "Request_UnsupportedQuery",
            "for property 'companyName' of resource 'User'.",
        ),
        (
            "id eq 'a'".to_owned(),
            "Request_UnsupportedQuery",
            "for property 'id'",
        ),
        (
            "proxyAddresses/any(x:x in ('a'))".to_owned(),
            "Request_UnsupportedQuery",
            "proxyAddresses",
        ),
        (
            "identities/any(c:c/issuerAssignedId eq 'a')".to_owned(),
            "Request_UnsupportedQuery",
            "identities",
        ),
        (
            "otherMails eq 'a'".to_owned(),
            "Request_UnsupportedQuery",
            "otherMails",
        ),
        (
            "mail/any(x:x eq 'a')".to_owned(),
            "Request_UnsupportedQuery",
            "mail",
        ),
        (
            "otherMails/any(x:y eq 'a')".to_owned(),
            "Request_UnsupportedQuery",
            "otherMails",
        ),
        (
            "signInNames/any(x:x eq 'a')".to_owned(),
            "BadRequest",
            "signInNames",
        ),
        (
            "mail ne 'a'".to_owned(),
            "Request_UnsupportedQuery",
            "Unsupported Query.",
        ),
        (
            "endswith(mail,'a')".to_owned(),
            "Request_UnsupportedQuery",
            "Unsupported Query.",
        ),
        (
            "not(mail eq 'a')".to_owned(),
            "Request_UnsupportedQuery",
            "Unsupported Query.",
        ),
        (
            format!("mail in ({})", values(16)),
            "Request_UnsupportedQuery",
            many,
        ),
        (chain(16), "Request_UnsupportedQuery", many),
        (
            format!("otherMails/any(x:x in ({}))", values(16)),
            "Request_UnsupportedQuery",
            many,
        ),
        (
            format!("mail in ({}) or {}", values(8), chain(8)),
            "Request_UnsupportedQuery",
            many,
        ),
        ("mail eq 'O'Brien'".to_owned(), "BadRequest", "unterminated"),
        ("mail".to_owned(), "BadRequest", "Invalid filter clause"),
    ] {
        client
            .get(&format!("/users?$filter={}", filter(&text)))
            .is_refused(400, code, message);
    }
    for text in [format!("mail in ({})", values(15)), chain(15)] {
        assert_eq!(
            client
                .get(&format!("/users?$filter={}", filter(&text)))
                .status,
            200
        );
    }
    let advanced = format!("/users?$count=true&$filter={}", filter(&chain(16)));
    assert_eq!(
        client.ask(Method::GET, &advanced, EVENTUAL, None).status,
        200
    );
    let too_long = format!("/users?$count=true&$filter={}", filter(&chain(80)));
    assert_eq!(
        client.ask(Method::GET, &too_long, EVENTUAL, None).status,
        414
    );
}

#[test]
fn options_that_are_not_offered_are_refused_and_not_ignored() {
    let mut client = Client::company();
    for option in ["$search=x", "$orderby=mail", "$expand=memberOf", "$skip=1"] {
        assert_eq!(
            client.get(&format!("/users?{option}")).status,
            400,
            "{option}"
        );
    }
    assert_eq!(client.get("/users?$top=1&$top=2").status, 400);
    assert_eq!(client.get("/users?something=else").status, 200);
}

#[test]
fn a_plus_in_a_query_is_a_space() {
    let mut client = Client::company();
    assert_eq!(
        client
            .get("/users?$filter=mail+eq+%27ann@acme.example%27")
            .ids(),
        [id(1)]
    );
}

#[test]
fn accounts_are_read_by_id_and_by_principal_name() {
    let mut client = Client::company();
    for key in [
        id(3),
        id(3).to_uppercase(),
        "gil_partner.example%23EXT%23@acme.onmicrosoft.com".to_owned(),
    ] {
        let answer = client.get(&format!("/users/{key}?$select=id"));
        assert_eq!(answer.body["id"], id(3), "{key}");
    }
    client.get(&format!("/users/{}", id(9))).is_refused(
        404,
        "Request_ResourceNotFound",
        &format!("Resource '{}' does not exist or one of its queried reference-property objects are not present.", id(9)),
    );
}

#[test]
fn groups_are_found_by_name_and_several_may_have_it() {
    let mut client = Client::company();
    let mut other = Group::security(&id(101), "acme-platform");
    other.group_types = vec!["Unified".to_owned()];
    client.graph.world_mut().insert_group(other);
    client
        .graph
        .world_mut()
        .insert_group(Group::security(&id(102), "O'Brien & Söhne + 100 %"));
    for (text, found) in [
        ("displayName eq 'acme-platform'", vec![100, 101]),
        ("displayName in ('ACME-platform','x')", vec![100, 101]),
        ("displayName eq 'O''Brien & Söhne + 100 %'", vec![102]),
        ("startswith(displayName,'O''B')", vec![102]),
        ("displayName eq 'none'", vec![]),
        ("groupTypes/any(c:c eq 'Unified')", vec![101]),
        ("displayName ne 'acme-platform'", vec![102]),
    ] {
        let answer = client.get(&format!("/groups?$filter={}", filter(text)));
        assert_eq!(
            answer.ids(),
            found.into_iter().map(id).collect::<Vec<_>>(),
            "{text}"
        );
    }
    client.get("/groups/acme-platform").is_refused(
        400,
        "Request_BadRequest",
        "Invalid object identifier",
    );
    client
        .get(&format!("/groups/{}", id(9)))
        .is_refused(404, "Request_ResourceNotFound", &id(9));
    assert_eq!(
        client.get(&format!("/groups/{}", id(100))).body["displayName"],
        "acme-platform"
    );
}

#[test]
fn names_longer_than_120_characters_cannot_be_compared() {
    let mut client = Client::company();
    let name = "n".repeat(121);
    client
        .graph
        .world_mut()
        .insert_group(Group::security(&id(101), &name));
    let equal = format!(
        "/groups?$filter={}",
        filter(&format!("displayName eq '{name}'"))
    );
    client
        .get(&equal)
        .is_refused(400, "Request_UnsupportedQuery", "120");
    client.behaviour().reading.long_comparison = LongComparison::MatchesNothing;
    assert!(client.get(&equal).ids().is_empty());
    let starts = filter(&format!("startsWith(displayName,'{}')", &name[..120]));
    assert_eq!(
        client.get(&format!("/groups?$filter={starts}")).ids(),
        [id(101)]
    );
}

#[test]
fn the_right_to_write_memberships_does_not_read_groups() {
    let mut client = Client::with_roles(&["GroupMember.ReadWrite.All"]);
    assert_eq!(client.get("/groups").status, 403);
    assert_eq!(
        client.get(&format!("/groups/{}/members", id(100))).status,
        200
    );
}

/// A group with an account, a nested group, a device, a contact and a service principal.
fn mixed() -> Client {
    let mut client = Client::company();
    let world = client.graph.world_mut();
    world.insert_group(Group::security(&id(101), "nested"));
    for (n, kind) in [
        (200, OtherKind::Device),
        (201, OtherKind::OrgContact),
        (202, OtherKind::ServicePrincipal),
    ] {
        world.insert_other(OtherObject {
            id: id(n),
            kind,
            display_name: format!("object {n}"),
            mail: None,
        });
    }
    let members = [3, 101, 200, 201, 202].map(id);
    let group = Group::security(&id(100), "acme-platform");
    world.insert_group(group.with_members(members.iter().map(String::as_str)));
    client
}

#[test]
fn members_are_of_every_kind_but_service_principals_are_not_listed() {
    let mut client = mixed();
    let answer = client.get(&format!("/groups/{}/members?$select=id,mail", id(100)));
    let types: Vec<&str> = answer.body["value"]
        .as_array()
        .unwrap()
        .iter()
        .map(|member| member["@odata.type"].as_str().unwrap())
        .collect();
    assert_eq!(
        types,
        [
            "#microsoft.graph.user",
            "#microsoft.graph.group",
            "#microsoft.graph.device",
            "#microsoft.graph.orgContact"
        ]
    );
    let answer = client.get(&format!("/groups/{}/members/microsoft.graph.user", id(100)));
    assert_eq!(answer.ids(), [id(3)]);
    assert!(answer.body["value"][0].get("@odata.type").is_none());
    client
        .get(&format!(
            "/groups/{}/members/microsoft.graph.device",
            id(100)
        ))
        .is_refused(400, "Request_UnsupportedQuery", "Unsupported Query.");
}

#[test]
fn members_that_the_app_may_not_read_are_only_type_and_id() {
    let mut client = mixed();
    client.graph.world_mut().apps[0].roles = ["GroupMember.Read.All".to_owned()].into();
    client.log_in();
    let answer = client.get(&format!("/groups/{}/members?$select=id,mail", id(100)));
    assert_eq!(
        answer.body["value"][0],
        json!({"@odata.type": "#microsoft.graph.user", "id": id(3), "mail": null})
    );
}

#[test]
fn members_of_an_unknown_group_are_404_and_filters_on_members_are_advanced() {
    let mut client = mixed();
    client
        .get(&format!("/groups/{}/members", id(9)))
        .is_refused(404, "Request_ResourceNotFound", &id(9));
    let target = format!(
        "/groups/{}/members?$filter={}",
        id(100),
        filter("startswith(displayName,'Gil')")
    );
    client
        .get(&target)
        .is_refused(400, "Request_UnsupportedQuery", "Unsupported Query.");
    let answer = client.ask(
        Method::GET,
        &format!("{target}&$count=true"),
        EVENTUAL,
        None,
    );
    assert_eq!(answer.ids(), [id(3)]);
    let count = client.ask(
        Method::GET,
        &format!("/groups/{}/members/$count", id(100)),
        EVENTUAL,
        None,
    );
    assert_eq!(count.body, 4);
}

#[test]
fn hidden_membership_needs_its_own_right() {
    let mut client = mixed();
    let group = client.graph.world_mut().groups.get_mut(&id(100)).unwrap();
    group.visibility = Some("HiddenMembership".to_owned());
    let target = format!("/groups/{}/members", id(100));
    assert_eq!(client.get(&target).status, 403);
    client.behaviour().reading.hidden_membership = HiddenMembership::Empty;
    assert!(client.get(&target).ids().is_empty());
    client.graph.world_mut().apps[0]
        .roles
        .insert("Member.Read.Hidden".to_owned());
    client.log_in();
    assert_eq!(client.get(&target).ids().len(), 4);
}

#[test]
fn objects_are_read_by_their_ids() {
    let mut client = mixed();
    let body = json!({"ids": [id(3), id(9), id(101), id(202)], "types": ["user", "group"]});
    let answer = client.post("/directoryObjects/getByIds?$select=id", &body);
    assert_eq!(answer.ids(), [id(3), id(101)]);
    assert_eq!(answer.header("x-ms-resource-unit"), "2");
    let many: Vec<String> = (0..1_001).map(id).collect();
    assert_eq!(
        client
            .post("/directoryObjects/getByIds", &json!({"ids": many}))
            .status,
        400
    );
    assert_eq!(
        client.get(&format!("/directoryObjects/{}", id(202))).body["@odata.type"],
        "#microsoft.graph.servicePrincipal"
    );
}

#[test]
fn paths_that_lead_nowhere_are_errors() {
    let mut client = Client::company();
    client
        .get("//groups")
        .is_refused(400, "BadRequest", "segment ''");
    client
        .get("/groups//members")
        .is_refused(400, "BadRequest", "segment ''");
    client
        .get("/nothing")
        .is_refused(400, "BadRequest", "segment 'nothing'");
    client
        .get("/invitations")
        .is_refused(404, "ResourceNotFound", "");
    client.delete("/groups").is_refused(
        405,
        "Request_BadRequest",
        "Specified HTTP method is not allowed",
    );
    let request = request(Method::GET, "/beta/users", &[], Vec::new());
    assert_eq!(
        client.graph.answer(&request, Duration::ZERO).status,
        status(400)
    );
}

#[test]
fn every_answer_carries_its_ids_and_the_time_of_the_service() {
    let mut client = Client::company();
    client.now = Duration::from_secs(61);
    let answer = client.ask(
        Method::GET,
        "/users",
        &[("client-request-id", "mine")],
        None,
    );
    assert_eq!(answer.header("client-request-id"), "mine");
    assert_eq!(answer.header("date"), "Mon, 05 Jan 2026 08:01:01 GMT");
    assert_eq!(answer.header("odata-version"), "4.0");
    assert_eq!(answer.header("request-id").len(), 36);
    let refused = client.get("/nothing");
    let inner = &refused.body["error"]["innerError"];
    assert_eq!(inner["request-id"], refused.header("request-id"));
    assert_eq!(inner["client-request-id"], refused.header("request-id"));
    assert_eq!(inner["date"], "2026-01-05T08:01:01");
}
