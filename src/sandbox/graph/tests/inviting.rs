use super::*;

fn invitation(more: &Value) -> Value {
    let mut body = json!({
        "invitedUserEmailAddress": "dana@partner.example",
        "inviteRedirectUrl": "https://portal.azure.com/",
    });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

fn invited_id(answer: &Answer) -> String {
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.body["invitedUser"]["id"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn an_invitation_makes_a_pending_guest() {
    let mut client = Client::company();
    let id = invited_id(&client.invite("dana@partner.example"));
    let user = &client.graph.world().users[&id];
    assert_eq!(
        user.user_principal_name,
        "dana_partner.example#EXT#@acme.onmicrosoft.com"
    );
    assert_eq!(user.mail.as_deref(), Some("dana@partner.example"));
    assert_eq!(user.other_mails, ["dana@partner.example"]);
    assert_eq!(user.proxy_addresses, ["SMTP:dana@partner.example"]);
    assert_eq!(user.user_type.as_deref(), Some("Guest"));
    assert_eq!(user.creation_type.as_deref(), Some("Invitation"));
    assert_eq!(
        user.external_user_state.as_deref(),
        Some("PendingAcceptance")
    );
    assert_eq!(user.display_name.as_deref(), Some("dana"));
    assert_eq!((&user.given_name, &user.surname), (&None, &None));
}

#[test]
fn an_invitation_can_give_name_and_type_and_send_a_mail() {
    let mut client = Client::company();
    let more = json!({
        "invitedUserDisplayName": "Dana Diaz", "invitedUserType": "Member", "sendInvitationMessage": true,
    });
    let answer = client.post("/invitations", &invitation(&more));
    let id = invited_id(&answer);
    assert_eq!(answer.body["status"], "PendingAcceptance");
    let world = client.graph.world();
    assert_eq!(world.users[&id].display_name.as_deref(), Some("Dana Diaz"));
    assert_eq!(world.users[&id].user_type.as_deref(), Some("Member"));
    assert!(world.invitations[0].mail_sent);
}

#[test]
fn what_a_mail_is_like_is_repeated_and_at_most_one_copy_is_sent() {
    let mut client = Client::company();
    let mut info = |info: Value| {
        client.post(
            "/invitations",
            &invitation(&json!({"sendInvitationMessage": true, "invitedUserMessageInfo": info})),
        )
    };
    let copy = |address: &str| json!({"emailAddress": {"address": address}});
    let repeated =
        info(json!({"customizedMessageBody": "Hi", "ccRecipients": [copy("a@acme.example")]}));
    assert_eq!(
        repeated.body["invitedUserMessageInfo"],
        json!({
            "messageLanguage": null, "customizedMessageBody": "Hi",
            "ccRecipients": [{"emailAddress": {"name": null, "address": "a@acme.example"}}],
        })
    );
    for wrong in [
        json!("Hi"),
        json!({"messageBody": "Hi"}),
        json!({"messageLanguage": 5}),
        json!({"ccRecipients": "a@acme.example"}),
        json!({"ccRecipients": [{"emailAddress": null}]}),
        json!({"ccRecipients": [copy("a@acme.example"), copy("b@acme.example")]}),
    ] {
        info(wrong).is_refused(400, "BadRequest", "Invalid value");
    }
}

#[test]
fn an_invitation_as_member_can_be_ignored_or_refused() {
    let mut client = Client::company();
    client.behaviour().inviting.as_member = MemberInvitation::MakesGuest;
    let as_member = invitation(&json!({"invitedUserType": "Member"}));
    let id = invited_id(&client.post("/invitations", &as_member));
    assert!(client.graph.world().users[&id].is_guest());
    client.behaviour().inviting.as_member = MemberInvitation::Refused;
    client
        .post("/invitations", &as_member)
        .is_refused(403, "Forbidden", "");
}

#[test]
fn a_second_invitation_finds_the_same_account_and_ends_the_first_link() {
    let mut client = Client::company();
    let first = client.invite("dana@partner.example");
    let second = client.invite("DANA@partner.example");
    assert_eq!(invited_id(&first), invited_id(&second));
    assert_ne!(
        first.body["inviteRedeemUrl"],
        second.body["inviteRedeemUrl"]
    );
    let valid: Vec<bool> = client
        .graph
        .world()
        .invitations
        .iter()
        .map(|invitation| invitation.valid)
        .collect();
    assert_eq!(valid, [false, true]);
    assert_eq!(client.graph.world().users.len(), 4);
}

#[test]
fn a_guest_is_recognised_by_any_address_and_after_acceptance() {
    let mut client = Client::company();
    let gil = client.graph.world_mut().users.get_mut(&id(3)).unwrap();
    gil.mail = Some("gil@new.example".to_owned());
    gil.other_mails = vec!["gil@other.example".to_owned()];
    gil.proxy_addresses = vec!["smtp:gil@proxy.example".to_owned()];
    gil.external_user_state = Some("Accepted".to_owned());
    for address in [
        "gil@new.example",
        "gil@other.example",
        "gil@proxy.example",
        "gil@partner.example",
    ] {
        let answer = client.invite(address);
        assert_eq!(invited_id(&answer), id(3), "{address}");
        assert_eq!(answer.body["status"], "Completed");
    }
}

#[test]
fn an_account_of_the_tenant_cannot_be_invited() {
    let mut client = Client::company();
    client.invite("ann@acme.example").is_refused(
        400,
        "BadRequest",
        &format!(
            "already exists in the directory as object ID: {}. They can use",
            id(1)
        ),
    );
    let bob = client.graph.world_mut().users.get_mut(&id(2)).unwrap();
    bob.account_enabled = false;
    bob.other_mails = vec!["bob@home.example".to_owned()];
    client.invite("bob@acme.example").is_refused(
        400,
        "BadRequest",
        "but the account is blocked from signing in",
    );
    client.invite("bob@home.example").is_refused(
        400,
        "BadRequest",
        "Non-external user already exists",
    );
    client.invite("nobody@acme.example").is_refused(
        400,
        "BadRequest",
        "is a verified domain of this directory.",
    );
    assert_eq!(client.invite("nobody@sub.acme.example").status, 201);
}

#[test]
fn the_policy_decides_who_invites_whom() {
    let mut client = Client::company();
    let policy = &mut client.graph.world_mut().invitation_policy;
    policy.denied_domains = ["denied.example".to_owned()].into();
    policy.cross_tenant_blocked = ["blocked.example".to_owned()].into();
    policy.unreachable = ["lost@partner.example".to_owned()].into();
    client
        .invite("a@denied.example")
        .is_refused(400, "BadRequest", "not allowed");
    client.invite("a@blocked.example").is_refused(
        403,
        "Forbidden",
        "blocked by cross-tenant access settings",
    );
    client.invite("lost@partner.example").is_refused(
        500,
        "InternalServerError",
        "Unable to find target address",
    );
    client.graph.world_mut().invitation_policy.allowed_domains = ["only.example".to_owned()].into();
    assert_eq!(client.invite("a@partner.example").status, 400);
    assert_eq!(client.invite("a@only.example").status, 201);
    client
        .graph
        .world_mut()
        .invitation_policy
        .allow_invites_from = InvitesFrom::None;
    client.invite("b@only.example").is_refused(
        403,
        "Forbidden",
        "Guest invitations not allowed for your company.",
    );
}

#[test]
fn restricted_invitations_take_the_right_to_invite_itself() {
    let mut client = Client::with_roles(&["User.ReadWrite.All"]);
    assert_eq!(client.invite("a@partner.example").status, 201);
    client
        .graph
        .world_mut()
        .invitation_policy
        .allow_invites_from = InvitesFrom::AdminsAndGuestInviters;
    assert_eq!(client.invite("b@partner.example").status, 403);
    client.graph.world_mut().apps[0]
        .roles
        .insert("User.Invite.All".to_owned());
    client.log_in();
    assert_eq!(client.invite("b@partner.example").status, 201);
}

#[test]
fn without_the_right_an_invitation_is_401_in_the_name_of_graph() {
    let mut client = Client::with_roles(&["User.Read.All"]);
    client.invite("dana@partner.example").is_refused(
        401,
        "Unauthorized",
        "by the application '00000003-0000-0000-c000-000000000000'. ControllerName=MSGraphInviteAPI",
    );
}

#[test]
fn addresses_with_characters_that_entra_refuses_are_400() {
    let mut client = Client::company();
    let refused = "~!#$%^&*()+=[]{}\\/|;:\"<>?,";
    let mut addresses: Vec<String> = refused
        .chars()
        .map(|character| format!("da{character}na@partner.example"))
        .collect();
    addresses.extend(
        [
            ".a@p.example",
            "a.@p.example",
            "-a@p.example",
            "a-@p.example",
            "a",
            "@p.example",
            "a@",
            "ä@p.example",
            "a@p",
            "a b@p.example",
        ]
        .map(str::to_owned),
    );
    for address in addresses {
        let answer = client.invite(&address);
        assert_eq!(
            (answer.status, answer.code()),
            (400, "BadRequest"),
            "{address}"
        );
    }
    for address in ["_a_@p.example", "a.b-c_d@p.example", "o'neil@p.example"] {
        assert_eq!(client.invite(address).status, 201, "{address}");
    }
}

#[test]
fn a_request_for_an_invitation_has_to_be_whole_and_hold_nothing_else() {
    let mut client = Client::company();
    for more in [
        json!({"invitedUserEmailAddress": null}),
        json!({"inviteRedirectUrl": null}),
        json!({"inviteRedirectUrl": "portal"}),
        json!({"invitedUserType": "Owner"}),
        json!({"sendInvitationMessage": "yes"}),
        json!({"givenName": "Dana"}),
        json!({"resetRedemption": true}),
    ] {
        let answer = client.post("/invitations", &invitation(&more));
        assert_eq!(answer.status, 400, "{more}");
    }
}

#[test]
fn the_address_of_a_contact_gives_a_guest_without_proxy_addresses() {
    let mut client = Client::company();
    client.graph.world_mut().insert_other(OtherObject {
        id: id(201),
        kind: OtherKind::OrgContact,
        display_name: "Dana".to_owned(),
        mail: Some("dana@partner.example".to_owned()),
    });
    client.behaviour().inviting.address_of_contact = ContactAddress::Refused;
    assert_eq!(client.invite("dana@partner.example").status, 400);
    client.behaviour().inviting.address_of_contact = ContactAddress::NoProxyAddresses;
    let id = invited_id(&client.invite("dana@partner.example"));
    assert!(client.graph.world().users[&id].proxy_addresses.is_empty());
}

#[test]
fn a_deleted_guest_can_come_back_or_be_made_anew() {
    for (deleted_guest, is_same) in [
        (DeletedGuest::NewAccount, false),
        (DeletedGuest::Restored, true),
    ] {
        let mut client = Client::company();
        client.behaviour().inviting.deleted_guest = deleted_guest;
        assert_eq!(client.delete(&format!("/users/{}", id(3))).status, 204);
        let again = invited_id(&client.invite("gil@partner.example"));
        assert_eq!(again == id(3), is_same);
    }
}
