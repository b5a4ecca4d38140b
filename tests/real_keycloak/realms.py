"""What realm files say: who is in which group. And the realm of the test's own.

Nothing here asks a server, so that what the program reads from a real one can be compared with it.
"""

import copy
import json
from dataclasses import dataclass, field
from pathlib import Path

SYNC_CLIENT = "azure-sync"
SYNC_SECRET = "real-keycloak-test"


@dataclass
class Person:
    """A user of a realm file, as Keycloak stores them: usernames and addresses in lower case, blanks as nothing."""

    username: str
    email: str | None
    first_name: str | None
    last_name: str | None
    enabled: bool
    groups: set = field(default_factory=set)

    @property
    def is_service_account(self):
        return self.username.startswith("service-account-")


@dataclass
class Realm:
    """A realm file: its name, the paths of its groups, its people by username."""

    name: str
    groups: list
    people: dict

    def copy(self):
        return copy.deepcopy(self)


def read(file):
    return parse(json.loads(Path(file).read_text(encoding="utf-8")))


def parse(document):
    groups = []
    collect_paths(document.get("groups", []), "", groups)
    people = people_of(document["users"])
    for person in people.values():
        unknown = person.groups - set(groups)
        if unknown:
            raise ValueError(f"{person.username} is in {unknown}, which the file does not define")
    return Realm(document["realm"], groups, people)


def people_of(users):
    """Returns people by username, as Keycloak stores the users of a file."""
    people = {}
    for user in users:
        person = Person(
            username=user["username"].lower(),
            email=(user.get("email") or "").strip().lower() or None,
            first_name=(user.get("firstName") or "").strip() or None,
            last_name=(user.get("lastName") or "").strip() or None,
            enabled=user.get("enabled", False),
            groups={"/" + path.lstrip("/") for path in user.get("groups", [])},
        )
        people[person.username] = person
    return people


def collect_paths(groups, parent, paths):
    """Adds the paths that Keycloak gives to groups: made of their names. A `path` in the file does not count."""
    for group in groups:
        path = f"{parent}/{group['name']}"
        paths.append(path)
        collect_paths(group.get("subGroups", []), path, paths)


CROWD = 1200
MANY = 5000

ODD_NAMES = [
    "group 2",
    "Ünïcode Größe",
    "50% off",
    "100%25",
    "a+b",
    "semi;colon",
    "O'Brien & Söhne",
    "q?mark#hash",
    "[x]|y",
    "dots.and_under~tilde-",
    "with/slash",
]


def user(username, groups, email=True, first=None, last=None, enabled=True):
    document = {"username": username, "enabled": enabled, "groups": groups}
    if email:
        document["email"] = f"{username}@kc.example" if email is True else email
    if first:
        document["firstName"] = first
    if last:
        document["lastName"] = last
    return document


def crowd():
    """Returns the people of a group that is too large for the imported file."""
    return [user(f"person{number:04}", ["/crowd"], first=f"First{number:04}", last="Crowd") for number in range(CROWD)]


def many():
    """Returns the people of a group that only fills up later."""
    return [user(f"many{number:04}", ["/many"], first=f"First{number:04}", last="Many") for number in range(MANY)]


def own():
    """Returns the realm of the test's own as a document that Keycloak imports; the crowd comes afterwards."""
    users = [
        user("tara", ["/teams"], first="Tara", last="Top"),
        user("pete", ["/teams/platform"], first="Pete", last="Plat"),
        user("petra", ["/teams/platform"], first="Petra", last="Plat"),
        user("dave", ["/teams/platform"], first="Dave", last="Disabled", enabled=False),
        user("cora", ["/teams/platform/core"], first="Cora", last="Core"),
        user("dana", ["/teams/platform/core"], first="Dana", last="Díaz"),
        user("both", ["/teams/platform", "/teams/platform/core"], first="Both", last="Levels"),
        user("dora", ["/teams/platform/core"], first="Dora", last="Disabled", enabled=False),
        user("elke", ["/teams/platform/core/night shift"], first="Elke", last="Eule"),
        user("ulla", ["/union/left", "/union/right"], first="Ulla", last="Union"),
        user("lena", ["/union/left"], first="Lena", last="Left"),
        user("rita", ["/union/right"], first="Rita", last="Right"),
        user("nora", ["/mixed"], email=False, first="Nora", last="No-Address"),
        user("nils", ["/mixed"]),
        user("nemo", ["/mixed"], email=False),
        user("only-first", ["/mixed"], first="Only"),
        user("only-last", ["/mixed"], last="Only"),
        user("upper", ["/mixed"], email="Upper.Case@KC.Example", first="Upper", last="Case"),
        user("plus", ["/mixed"], email="plus+tag@kc.example", first="Plus", last="Tag"),
        user("broken", ["/mixed"], email="not-an-address", first="Broken", last="Address"),
        user("long", ["/mixed"], first="L" * 65, last="Long"),
        user("markup", ["/mixed"], first="<b>Zoë</b> |", last='[x](y) "O\'Neil" `z`'),
        user("twin1", ["/mixed"], email="Twin@kc.example", first="Twin", last="One"),
        user("twin2", ["/mixed"], email="twin@kc.example", first="Twin", last="Two"),
        user("alone", [], first="Alone", last="Without-Groups"),
        {
            "username": "service-account-robot",
            "enabled": True,
            "serviceAccountClientId": "robot",
            "groups": ["/mixed"],
        },
        {
            "username": f"service-account-{SYNC_CLIENT}",
            "enabled": True,
            "serviceAccountClientId": SYNC_CLIENT,
            "clientRoles": {"realm-management": ["view-users", "view-realm"]},
        },
    ]
    users += [
        user(f"odd{number}", [f"/odd names/{name}"], first="Odd", last=str(number))
        for number, name in enumerate(ODD_NAMES)
    ]
    return {
        "realm": "acme",
        "enabled": True,
        "sslRequired": "none",
        # The two settings that let two people have one address.
        "duplicateEmailsAllowed": True,
        "loginWithEmailAllowed": False,
        "groups": [
            {
                "name": "teams",
                "subGroups": [
                    {
                        "name": "platform",
                        "subGroups": [{"name": "core", "subGroups": [{"name": "night shift"}]}],
                    }
                ],
            },
            {"name": "union", "subGroups": [{"name": "left"}, {"name": "right"}]},
            {"name": "mixed"},
            {"name": "empty"},
            {"name": "crowd"},
            {"name": "many"},
            {"name": "odd names", "subGroups": [{"name": name} for name in ODD_NAMES]},
        ],
        "clients": [service_client(name) for name in ("robot", SYNC_CLIENT)],
        "users": users,
    }


def service_client(client_id, secret=SYNC_SECRET):
    """Returns a client that logs in as its service account."""
    return {
        "clientId": client_id,
        "enabled": True,
        "protocol": "openid-connect",
        "publicClient": False,
        "secret": secret,
        "serviceAccountsEnabled": True,
        "standardFlowEnabled": False,
        "directAccessGrantsEnabled": False,
    }
