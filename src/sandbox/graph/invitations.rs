//! Invitations: who may be invited, and what becomes of an address that the directory knows already.

use std::collections::BTreeSet;

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::Graph;
use super::account_index::{AccountIndex, addresses_of};
use super::behaviour::{ContactAddress, DeletedGuest, MemberInvitation, RefusalStatus};
use super::call::{Body, Call, Reply};
use super::clock::{guid, property_date};
use super::refusal::{Refusal, bad_request};
use super::world::{InvitesFrom, IssuedInvitation, User};

/// What invites.
const INVITE: &[&str] = &[
    "User.Invite.All",
    "User.ReadWrite.All",
    "Directory.ReadWrite.All",
];

/// Characters that no invited address may contain. Plus-addressing is on the list.
const FORBIDDEN_CHARACTERS: &str = "~!#$%^&*()+=[]{}\\/|;:\"<>?,";

/// The fields that a request may have.
const FIELDS: &[&str] = &[
    "@odata.type",
    "inviteRedirectUrl",
    "invitedUser",
    "invitedUserDisplayName",
    "invitedUserEmailAddress",
    "invitedUserMessageInfo",
    "invitedUserType",
    "resetRedemption",
    "sendInvitationMessage",
];

/// What an invitation asks for, checked.
struct Wanted {
    address: String,
    redirect_url: String,
    display_name: Option<String>,
    user_type: &'static str,
    send_message: bool,
    reset: bool,
    reset_user: Option<String>,
    message: Value,
}

impl Graph {
    pub(super) fn invite(&mut self, call: &Call) -> Result<Reply, Refusal> {
        if !call.may(INVITE) {
            // 401 and not 403, and it names the id of Graph instead of the app's.
            return Err(Refusal::new(
                StatusCode::UNAUTHORIZED,
                "Unauthorized",
                format!(
                    "Insufficient privileges to perform requested operation by the application \
                     '00000003-0000-0000-c000-000000000000'. ControllerName=MSGraphInviteAPI, ActionName=CreateInvite, URL absolute \
                     path=/api/{}/invites",
                    self.world.tenant_id
                ),
            ));
        }
        self.check_inviter(call)?;
        let wanted = self.wanted(call)?;
        let id = if let Some(id) = self.known_guest(&wanted.address)? {
            id
        } else {
            self.check_domain(&wanted.address)?;
            self.make_guest(call, &wanted)?
        };
        if wanted.reset {
            if wanted.reset_user.as_deref() != Some(id.as_str()) {
                return Err(bad_request(
                    "The invited user has to be given to reset the redemption.",
                ));
            }
            if let Some(user) = self.world.users.get_mut(&id) {
                user.external_user_state = Some("PendingAcceptance".to_owned());
            }
        }
        Ok(self.issue(&id, &wanted))
    }

    fn check_inviter(&self, call: &Call) -> Result<(), Refusal> {
        let is_allowed = match self.world.invitation_policy.allow_invites_from {
            InvitesFrom::Everyone | InvitesFrom::AdminsGuestInvitersAndAllMembers => true,
            InvitesFrom::AdminsAndGuestInviters => call.may(&["User.Invite.All"]),
            InvitesFrom::None => false,
        };
        if is_allowed {
            return Ok(());
        }
        Err(forbidden(
            "Guest invitations not allowed for your company. Contact your company administrator for more details.",
        ))
    }

    fn wanted(&self, call: &Call) -> Result<Wanted, Refusal> {
        let body = call.object()?;
        if let Some(other) = body.keys().find(|name| !FIELDS.contains(&name.as_str())) {
            return Err(bad_request(format!(
                "The property '{other}' does not exist on type 'microsoft.graph.invitation'."
            )));
        }
        let text = |name: &str| match body.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(bad_request(format!("Invalid value for property '{name}'."))),
        };
        let flag = |name: &str| match body.get(name) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(bad_request(format!("Invalid value for property '{name}'."))),
        };
        let required = |name: &str| {
            text(name)?
                .ok_or_else(|| bad_request(format!("The required property '{name}' is missing.")))
        };
        let address = required("invitedUserEmailAddress")?;
        if !is_invitable(&address) {
            // That it is refused with 400 is known, the words are not.
            return Err(bad_request("The invited user email address is invalid."));
        }
        let redirect_url = required("inviteRedirectUrl")?;
        let is_web_page = reqwest::Url::parse(&redirect_url)
            .is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
        if !is_web_page {
            return Err(bad_request("The invite redirect URL is invalid."));
        }
        let display_name = text("invitedUserDisplayName")?.filter(|name| !name.is_empty());
        if display_name
            .as_ref()
            .is_some_and(|name| name.chars().count() > 256)
        {
            return Err(bad_request("The invited user display name is too long."));
        }
        let user_type = match text("invitedUserType")?.as_deref() {
            None | Some("Guest") => "Guest",
            Some("Member") => match self.world.behaviour.inviting.as_member {
                MemberInvitation::Honoured => "Member",
                MemberInvitation::MakesGuest => "Guest",
                MemberInvitation::Refused => {
                    return Err(forbidden(
                        "Only company administrators can invite users as members.",
                    ));
                }
            },
            Some(_) => return Err(bad_request("Invalid value for property 'invitedUserType'.")),
        };
        Ok(Wanted {
            address,
            redirect_url,
            display_name,
            user_type,
            send_message: flag("sendInvitationMessage")?,
            reset: flag("resetRedemption")?,
            reset_user: body
                .get("invitedUser")
                .and_then(|user| user.get("id"))
                .and_then(Value::as_str)
                .map(str::to_ascii_lowercase),
            message: message_info(body.get("invitedUserMessageInfo"))?,
        })
    }

    /// The guest that has this address already. An account of the tenant that has it is a refusal.
    fn known_guest(&mut self, address: &str) -> Result<Option<String>, Refusal> {
        let folded = address.to_lowercase();
        let known: Vec<&User> = self
            .accounts
            .get_or_insert_with(|| AccountIndex::of(&self.world))
            .named(&folded)
            .filter_map(|id| self.world.users.get(id))
            .filter(|user| addresses_of(user).contains(&folded))
            .collect();
        let Some(internal) = known.iter().find(|user| !user.is_external()) else {
            return Ok(known.first().map(|user| user.id.clone()));
        };
        let is = |other: &str| other.to_lowercase() == folded;
        let has_proxy = internal
            .proxy_addresses
            .iter()
            .filter_map(|proxy| proxy.split_once(':'))
            .any(|(_, proxy)| is(proxy));
        if !is(&internal.user_principal_name) && !has_proxy {
            return Err(bad_request(
                "Non-external user already exists with the given mail address and can't be invited.",
            ));
        }
        let id = &internal.id;
        Err(bad_request(if internal.account_enabled {
            format!(
                "The invited user already exists in the directory as object ID: {id}. They can use that account to sign in to \
                 shared apps and resources."
            )
        } else {
            format!(
                "The invited user already exists in the directory as object ID: {id}, but the account is blocked from signing in. \
                 If the account is unblocked, they can use that account to sign in to shared apps and resources."
            )
        }))
    }

    fn check_domain(&self, address: &str) -> Result<(), Refusal> {
        let policy = &self.world.invitation_policy;
        let domain = address
            .rsplit_once('@')
            .map(|(_, domain)| domain.to_lowercase())
            .unwrap_or_default();
        let names = |domains: &BTreeSet<String>| {
            domains
                .iter()
                .any(|other| other.eq_ignore_ascii_case(&domain))
        };
        if self.world.has_domain(&domain) {
            return Err(bad_request(
                "This user cannot be invited because the domain of the user's email address is a verified domain of this \
                 directory.",
            ));
        }
        let is_denied = names(&policy.denied_domains)
            || (!policy.allowed_domains.is_empty() && !names(&policy.allowed_domains));
        if is_denied {
            // That it is refused is known, the words are not.
            return Err(bad_request(
                "This invitation is blocked: the domain of the invited user is not allowed by the collaboration restrictions of \
                 your organization.",
            ));
        }
        if names(&policy.cross_tenant_blocked) {
            let message = "This invitation is blocked by cross-tenant access settings. Admins in both your organization and the \
                           invited user's organization must configure cross-tenant access settings to allow the invitation.";
            return Err(match self.world.behaviour.inviting.cross_tenant {
                RefusalStatus::BadRequest => bad_request(message),
                RefusalStatus::Forbidden => forbidden(message),
            });
        }
        if policy
            .unreachable
            .iter()
            .any(|other| other.eq_ignore_ascii_case(address))
        {
            return Err(Refusal::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "InternalServerError",
                "Unable to find target address",
            ));
        }
        Ok(())
    }

    fn make_guest(&mut self, call: &Call, wanted: &Wanted) -> Result<String, Refusal> {
        let folded = wanted.address.to_lowercase();
        if self.world.behaviour.inviting.deleted_guest == DeletedGuest::Restored
            && let Some(id) = self
                .world
                .deleted_users
                .values()
                .find(|user| addresses_of(user).contains(&folded))
                .map(|user| user.id.clone())
        {
            self.world.restore_user(&id);
            self.accounts = None;
            return Ok(id);
        }
        let is_taken = self.world.other_objects.values().any(|object| {
            object
                .mail
                .as_ref()
                .is_some_and(|mail| mail.to_lowercase() == folded)
        });
        if is_taken && self.world.behaviour.inviting.address_of_contact == ContactAddress::Refused {
            return Err(bad_request(
                "Another object with the same value for property proxyAddresses already exists.",
            ));
        }
        let id = self.next_object_id();
        let at = property_date(self.moment(call.now));
        // Which name an invitation without one gives is not documented; samples show the local part.
        let local_part = wanted.address.split('@').next().unwrap_or_default();
        let name = wanted.display_name.as_deref().unwrap_or(local_part);
        let mut user = User::invited(&id, &wanted.address, &self.world.initial_domain, name);
        user.user_type = Some(wanted.user_type.to_owned());
        user.created = Some(at.clone());
        user.external_user_state_changed = Some(at);
        if is_taken {
            user.proxy_addresses.clear();
        }
        if let Some(index) = &mut self.accounts {
            index.note(&user);
        }
        self.world.insert_user(user);
        self.note_made(&id, call.now);
        Ok(id)
    }

    /// Notes the invitation. The redeem links of earlier ones of the same account stop working.
    fn issue(&mut self, id: &str, wanted: &Wanted) -> Reply {
        for earlier in &mut self.world.invitations {
            if earlier.user == id {
                earlier.valid = false;
            }
        }
        let ticket = self.next_object_id();
        let invitation = guid(
            self.world.behaviour.seed,
            "invitation",
            self.world.objects_made,
        );
        self.world.invitations.push(IssuedInvitation {
            address: wanted.address.clone(),
            user: id.to_owned(),
            ticket: ticket.clone(),
            valid: true,
            mail_sent: wanted.send_message,
        });
        let is_accepted = self
            .world
            .users
            .get(id)
            .is_some_and(|user| user.external_user_state.as_deref() == Some("Accepted"));
        let status = if is_accepted {
            "Completed"
        } else {
            "PendingAcceptance"
        };
        let body = json!({
            "@odata.context": format!("{}/v1.0/$metadata#invitations/$entity", self.base_url),
            "id": invitation,
            "inviteRedeemUrl": format!(
                "https://login.microsoftonline.com/redeem?rd=https%3a%2f%2finvitations.microsoft.com%2fredeem%2f%3ftenant%3d{}%26user%3d{id}%26ticket%3d{ticket}%26ver%3d2.0",
                self.world.tenant_id
            ),
            "invitedUserDisplayName": wanted.display_name,
            "invitedUserType": wanted.user_type,
            "invitedUserEmailAddress": wanted.address,
            "sendInvitationMessage": wanted.send_message,
            "resetRedemption": wanted.reset,
            "inviteRedirectUrl": wanted.redirect_url,
            "status": status,
            "invitedUserMessageInfo": wanted.message,
            "invitedUser": {"id": id},
        });
        let mut reply = Reply::of(StatusCode::CREATED, Body::Json(body));
        reply.headers.push((
            "location",
            format!("{}/v1.0/invitations/{invitation}", self.base_url),
        ));
        reply
    }
}

/// What the mail is to be like, as an answer repeats it: <https://learn.microsoft.com/graph/api/resources/invitedusermessageinfo>. What is
/// refused about it is documented, the words are not.
fn message_info(asked: Option<&Value>) -> Result<Value, Refusal> {
    let invalid = |name: &str| bad_request(format!("Invalid value for property '{name}'."));
    let mut info = json!({
        "messageLanguage": null,
        "customizedMessageBody": null,
        "ccRecipients": [{"emailAddress": {"name": null, "address": null}}],
    });
    let asked = match asked {
        None | Some(Value::Null) => return Ok(info),
        Some(Value::Object(asked)) => asked,
        Some(_) => return Err(invalid("invitedUserMessageInfo")),
    };
    for (name, value) in asked {
        match (name.as_str(), value) {
            ("@odata.type", _) | (_, Value::Null) => continue,
            ("messageLanguage" | "customizedMessageBody", Value::String(_)) => {}
            ("ccRecipients", Value::Array(recipients)) => {
                let has_address =
                    |recipient: &Value| recipient["emailAddress"]["address"].is_string();
                if recipients.len() > 1 || !recipients.iter().all(has_address) {
                    return Err(invalid(name));
                }
            }
            _ => return Err(invalid(name)),
        }
        info[name] = value.clone();
    }
    if let Some(recipient) = info["ccRecipients"].get_mut(0)
        && recipient["emailAddress"].get("name").is_none()
    {
        recipient["emailAddress"]["name"] = Value::Null;
    }
    Ok(info)
}

fn forbidden(message: &str) -> Refusal {
    Refusal::new(StatusCode::FORBIDDEN, "Forbidden", message)
}

/// Whether an address can be invited as far as its letters go.
fn is_invitable(address: &str) -> bool {
    let Some((local, domain)) = address.split_once('@') else {
        return false;
    };
    let edge = |part: &str, mark: char| part.starts_with(mark) || part.ends_with(mark);
    !local.is_empty()
        && domain.contains('.')
        && !domain.contains('@')
        && !edge(local, '.')
        && !edge(local, '-')
        && !edge(domain, '.')
        && !edge(domain, '-')
        && address.chars().all(|character| {
            character.is_ascii_graphic() && !FORBIDDEN_CHARACTERS.contains(character)
        })
}
