use super::*;

const ALREADY: &str = "One or more added object references already exist for the following modified properties: 'members'.";

#[test]
fn an_update_changes_what_it_names_and_nothing_else() {
    let mut client = Client::company();
    let body = json!({"userType": "Member", "givenName": "Gil", "surname": null, "companyName": "Partner"});
    let answer = client.patch(&format!("/users/{}", id(3)), &body);
    assert_eq!((answer.status, &answer.body), (204, &Value::Null));
    let gil = &client.graph.world().users[&id(3)];
    assert_eq!(gil.user_type.as_deref(), Some("Member"));
    assert_eq!(gil.given_name.as_deref(), Some("Gil"));
    assert_eq!(gil.display_name.as_deref(), Some("Gil Gray"));
    assert_eq!(
        gil.external_user_state.as_deref(),
        Some("PendingAcceptance")
    );
    assert_eq!(gil.other["companyName"], "Partner");
}

#[test]
fn values_that_a_property_does_not_take_change_nothing() {
    let mut client = Client::company();
    for body in [
        json!({"displayName": null}),
        json!({"displayName": ""}),
        json!({"displayName": "n".repeat(257)}),
        json!({"givenName": "n".repeat(65)}),
        json!({"surname": "n".repeat(65)}),
        json!({"userType": "Owner"}),
        json!({"mail": "é@partner.example"}),
        json!({"id": id(9)}),
        json!({"nonsense": 1}),
        json!({"surname": "Gray", "givenName": 1}),
    ] {
        let before = client.graph.world().users.clone();
        let answer = client.patch(&format!("/users/{}", id(3)), &body);
        assert_eq!(
            (answer.status, answer.code()),
            (400, "Request_BadRequest"),
            "{body}"
        );
        assert_eq!(client.graph.world().users, before, "{body}");
    }
    let fits = json!({"displayName": "ü".repeat(256), "givenName": "ü".repeat(64)});
    assert_eq!(
        client.patch(&format!("/users/{}", id(3)), &fits).status,
        204
    );
}

#[test]
fn accounts_that_others_master_or_protect_cannot_be_updated() {
    let mut client = Client::company();
    let users = &mut client.graph.world_mut().users;
    users.get_mut(&id(1)).unwrap().on_premises_sync_enabled = Some(true);
    users.get_mut(&id(2)).unwrap().management_restricted = true;
    users.get_mut(&id(3)).unwrap().has_admin_role = true;
    let name = json!({"givenName": "G"});
    client
        .patch(&format!("/users/{}", id(1)), &name)
        .is_refused(
            400,
            "Request_BadRequest",
            "on-premises mastered Directory Sync objects",
        );
    client
        .patch(&format!("/users/{}", id(2)), &name)
        .is_refused(
            403,
            "Authorization_RequestDenied",
            "Insufficient privileges",
        );
    let target = format!("/users/{}", id(3));
    assert_eq!(client.patch(&target, &name).status, 204);
    assert_eq!(
        client
            .patch(&target, &json!({"accountEnabled": false}))
            .status,
        403
    );
    assert_eq!(
        client.patch(&format!("/users/{}", id(9)), &name).status,
        404
    );
}

#[test]
fn the_right_to_block_accounts_does_that_and_no_more() {
    let mut client = Client::with_roles(&["User.EnableDisableAccount.All"]);
    let target = format!("/users/{}", id(3));
    assert_eq!(
        client
            .patch(&target, &json!({"accountEnabled": false}))
            .status,
        204
    );
    let both = json!({"accountEnabled": true, "surname": "Gray"});
    assert_eq!(client.patch(&target, &both).status, 403);
}

#[test]
fn a_new_mail_is_the_primary_proxy_address() {
    let mut client = Client::company();
    client.patch(
        &format!("/users/{}", id(3)),
        &json!({"mail": "gil@new.example"}),
    );
    let gil = &client.graph.world().users[&id(3)];
    assert_eq!(
        gil.proxy_addresses,
        ["SMTP:gil@new.example", "smtp:gil@partner.example"]
    );
}

#[test]
fn a_write_says_that_it_is_json() {
    let mut client = Client::company();
    let target = format!("/users/{}", id(3));
    let answer = client.ask(Method::PATCH, &target, &[], None);
    answer.is_refused(400, "BadRequest", "Content-Type");
    let answer = client.patch(&target, &json!(["not an object"]));
    assert_eq!(answer.status, 400);
}

#[test]
fn updating_a_directory_object_is_not_an_operation() {
    let mut client = Client::company();
    client
        .patch(
            &format!("/directoryObjects/{}", id(3)),
            &json!({"userType": "Member"}),
        )
        .is_refused(405, "Request_BadRequest", "not allowed");
    assert!(client.graph.world().users[&id(3)].is_guest());
}

#[test]
fn a_member_is_added_once() {
    let mut client = Client::company();
    assert_eq!(client.add(&id(100), &id(3)).status, 204);
    assert_eq!(client.members(), [id(3)]);
    client
        .add(&id(100), &id(3))
        .is_refused(400, "Request_BadRequest", ALREADY);
    client
        .add(&id(100), &id(9))
        .is_refused(404, "Request_ResourceNotFound", &id(9));
    client
        .add(&id(8), &id(3))
        .is_refused(404, "Request_ResourceNotFound", &id(8));
}

#[test]
fn a_link_has_to_lead_to_this_service() {
    let mut client = Client::company();
    let target = format!("/groups/{}/members/$ref", id(100));
    for link in [
        format!(
            "https://graph.microsoft.com/v1.0/directoryObjects/{}",
            id(3)
        ),
        format!("{BASE}/v1.0/nothing/{}", id(3)),
        format!("{BASE}/v1.0/directoryObjects/gil"),
        id(3),
    ] {
        assert_eq!(
            client.post(&target, &json!({"@odata.id": link})).status,
            400,
            "{link}"
        );
    }
    assert_eq!(client.post(&target, &json!({})).status, 400);
    assert!(client.members().is_empty());
}

#[test]
fn twenty_members_are_added_at_once_and_not_one_more() {
    let mut client = Client::new(large_company(0));
    for n in 300..321 {
        client.graph.world_mut().insert_user(User::internal(
            &id(n),
            &format!("p{n}@acme.example"),
            "P",
        ));
    }
    let members: Vec<String> = (300..321).map(id).collect();
    client.bind(&id(100), &members).is_refused(
        400,
        "Request_BadRequest",
        "A resource cannot contain more than 20 link changes",
    );
    assert!(client.members().is_empty());
    assert_eq!(client.bind(&id(100), &members[..20]).status, 204);
    assert_eq!(client.members(), members[..20]);
}

#[test]
fn several_members_are_added_all_or_none() {
    let mut client = Client::company();
    client.add(&id(100), &id(2));
    client
        .bind(&id(100), &[id(1), id(2), id(3)])
        .is_refused(400, "Request_BadRequest", ALREADY);
    client
        .bind(&id(100), &[id(1), id(9)])
        .is_refused(404, "Request_ResourceNotFound", &id(9));
    client.bind(&id(100), &[id(1), id(1)]).is_refused(
        400,
        "Request_BadRequest",
        "can only be present once as an add/remove change.",
    );
    assert_eq!(client.members(), [id(2)]);
    assert_eq!(client.bind(&id(100), &[id(1), id(3)]).status, 204);
    assert_eq!(client.members(), [id(1), id(2), id(3)]);
}

#[test]
fn adding_several_members_can_take_a_greater_right() {
    let mut client = Client::company();
    client.behaviour().writing.bind_right = BindRight::Group;
    client.bind(&id(100), &[id(1)]).is_refused(
        403,
        "Authorization_RequestDenied",
        "Insufficient privileges",
    );
    assert_eq!(client.add(&id(100), &id(1)).status, 204);
}

#[test]
fn a_removal_takes_the_membership_and_leaves_the_account() {
    let mut client = Client::company();
    client.add(&id(100), &id(3));
    let target = format!("/groups/{}/members/{}/$ref", id(100), id(3));
    assert_eq!(client.delete(&target).status, 204);
    assert!(client.members().is_empty());
    assert!(client.graph.world().users.contains_key(&id(3)));
    client
        .delete(&target)
        .is_refused(404, "Request_ResourceNotFound", &id(3));
    client.behaviour().writing.not_a_member = NotAMember::BadRequest;
    client.delete(&target).is_refused(
        400,
        "Request_BadRequest",
        "One or more removed object references do not exist for the following modified properties: 'members'.",
    );
    client
        .delete(&format!("/groups/{}/members/{}/$ref", id(8), id(3)))
        .is_refused(404, "Request_ResourceNotFound", &id(8));
}

#[test]
fn a_removal_without_ref_deletes_the_account() {
    let mut client = Client::company();
    client.add(&id(100), &id(3));
    assert_eq!(
        client
            .delete(&format!("/groups/{}/members/{}", id(100), id(3)))
            .status,
        204
    );
    let world = client.graph.world();
    assert!(!world.users.contains_key(&id(3)));
    assert!(world.deleted_users.contains_key(&id(3)));
    assert!(client.members().is_empty());
}

#[test]
fn a_deleted_account_is_listed_apart_under_another_name() {
    const DELETED: &str = "/directory/deletedItems/microsoft.graph.user";
    let mut client = Client::company();
    assert!(client.get(DELETED).ids().is_empty());
    assert_eq!(client.delete(&format!("/users/{}", id(3))).status, 204);
    assert_eq!(client.get(DELETED).ids(), [id(3)]);
    assert!(!client.get("/users").ids().contains(&id(3)));

    let select = "id,userPrincipalName,mail,proxyAddresses,deletedDateTime";
    let selected = client.get(&format!("{DELETED}?$select={select}&$top=999"));
    let user = &selected.body["value"][0];
    assert_eq!(
        user["userPrincipalName"],
        format!(
            "{}gil_partner.example#EXT#@acme.onmicrosoft.com",
            id(3).replace('-', "")
        )
    );
    assert_eq!(user["mail"], "gil@partner.example");
    assert_eq!(user["proxyAddresses"], json!(["SMTP:gil@partner.example"]));
    assert!(user["deletedDateTime"].as_str().unwrap().ends_with('Z'));
    assert!(user.get("otherMails").is_none());

    let filter = |mail: &str| format!("{DELETED}?$filter=mail+eq+'{mail}'");
    assert_eq!(client.get(&filter("gil@partner.example")).ids(), [id(3)]);
    assert!(client.get(&filter("ann@acme.example")).ids().is_empty());
    for untyped in [
        "/directory/deletedItems",
        "/directory/deletedItems/microsoft.graph.group",
    ] {
        client
            .get(untyped)
            .is_refused(400, "Request_UnsupportedQuery", "");
    }
    for few in [&["User.ReadBasic.All"][..], &["GroupMember.Read.All"]] {
        Client::with_roles(few)
            .get(DELETED)
            .is_refused(403, "Authorization_RequestDenied", "");
    }
}

#[test]
fn a_removal_without_ref_is_403_for_an_app_that_may_not_delete_accounts() {
    let mut client = Client::with_roles(&["GroupMember.ReadWrite.All"]);
    client.add(&id(100), &id(3));
    assert_eq!(
        client
            .delete(&format!("/groups/{}/members/{}", id(100), id(3)))
            .status,
        403
    );
    assert_eq!(client.members(), [id(3)]);
    assert!(client.graph.world().users.contains_key(&id(3)));
}

#[test]
fn writes_to_the_members_without_naming_one_are_refused() {
    let mut client = Client::company();
    let members = format!("/groups/{}/members", id(100));
    let words = "Write requests are only supported on contained entities";
    client.delete(&members).is_refused(400, "BadRequest", words);
    client
        .post(&members, &link(&id(3)))
        .is_refused(400, "BadRequest", words);
    client
        .patch(&format!("{members}/$ref"), &binding(&[id(3)]))
        .is_refused(
            400,
            "BadRequest",
            "not supported on the targeted entity set",
        );
    assert!(client.members().is_empty());
}

#[test]
fn groups_that_cannot_be_managed_say_why_for_every_kind_of_write() {
    type Case = (fn(&mut Group), u16, &'static str);
    let cases: [Case; 6] = [
        (
            |group| group.group_types = vec!["DynamicMembership".to_owned()],
            400,
            "dynamic memberships",
        ),
        (
            |group| group.on_premises_sync_enabled = Some(true),
            400,
            "on-premises mastered",
        ),
        (
            |group| group.mail_enabled = true,
            400,
            "Cannot Update a mail-enabled security groups",
        ),
        (
            |group| {
                group.mail_enabled = true;
                group.security_enabled = false;
            },
            400,
            "and or distribution list.",
        ),
        (
            |group| group.is_assignable_to_role = Some(true),
            403,
            "Insufficient privileges",
        ),
        (
            |group| group.is_management_restricted = Some(true),
            403,
            "Insufficient privileges",
        ),
    ];
    for (change, status, message) in cases {
        let mut client = Client::company();
        client.add(&id(100), &id(1));
        change(client.graph.world_mut().groups.get_mut(&id(100)).unwrap());
        let removal = format!("/groups/{}/members/{}/$ref", id(100), id(1));
        for answer in [
            client.add(&id(100), &id(3)),
            client.bind(&id(100), &[id(3)]),
            client.delete(&removal),
        ] {
            assert_eq!(answer.status, status, "{}", answer.body);
            assert!(answer.message().contains(message), "{}", answer.body);
        }
        assert_eq!(client.members(), [id(1)]);
    }
}

#[test]
fn the_status_for_dynamic_and_mail_enabled_groups_can_be_403() {
    let mut client = Client::company();
    client.behaviour().writing.dynamic_group = RefusalStatus::Forbidden;
    client.behaviour().writing.mail_enabled_group = RefusalStatus::Forbidden;
    let group = client.graph.world_mut().groups.get_mut(&id(100)).unwrap();
    group.mail_enabled = true;
    assert_eq!(client.add(&id(100), &id(3)).status, 403);
    let group = client.graph.world_mut().groups.get_mut(&id(100)).unwrap();
    group.group_types = vec!["DynamicMembership".to_owned()];
    assert_eq!(client.add(&id(100), &id(3)).status, 403);
}

#[test]
fn groups_that_can_be_managed_let_writes_through() {
    let cases: [fn(&mut Group); 3] = [
        |group| {
            group.mail_enabled = true;
            group.group_types = vec!["Unified".to_owned()];
        },
        |group| group.on_premises_sync_enabled = Some(false),
        |group| group.is_assignable_to_role = Some(false),
    ];
    for change in cases {
        let mut client = Client::company();
        change(client.graph.world_mut().groups.get_mut(&id(100)).unwrap());
        assert_eq!(client.add(&id(100), &id(3)).status, 204);
    }
}

#[test]
fn role_assignable_groups_open_to_the_right_for_roles() {
    let mut client = Client::with_roles(&[
        "GroupMember.ReadWrite.All",
        "RoleManagement.ReadWrite.Directory",
    ]);
    let group = client.graph.world_mut().groups.get_mut(&id(100)).unwrap();
    group.is_assignable_to_role = Some(true);
    assert_eq!(client.add(&id(100), &id(3)).status, 204);
}

#[test]
fn a_group_may_refuse_guests_or_be_full() {
    let mut client = Client::company();
    let group = client.graph.world_mut().groups.get_mut(&id(100)).unwrap();
    group.guests_refused = true;
    group.member_quota = Some(1);
    client.add(&id(100), &id(3)).is_refused(
        403,
        "Authorization_RequestDenied",
        "Guests users are not allowed to join",
    );
    assert_eq!(client.add(&id(100), &id(1)).status, 204);
    client.add(&id(100), &id(2)).is_refused(
        403,
        "Directory_QuotaExceeded",
        "Unable to perform operation as '2' would exceed the maximum quota count '1' for forward-link 'members'.",
    );
}

#[test]
fn every_nth_membership_write_can_come_too_close_to_another() {
    let mut client = Client::company();
    client.behaviour().writing.concurrency = Concurrency::EveryNth(2);
    assert_eq!(client.add(&id(100), &id(1)).status, 204);
    client.add(&id(100), &id(2)).is_refused(
        409,
        "Directory_ConcurrencyViolation",
        "Error due to concurrent requests being made to the tenant. Please wait briefly and retry.",
    );
    assert_eq!(client.add(&id(100), &id(2)).status, 204);
    client.behaviour().writing.conflict = Conflict::BadRequest;
    client.add(&id(100), &id(3)).is_refused(
        400,
        "Request_BadRequest",
        "Error due to concurrent requests",
    );
    assert_eq!(client.members(), [id(1), id(2)]);
}
