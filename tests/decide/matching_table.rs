//! Whose account is whose, as a table that can be read alone: the snapshot beside this file.
//!
//! A case is written as the table shows it. Everybody in it is in `/team`, which is mapped to `acme-team`, and is called Ann, Bob or Cyd
//! Example in their order; `elsewhere` is another mapped group. An account came from an invitation, is a Member and is called Ann Example,
//! unless it says otherwise. Four more people are in the team and have their accounts as they should be; they are left out.

use std::fmt::Write;

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};
use keycloak_to_azure::model::UserType;
use keycloak_to_azure::plan::{Change, Fields, Plan};
use keycloak_to_azure::settings::{RemovalPolicy, UnverifiedPolicy, UpdatePolicy};
use keycloak_to_azure::snapshot::Account;

use crate::world::{World, id, team_of};

const NAMES: [&str; 3] = ["Ann", "Bob", "Cyd"];

struct Case {
    name: &'static str,
    people: &'static [&'static str],
    accounts: &'static [&'static str],
    settings: &'static str,
}

const fn case(
    name: &'static str,
    people: &'static [&'static str],
    accounts: &'static [&'static str],
    settings: &'static str,
) -> Case {
    Case {
        name,
        people,
        accounts,
        settings,
    }
}

const ANN: &[&str] = &["ann@partner.example"];

const CASES: &[(&str, &[Case])] = &[
    (
        "Precedence of attributes",
        &[
            case("nobody has the address", ANN, &[], ""),
            case(
                "mail comes before a user principal name",
                ANN,
                &["upn ann@partner.example", "mail ann@partner.example"],
                "",
            ),
            case(
                "a user principal name comes before other mails",
                ANN,
                &["other ann@partner.example", "upn ann@partner.example"],
                "",
            ),
            case(
                "other mails come before proxy addresses",
                ANN,
                &[
                    "proxy SMTP:ann@partner.example",
                    "other ann@partner.example",
                ],
                "",
            ),
            case(
                "`match` decides the order",
                ANN,
                &["mail ann@partner.example", "other ann@partner.example"],
                "match other_mails, mail",
            ),
            case(
                "one account in several attributes",
                ANN,
                &[
                    "mail ann@partner.example; other ann@partner.example; proxy SMTP:ann@partner.example",
                ],
                "",
            ),
            case(
                "a later attribute fits more accounts",
                ANN,
                &[
                    "mail ann@partner.example",
                    "other ann@partner.example",
                    "other ann@partner.example",
                ],
                "",
            ),
            case(
                "two accounts on the first attribute",
                ANN,
                &[
                    "mail ann@partner.example; in team",
                    "mail ann@partner.example; in team",
                ],
                "",
            ),
            case(
                "two accounts on a later attribute",
                ANN,
                &[
                    "proxy smtp:ann@partner.example",
                    "proxy SMTP:ann@partner.example; in team",
                ],
                "",
            ),
            case(
                "an attribute that is not in `match`",
                ANN,
                &["proxy SMTP:ann@partner.example; in team"],
                "match mail",
            ),
        ],
    ),
    (
        "Letters",
        &[
            case(
                "another letter case in Entra",
                ANN,
                &["mail Ann@Partner.EXAMPLE"],
                "",
            ),
            case(
                "another letter case in Keycloak",
                &["ANN@Partner.example"],
                &["mail ann@partner.example"],
                "",
            ),
            case(
                "spaces around",
                &["  ann@partner.example "],
                &["mail ann@partner.example\t"],
                "",
            ),
            case(
                "plus-addresses are addresses of their own",
                &["ann+x@partner.example"],
                &["mail ann@partner.example"],
                "",
            ),
            case(
                "a plus-address that is there already",
                &["ann+x@partner.example"],
                &["mail ann+x@partner.example"],
                "",
            ),
            case(
                "ß is not ss",
                &["strauß@partner.example"],
                &["mail strauss@partner.example"],
                "",
            ),
            case(
                "a dotless ı is not i",
                &["ıda@partner.example"],
                &["mail ida@partner.example"],
                "",
            ),
            case(
                "a dotted İ is not i",
                &["İda@partner.example"],
                &["mail ida@partner.example"],
                "",
            ),
            case(
                "Σ is σ and ς",
                &["ΝΙΚΟΣ@partner.example"],
                &["mail νικος@partner.example"],
                "",
            ),
            case(
                "the same in a proxy address",
                &["Σ@partner.example"],
                &["proxy SMTP:Σ@partner.example"],
                "",
            ),
            case(
                "the Kelvin sign is not k",
                &["\u{212a}im@partner.example"],
                &["mail kim@partner.example"],
                "",
            ),
            case(
                "two Unicode forms of é are two addresses",
                &["ren\u{e9}@partner.example"],
                &["mail rene\u{301}@partner.example"],
                "",
            ),
        ],
    ),
    (
        "Proxy addresses",
        &[
            case(
                "the primary one",
                ANN,
                &["proxy SMTP:ann@partner.example"],
                "",
            ),
            case(
                "another one",
                ANN,
                &["proxy SMTP:a@acme.example, smtp:ann@partner.example"],
                "",
            ),
            case(
                "the prefix in any letter case",
                ANN,
                &["proxy sMtP:Ann@partner.example"],
                "",
            ),
            case(
                "X500 is no mail",
                ANN,
                &["proxy X500:ann@partner.example"],
                "",
            ),
            case(
                "SIP is no mail",
                ANN,
                &["proxy SIP:ann@partner.example"],
                "",
            ),
            case(
                "without a prefix it is none",
                ANN,
                &["proxy ann@partner.example"],
                "",
            ),
        ],
    ),
    (
        "User principal names of guests",
        &[
            case(
                "the address is inside",
                ANN,
                &["upn ann_partner.example#EXT#@acme.onmicrosoft.com"],
                "",
            ),
            case(
                "in any letter case",
                ANN,
                &["upn Ann_Partner.Example#ext#@acme.onmicrosoft.com"],
                "",
            ),
            case(
                "the last underscore is the @",
                &["ann_lee@partner.example"],
                &["upn ann_lee_partner.example#EXT#@acme.onmicrosoft.com"],
                "",
            ),
            case(
                "unless the mail says that it is another one",
                &["ann_my@partner.example"],
                &[
                    "mail ann@my_partner.example; upn ann_my_partner.example#EXT#@acme.onmicrosoft.com",
                ],
                "",
            ),
            case(
                "which only a mail that makes the name can",
                &["ann_my@partner.example"],
                &["mail ann@other.example; upn ann_my_partner.example#EXT#@acme.onmicrosoft.com"],
                "",
            ),
            case(
                "another domain",
                ANN,
                &["upn ann_other.example#EXT#@acme.onmicrosoft.com"],
                "",
            ),
            case(
                "no address inside",
                ANN,
                &["upn annpartner.example#EXT#@acme.onmicrosoft.com"],
                "",
            ),
            case(
                "the name of a member",
                &["ann@acme.example"],
                &["upn ann@acme.example; internal"],
                "",
            ),
        ],
    ),
    (
        "`email_domains`, towards Entra",
        &[
            case(
                "the account has the other domain",
                ANN,
                &["mail ann@azure.example"],
                "domains partner.example → azure.example",
            ),
            case(
                "in any letter case",
                &["Ann@PARTNER.example"],
                &["mail ann@azure.example"],
                "domains partner.example → azure.example",
            ),
            case(
                "nobody is invited under the domain of Keycloak",
                ANN,
                &[],
                "domains partner.example → azure.example",
            ),
            case(
                "an account with the domain of Keycloak is somebody else's",
                ANN,
                &["mail ann@partner.example"],
                "domains partner.example → azure.example",
            ),
            case(
                "a chain is one step",
                ANN,
                &["mail ann@b.example", "mail ann@c.example"],
                "domains partner.example → b.example, b.example → c.example",
            ),
            case(
                "a swap",
                &["ann@a.example", "ann@b.example"],
                &["mail ann@b.example", "mail ann@a.example; bob"],
                "domains a.example → b.example, b.example → a.example",
            ),
            case(
                "two people become one address",
                &["ann@partner.example", "ann@azure.example"],
                &["mail ann@azure.example; in team"],
                "domains partner.example → azure.example",
            ),
        ],
    ),
    (
        "`email_domains`, back to Keycloak",
        &[
            case(
                "in the group: nothing to do",
                ANN,
                &["mail ann@azure.example; in team"],
                "domains partner.example → azure.example",
            ),
            case(
                "left: found under the domain of Keycloak",
                &["ann@partner.example; left"],
                &["mail ann@azure.example; in team"],
                "domains partner.example → azure.example",
            ),
            case(
                "left: by any address of the account",
                &["ann@partner.example; left"],
                &[
                    "mail x@acme.example; proxy SMTP:x@acme.example, smtp:ann@azure.example; in team",
                ],
                "domains partner.example → azure.example",
            ),
            case(
                "unknown under both",
                &[],
                &["mail ann@azure.example; in team"],
                "domains partner.example → azure.example",
            ),
            case(
                "known, and only known people may go",
                &["ann@partner.example; disabled"],
                &["mail ann@azure.example; in team"],
                "domains partner.example → azure.example; removals known",
            ),
            case(
                "unknown, and only known people may go",
                &[],
                &["mail ann@azure.example; in team"],
                "domains partner.example → azure.example; removals known",
            ),
        ],
    ),
    (
        "Pending guests",
        &[
            case(
                "in the group: not invited again",
                ANN,
                &["mail ann@partner.example; pending; in team"],
                "",
            ),
            case(
                "not in the group: added",
                ANN,
                &["mail ann@partner.example; pending"],
                "",
            ),
            case(
                "of another user type: updated",
                ANN,
                &["mail ann@partner.example; pending; guest; in team"],
                "",
            ),
            case(
                "found by the name alone",
                ANN,
                &["upn ann_partner.example#EXT#@acme.onmicrosoft.com; pending"],
                "",
            ),
        ],
    ),
    (
        "Soft duplicates",
        &[
            case(
                "a guest, and a colleague with it in other mails",
                ANN,
                &[
                    "mail ann@partner.example",
                    "mail ann@acme.example; other ann@partner.example; internal",
                ],
                "",
            ),
            case(
                "the colleague's account is in the group",
                ANN,
                &[
                    "mail ann@partner.example",
                    "mail ann@acme.example; other ann@partner.example; internal; in team",
                ],
                "",
            ),
            case(
                "both are in the group",
                ANN,
                &[
                    "mail ann@partner.example; in team",
                    "mail ann@acme.example; other ann@partner.example; internal; in team",
                ],
                "",
            ),
            case(
                "both, and ann has left",
                &["ann@partner.example; left"],
                &[
                    "mail ann@partner.example; in team",
                    "mail ann@acme.example; other ann@partner.example; internal; in team",
                ],
                "",
            ),
            case(
                "one account with two people's addresses",
                &["ann@partner.example", "bob@partner.example"],
                &["mail ann@partner.example; other bob@partner.example; in team"],
                "",
            ),
            case(
                "the second of them has an account by a better attribute",
                &["ann@partner.example", "bob@partner.example"],
                &[
                    "mail ann@partner.example; other bob@partner.example; in team",
                    "mail bob@partner.example; bob; in team",
                ],
                "",
            ),
            case(
                "somebody's one account is one of another's two",
                &["ann@partner.example", "bob@partner.example"],
                &[
                    "mail ann@partner.example; in team",
                    "mail ann@partner.example; other bob@partner.example",
                ],
                "",
            ),
        ],
    ),
    (
        "Accounts synchronised from on premises",
        &[
            case(
                "as it should be",
                ANN,
                &["mail ann@partner.example; on premises"],
                "",
            ),
            case(
                "another name",
                ANN,
                &["mail ann@partner.example; on premises; surname Old"],
                "",
            ),
            case(
                "another name, internal",
                ANN,
                &["mail ann@partner.example; on premises; internal; surname Old"],
                "",
            ),
            case(
                "another name, internal, all are updated",
                ANN,
                &["mail ann@partner.example; on premises; internal; surname Old"],
                "update all",
            ),
            case(
                "left",
                &["ann@partner.example; left"],
                &["mail ann@partner.example; on premises; in team"],
                "",
            ),
        ],
    ),
    (
        "Internal members",
        &[
            case(
                "added and not renamed",
                &["ann@acme.example"],
                &["mail ann@acme.example; upn ann@acme.example; internal; guest; surname Old"],
                "",
            ),
            case(
                "renamed where all are updated",
                &["ann@acme.example"],
                &["mail ann@acme.example; internal; surname Old; in team"],
                "update all",
            ),
            case(
                "nobody is updated",
                ANN,
                &["mail ann@partner.example; guest; surname Old; in team"],
                "update none",
            ),
            case(
                "a guest name is a mark of an invitation too",
                ANN,
                &[
                    "mail ann@partner.example; upn ann_partner.example#EXT#@acme.onmicrosoft.com; internal; surname Old; in team",
                ],
                "",
            ),
            case(
                "nobody at a domain of the tenant is invited",
                &["ann@acme.example"],
                &[],
                "",
            ),
            case(
                "left",
                &["ann@acme.example; left"],
                &["mail ann@acme.example; internal; in team"],
                "",
            ),
            case(
                "protected",
                &["ann@acme.example; left"],
                &["mail ann@acme.example; internal; in team"],
                "protected ann@acme.example",
            ),
        ],
    ),
    (
        "One address with two people",
        &[
            case(
                "nobody of them is invited",
                &["ann@partner.example", "Ann@Partner.example"],
                &[],
                "",
            ),
            case(
                "their account stays as it is",
                &["ann@partner.example", "ann@partner.example"],
                &["mail ann@partner.example; surname Old; in team"],
                "",
            ),
            case(
                "it is not added either",
                &["ann@partner.example", "ann@partner.example"],
                &["mail ann@partner.example"],
                "",
            ),
            case(
                "three people",
                &[
                    "ann@partner.example",
                    "ann@partner.example",
                    "ann@partner.example",
                ],
                &[],
                "",
            ),
            case(
                "the second is disabled",
                &["ann@partner.example", "ann@partner.example; disabled"],
                &["mail ann@partner.example"],
                "",
            ),
            case(
                "the second is in no mapped group",
                &["ann@partner.example", "ann@partner.example; left"],
                &["mail ann@partner.example"],
                "",
            ),
            case(
                "the second has not verified it",
                &["ann@partner.example", "ann@partner.example; unverified"],
                &["mail ann@partner.example"],
                "unverified skip",
            ),
            case(
                "both have left",
                &["ann@partner.example; left", "ann@partner.example; left"],
                &["mail ann@partner.example; in team"],
                "",
            ),
            case(
                "one has left, and one is in another mapped group",
                &[
                    "ann@partner.example; left",
                    "ann@partner.example; elsewhere",
                ],
                &["mail ann@partner.example; in team"],
                "",
            ),
        ],
    ),
    (
        "A person whose address changed",
        &[
            case(
                "the account has the old one",
                &["ann@new.example"],
                &["mail ann@partner.example; in team"],
                "",
            ),
            case(
                "the same, and the account has another name",
                &["ann@new.example"],
                &["mail ann@partner.example; display Annabel; in team"],
                "",
            ),
            case(
                "the account has got the new one as well",
                &["ann@new.example"],
                &["mail ann@partner.example; other ann@new.example; in team"],
                "",
            ),
            case(
                "somebody else has got the old one",
                &["ann@new.example", "ann@partner.example"],
                &["mail ann@partner.example; in team"],
                "",
            ),
            case(
                "only known people may go",
                &["ann@new.example"],
                &["mail ann@partner.example; in team"],
                "removals known",
            ),
            case(
                "the account of the new one is there already",
                &["ann@new.example"],
                &["mail ann@partner.example; in team", "mail ann@new.example"],
                "",
            ),
        ],
    ),
];

#[test]
fn whose_account_is_whose() {
    let mut text = String::new();
    for (heading, cases) in CASES {
        let mut table = Table::new();
        let columns = [
            ("case", 30),
            ("people in Keycloak", 34),
            ("accounts in Entra", 48),
            ("settings", 32),
            ("planned", 34),
            ("problems", 50),
        ];
        table
            .load_style(presets::ASCII_HORIZONTAL_ONLY)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(230)
            .set_header(columns.map(|(name, _)| name));
        for case in *cases {
            table.add_row(row(case));
        }
        for (column, (_, width)) in table.column_iter_mut().zip(columns) {
            column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(width)));
        }
        let _ = writeln!(text, "{heading}\n");
        for line in table.lines() {
            let _ = writeln!(text, "{}", line.trim_end());
        }
        text.push('\n');
    }
    insta::assert_snapshot!(text);
}

fn row(case: &Case) -> [String; 6] {
    let mut world = everybody_else();
    for (number, person) in case.people.iter().enumerate() {
        add_person(&mut world, number, person);
    }
    for (number, account) in case.accounts.iter().enumerate() {
        add_account(&mut world, number, account);
    }
    for setting in parts(case.settings) {
        set(&mut world, setting);
    }
    let plan = world.plan();
    assert!(!plan.is_blocked(), "{}: {:?}", case.name, plan.blocks);
    let shown = |items: &[&str]| {
        let lines = items.iter().enumerate();
        let lines = lines.map(|(number, item)| format!("{} {}", number + 1, item.escape_debug()));
        lines.collect::<Vec<_>>().join("\n")
    };
    [
        case.name.to_owned(),
        shown(case.people),
        shown(case.accounts),
        case.settings.replace("; ", "\n"),
        planned(&plan),
        problems(&plan),
    ]
}

/// A team that is as it should be, under addresses that no case uses.
fn everybody_else() -> World {
    let mut world = team_of(4);
    world.map("/other", "acme-other");
    for person in world.people.values_mut() {
        person.email = person
            .email
            .take()
            .map(|email| email.replace("partner", "else"));
    }
    for account in world.accounts.values_mut() {
        let address = account.mail.take().unwrap().replace("partner", "else");
        account.mail = Some(address.clone());
        account.other_mails = vec![address.clone()];
        account.proxy_addresses = vec![format!("SMTP:{address}")];
        account.user_principal_name =
            format!("{}#EXT#@acme.onmicrosoft.com", address.replace('@', "_"));
    }
    world
}

fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split("; ").filter(|part| !part.is_empty())
}

fn add_person(world: &mut World, number: usize, text: &str) {
    let username = NAMES[number].to_lowercase();
    let person = world.person(&username);
    let mut parts = parts(text);
    person.email = parts.next().map(str::to_owned);
    let mut path = Some("/team");
    for part in parts {
        match part {
            "disabled" => person.enabled = false,
            "unverified" => person.email_verified = false,
            "left" => path = None,
            "elsewhere" => path = Some("/other"),
            other => panic!("{other}"),
        }
    }
    if let Some(path) = path {
        world.join(&username, path);
    }
}

fn account_id(number: usize) -> keycloak_to_azure::model::ObjectId {
    id(0xacc0 + number)
}

fn add_account(world: &mut World, number: usize, text: &str) {
    let id = account_id(number + 1);
    let mut account = Account {
        id: id.clone(),
        user_principal_name: format!("u{number}@acme.onmicrosoft.com"),
        mail: None,
        other_mails: Vec::new(),
        proxy_addresses: Vec::new(),
        display_name: Some("Ann Example".to_owned()),
        given_name: Some("Ann".to_owned()),
        surname: Some("Example".to_owned()),
        user_type: Some(UserType::Member),
        created_by_invitation: true,
        created: None,
        pending: false,
        enabled: true,
        on_premises: false,
    };
    for part in parts(text) {
        let list = |text: &str| text.split(", ").map(str::to_owned).collect();
        match part.split_once(' ') {
            None if part == "internal" => account.created_by_invitation = false,
            None if part == "bob" => {
                account.display_name = Some("Bob Example".to_owned());
                account.given_name = Some("Bob".to_owned());
            }
            None if part == "pending" => account.pending = true,
            None if part == "guest" => account.user_type = Some(UserType::Guest),
            Some(("on", "premises")) => account.on_premises = true,
            Some(("in", "team")) => world.add_member(&id, "acme-team"),
            Some(("mail", address)) => account.mail = Some(address.to_owned()),
            Some(("upn", name)) => name.clone_into(&mut account.user_principal_name),
            Some(("other", addresses)) => account.other_mails = list(addresses),
            Some(("proxy", addresses)) => account.proxy_addresses = list(addresses),
            Some(("surname", name)) => account.surname = Some(name.to_owned()),
            Some(("display", name)) => account.display_name = Some(name.to_owned()),
            _ => panic!("{part}"),
        }
    }
    world.accounts.insert(id, account);
}

fn set(world: &mut World, setting: &str) {
    let (key, value) = setting.split_once(' ').unwrap();
    let settings = &mut world.settings;
    match (key, value) {
        ("match", attributes) => {
            let attributes: Vec<_> = attributes.split(", ").collect();
            settings.users.match_by =
                serde_json::from_value(serde_json::json!(attributes)).unwrap();
        }
        ("domains", pairs) => {
            let pairs = pairs
                .split(", ")
                .map(|pair| pair.split_once(" → ").unwrap());
            let pairs = pairs.map(|(keycloak, azure)| (keycloak.to_owned(), azure.to_owned()));
            settings.users.email_domains = pairs.collect();
        }
        ("update", "all") => settings.users.update = UpdatePolicy::All,
        ("update", "none") => settings.users.update = UpdatePolicy::None,
        ("unverified", "skip") => settings.users.unverified_email = UnverifiedPolicy::Skip,
        ("protected", account) => settings.protected.push(account.to_owned()),
        ("removals", "known") => settings.mappings[0].removals = RemovalPolicy::Known,
        _ => panic!("{setting}"),
    }
}

/// The changes, with accounts by their number.
fn planned(plan: &Plan) -> String {
    let lines = plan.changes.iter().map(|change| match change {
        Change::Invite(invite) => format!("invite {}", invite.email),
        Change::Update(update) => {
            format!("update {}: {}", update.account.id, names_of(&update.fields))
        }
        Change::Add(add) => match &add.account.id {
            Some(id) => format!("add {id} to {}", add.group.name),
            None => format!("add {} to {}", add.account.email, add.group.name),
        },
        Change::Remove(remove) => {
            format!("remove {}: {:?}", remove.account.id, remove.because)
        }
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    if text.is_empty() {
        "nothing".to_owned()
    } else {
        by_number(&text)
    }
}

fn names_of(fields: &Fields) -> String {
    let value = serde_json::to_value(fields).unwrap();
    let names: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
    names.join(", ")
}

fn problems(plan: &Plan) -> String {
    let lines = plan.problems.iter().map(|problem| {
        let code = serde_json::to_value(problem.code).unwrap();
        let code = code.as_str().unwrap().to_owned();
        by_number(&format!("{code}: {} {}", problem.subject, problem.message))
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn by_number(text: &str) -> String {
    (1..=3).fold(text.to_owned(), |text, number| {
        text.replace(account_id(number).as_str(), &format!("account {number}"))
            .replace("account account", "account")
    })
}
