"""The stories that are told to a realm each: how the program is set up for it, and what happens to it."""

from dataclasses import dataclass, field

import keycloak_admin as admin_api
import realms
from reference import Mapping

PASSWORD = "Real-Keycloak-1"
SHORT_FILE = "keycloak-testrealm-6146.json"
LONG_FILE = "keycloak-testrealm.json"


@dataclass
class Account:
    """The sync account of a realm, in the words of the program's environment."""

    variables: dict
    roles: tuple

    def session(self, base, realm):
        if "KEYCLOAK_CLIENT_ID" in self.variables:
            return admin_api.service_account(
                base, realm, self.variables["KEYCLOAK_CLIENT_ID"], self.variables["KEYCLOAK_CLIENT_SECRET"]
            )
        return admin_api.password_account(
            base, realm, self.variables["KEYCLOAK_USER"], self.variables["KEYCLOAK_PASSWORD"]
        )


def client_account(*roles, client=realms.SYNC_CLIENT, secret=realms.SYNC_SECRET):
    return Account({"KEYCLOAK_CLIENT_ID": client, "KEYCLOAK_CLIENT_SECRET": secret}, roles)


def user_account(*roles, username="azure-sync", password=PASSWORD):
    return Account({"KEYCLOAK_USER": username, "KEYCLOAK_PASSWORD": password}, roles)


@dataclass
class Story:
    """A realm, how the program is set up for it, and what happens to it."""

    realm: realms.Realm
    account: Account
    mappings: list
    # Each is what the administrator does, and the same on what the file says.
    events: list
    extra: list = field(default_factory=list)
    # Whether the program may know the realm's user federation, which the removal of strangers needs.
    strangers_may_go: bool = True
    # The block codes of the first plan, and of the plan after the events; the flags that lift them come from the plan.
    first_blocks: tuple = ()
    later_blocks: tuple = ()
    # Configure the address with /auth where the server has none, and without where it has.
    other_prefix: bool = False


def disable(username):
    def on_file(realm):
        realm.people[username].enabled = False

    return f"{username} is disabled", lambda admin: admin_api.disable(admin, username), on_file


def delete(username):
    def on_file(realm):
        del realm.people[username]

    return f"{username} is deleted", lambda admin: admin_api.delete(admin, username), on_file


def rename(username, first_name, last_name):
    def on_file(realm):
        realm.people[username].first_name = first_name
        realm.people[username].last_name = last_name

    what = f"{username} is called {first_name} {last_name}"
    return what, lambda admin: admin_api.rename(admin, username, first_name, last_name), on_file


def leave(username, path):
    def on_file(realm):
        realm.people[username].groups.remove(path)

    return f"{username} leaves {path}", lambda admin: admin_api.leave(admin, username, path), on_file


def join(username, path):
    def on_file(realm):
        realm.people[username].groups.add(path)

    return f"{username} joins {path}", lambda admin: admin_api.join(admin, username, path), on_file


def tell(folder):
    """Returns the stories."""
    short = realms.read(folder / SHORT_FILE)
    long = realms.read(folder / LONG_FILE)
    document = realms.own()
    own = realms.parse({**document, "users": document["users"] + realms.crowd()})
    return [
        Story(
            realm=short,
            account=client_account("view-users"),
            mappings=[Mapping(path, f"kc {path[1:]}") for path in short.groups],
            events=[
                disable("user1"),
                leave("superuser", "/API Access"),
                delete("user2"),
                rename("secure-user", "Sécure", "Renamed"),
            ],
            strangers_may_go=False,
        ),
        Story(
            realm=long,
            account=user_account("view-users"),
            mappings=[
                Mapping("/topGroup", "kc-top", subgroups=True),
                Mapping("/topGroup/level2group", "kc-level-2"),
                Mapping("/roleRichGroup/level2group", "kc-rich", allow_empty=True),
                Mapping("/sample-realm-group", "kc-sample"),
            ],
            events=[
                leave("level2groupuser", "/topGroup/level2group"),
                delete("rolerichuser"),
                rename("topgroupuser", "Top", "Group"),
            ],
            extra=["keycloak_federation: none"],
            later_blocks=("empty_source",),
            other_prefix=True,
        ),
        Story(
            realm=own,
            account=client_account("view-users", "view-realm"),
            mappings=[
                Mapping("/teams", "kc-teams"),
                Mapping("/teams/platform", "kc-platform", subgroups=True),
                Mapping("/teams/platform/core", "kc-core"),
                Mapping("/union/left", "kc-union"),
                Mapping("/union/right", "kc-union"),
                Mapping("/mixed", "kc-mixed"),
                Mapping("/empty", "kc-empty"),
                Mapping("/crowd", "kc-crowd"),
                *(Mapping(f"/odd names/{name}", f"kc {name}") for name in realms.ODD_NAMES),
            ],
            events=[
                disable("pete"),
                leave("cora", "/teams/platform/core"),
                delete("person0007"),
                disable("person0008"),
                leave("person0009", "/crowd"),
                rename("tara", "Tara", "Ünder-Way"),
                # elke stays in kc-platform, which covers both groups, and ulla in kc-union through its other half.
                join("elke", "/teams/platform/core"),
                leave("elke", "/teams/platform/core/night shift"),
                leave("ulla", "/union/left"),
            ],
            first_blocks=("too_many_invitations",),
        ),
    ]
