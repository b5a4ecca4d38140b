//! What the mails of invitations say: in the plan, in its digest, and held against what the directories ask for.

use keycloak_to_azure::plan::{Change, Invite, Plan};
use keycloak_to_azure::plan_file::{Refusal, from_bytes, to_bytes};
use keycloak_to_azure::report::Outcome;
use keycloak_to_azure::settings::InvitationRules;
use keycloak_to_azure::verify::{Task, Verdict, verify};

use crate::world::{World, team_of};

fn ann_to_invite() -> World {
    let mut world = team_of(3);
    world.person("ann");
    world.join("ann", "/team");
    world
}

fn with_mail() -> World {
    let mut world = ann_to_invite();
    let rules = &mut world.settings.invitations;
    rules.send_email = true;
    rules.message = Some("Welcome to Acme.\nAsk Bea for anything.".to_owned());
    rules.language = Some("de-DE".parse().unwrap());
    rules.cc = Some("people@acme.example".parse().unwrap());
    world
}

fn invite(plan: &Plan) -> &Invite {
    match plan.changes.first() {
        Some(Change::Invite(invite)) => invite,
        other => panic!("{other:?}"),
    }
}

fn verdicts(plan: &Plan, now: &World) -> Vec<Verdict> {
    now.decide(|fresh| verify(plan, fresh).verdicts)
}

#[test]
fn a_plan_holds_what_the_mail_is_like_and_is_read_back() {
    let world = with_mail();
    let plan = world.plan().sealed();
    let Invite {
        message,
        language,
        cc,
        ..
    } = invite(&plan);
    let rules = &world.settings.invitations;
    assert_eq!(
        (message, language, cc),
        (&rules.message, &rules.language, &rules.cc)
    );
    let bytes = to_bytes(&plan).unwrap();
    assert_eq!(from_bytes(&bytes).unwrap(), plan);
    let json: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    let invite = &json["changes"][0];
    assert_eq!(invite["message"], "Welcome to Acme.\nAsk Bea for anything.");
    assert_eq!(invite["language"], "de-DE");
    assert_eq!(invite["cc"], "people@acme.example");
}

#[test]
fn a_plan_without_a_mail_is_what_it_was_before_there_were_texts() {
    let bytes = to_bytes(&ann_to_invite().plan().sealed()).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    let fields: Vec<&String> = json["changes"][0].as_object().unwrap().keys().collect();
    assert_eq!(
        fields,
        [
            "action",
            "email",
            "person",
            "redirect_url",
            "send_email",
            "set"
        ]
    );
}

/// Other words, another language, another copy: each is another invitation than the one that was approved.
#[test]
fn what_was_not_reviewed_is_not_sent() {
    let others: [fn(&mut InvitationRules); 6] = [
        |rules| rules.message = None,
        |rules| rules.message = Some("Send money.".to_owned()),
        |rules| rules.language = None,
        |rules| rules.language = Some("en-US".parse().unwrap()),
        |rules| rules.cc = None,
        |rules| rules.cc = Some("eve@evil.example".parse().unwrap()),
    ];
    let plan = with_mail().plan().sealed();
    let [Verdict::Execute(Task::Invite(sent)), Verdict::Execute(_)] =
        &verdicts(&plan, &with_mail())[..]
    else {
        panic!();
    };
    assert_eq!(**sent, *invite(&plan));
    for change in others {
        let mut now = with_mail();
        change(&mut now.settings.invitations);
        assert_ne!(now.plan().sealed().plan_id, plan.plan_id);
        let verdicts = verdicts(&plan, &now);
        assert_eq!(
            verdicts,
            [
                Verdict::Settled(
                    Outcome::Conflict,
                    "the invitation itself is to be another since the review; plan again"
                        .to_owned()
                ),
                Verdict::Settled(
                    Outcome::NotAttempted,
                    "the invitation is not carried out".to_owned()
                ),
            ]
        );
    }
}

#[test]
fn a_forged_plan_cannot_say_of_a_mail_what_nobody_is_sent() {
    let forgeries: [fn(&mut Invite); 3] = [
        |invite| invite.message = Some("Hello".to_owned()),
        |invite| invite.language = Some("en".parse().unwrap()),
        |invite| invite.cc = Some("eve@evil.example".parse().unwrap()),
    ];
    for forge in forgeries {
        let mut plan = ann_to_invite().plan();
        if let Some(Change::Invite(invite)) = plan.changes.first_mut() {
            forge(invite);
        }
        let bytes = to_bytes(&plan.sealed()).unwrap();
        let Err(Refusal::Inconsistent(reason)) = from_bytes(&bytes) else {
            panic!();
        };
        assert_eq!(
            reason,
            "the invitation of ann@partner.example says what its mail is like, and sends none"
        );
    }
}
