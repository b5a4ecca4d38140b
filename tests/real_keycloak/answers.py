"""How each version of Keycloak answers what the program asks and what it must not be deceived by: a table, and its realm.

What changed between two versions is in the column of the first version seen with it; a version that has no column is
expected to answer as the next older one that has. Seen on 21.1.2, 22.0.5, 24.0.5, 25.0.6, 26.0.8 and 26.7.4.
"""

import json
import urllib.parse
from dataclasses import dataclass

import keycloak_admin as admin_api
from realms import service_client

REALM = "answers"
SECRET = "real-keycloak-answers"
PASSWORD = "Answers-1"
MANY = 120

OLDEST = "21.1.2"
NO_RESOURCE = "Unable to find matching target resource method"
SAYS_NOTHING = "For more on this error consult the server log at the debug level."
WRONG_CLIENT = "Invalid client or Invalid client credentials"

# Found by path in every version, with every byte percent-encoded but for the unreserved ones.
FINDABLE = [
    "group 2",
    "Ünïcode",
    "a+b",
    "O'Brien",
    "a&b=c",
    "q?mark#hash",
    "[x]|y",
    "dots.and_under~tilde",
    "with/slash",
]


@dataclass(frozen=True)
class Row:
    """A request, and how it is answered: from which version on with what."""

    what: str
    ask: object
    answers: dict
    # What of a successful answer counts.
    of: object = None


@dataclass(frozen=True)
class Public:
    """Something that anybody may ask."""

    path: str
    accept: str = "application/json"

    def send(self, client):
        return client.send("GET", self.path, {"Accept": self.accept})


@dataclass(frozen=True)
class Admin:
    """A request to the realm's admin API."""

    path: str
    account: str = "sync"
    realm: str = REALM
    accept: str = "application/json"

    def send(self, client):
        token = client.token_of(self.account) if self.account in ACCOUNTS else self.account
        headers = {"Accept": self.accept}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return client.send("GET", f"/admin/realms/{self.realm}{self.path}", headers)


@dataclass(frozen=True)
class Login:
    """A request to the token endpoint."""

    form: dict
    realm: str = REALM

    def send(self, client):
        return client.log_in(self.realm, self.form)


def by_password(username, password=PASSWORD, client="admin-cli", **more):
    return {"grant_type": "password", "client_id": client, "username": username, "password": password, **more}


def by_secret(client, secret=SECRET):
    form = {"grant_type": "client_credentials", "client_id": client}
    return form if secret is None else {**form, "client_secret": secret}


ACCOUNTS = {
    "sync": by_secret("sync"),
    "powerless": by_secret("powerless"),
    "querier": by_secret("querier"),
    "auditor": by_secret("auditor"),
    "azure-sync": by_password("azure-sync"),
}


class Client:
    """Sends requests as they are written down, and knows the tokens of the realm's accounts."""

    def __init__(self, base):
        self.base = base
        self.tokens = {}

    def send(self, method, path, headers, body=None):
        return admin_api.answer(method, self.base + path, headers, body)

    def log_in(self, realm, form):
        return self.send(
            "POST",
            f"/realms/{realm}/protocol/openid-connect/token",
            {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"},
            urllib.parse.urlencode(form).encode(),
        )

    def token_of(self, account):
        if account not in self.tokens:
            self.tokens[account] = json.loads(self.log_in(REALM, ACCOUNTS[account])[1])["access_token"]
        return self.tokens[account]


def always(*answer):
    return {OLDEST: answer}


def described(status, error):
    """An error of the admin API: 24 and 25 add a sentence that says nothing."""
    return {OLDEST: (status, error), "24.0.5": (status, error, SAYS_NOTHING), "26.0.8": (status, error)}


FOUND = always(200)
PATH_MISSING = described(404, "Group path does not exist")
FORBIDDEN = {
    OLDEST: (403, "unknown_error"),
    "24.0.5": (403, "unknown_error", SAYS_NOTHING),
    "25.0.6": (403, "HTTP 403 Forbidden", SAYS_NOTHING),
    "26.0.8": (403, "HTTP 403 Forbidden"),
}
WRONG_CREDENTIALS = {
    OLDEST: (401, "invalid_grant", "Invalid user credentials"),
    "26.7.4": (400, "invalid_grant", "Invalid user credentials"),
}
UNAUTHORIZED = described(401, "HTTP 401 Unauthorized")
NOT_NORMALIZED = {"26.7.4": (400, "missingNormalization", "Request path not normalized")}
INVALID_CHARACTER = {"26.7.4": (400, "invalidCharacter", "Request path contains invalid character ';'")}


def field(name):
    return lambda body: body.get(name, "absent")


def each(*names):
    return lambda rows: [tuple(row.get(name, "absent") for name in names) for row in rows]


def tree(group):
    return {group["name"]: [tree(subgroup) for subgroup in group["subGroups"]]}


def keys(name):
    """Whether the first row has a field."""
    return lambda rows: name in rows[0]


def by_path(path):
    return Admin(f"/group-by-path/{path}")


def rows(base, relative_path):
    """Returns the table for a server at this address."""
    outside = base.removesuffix(relative_path)
    lost = f"RESTEASY003210: Could not find resource for full path: {base}/auth/realms/{REALM}"
    table = [
        Row("a realm", Public(f"/realms/{REALM}"), always(200, REALM), field("realm")),
        Row("a realm that does not exist", Public("/realms/nowhere"), described(404, "Realm does not exist")),
        Row(
            "a realm that does not exist, asked as a browser asks",
            Public("/realms/nowhere", accept="text/html,*/*"),
            always(404, "HTML"),
        ),
        Row(
            "/auth where the server has none",
            Public(f"/auth/realms/{REALM}"),
            {OLDEST: (404, lost), "24.0.5": (404, NO_RESOURCE, SAYS_NOTHING), "26.0.8": (404, NO_RESOURCE)},
        ),
        Row("no token", Admin("/groups", account=""), UNAUTHORIZED),
        Row("a broken token", Admin("/groups", account="broken"), UNAUTHORIZED),
        Row("a token of this realm in another", Admin("/groups", realm="master"), FORBIDDEN),
    ]
    if relative_path:
        table.append(Row("no prefix where the server has one", Outside(outside), always(404, "HTML")))
    return table + LOGINS + RIGHTS + PATHS + GROUPS + PEOPLE


@dataclass(frozen=True)
class Outside:
    """The realm's address without the server's relative path."""

    base: str

    def send(self, _):
        return admin_api.answer("GET", f"{self.base}/realms/{REALM}", {"Accept": "application/json"})


LOGINS = [
    Row("a service account", Login(by_secret("sync")), always(200, "Bearer"), field("token_type")),
    Row("a user with a password", Login(by_password("azure-sync")), always(200, "Bearer"), field("token_type")),
    Row(
        "a wrong password",
        Login(by_password("azure-sync", "wrong")),
        WRONG_CREDENTIALS,
    ),
    Row(
        "a person who does not exist",
        Login(by_password("nobody")),
        WRONG_CREDENTIALS,
    ),
    Row(
        "a disabled account",
        Login(by_password("switched-off")),
        always(400, "invalid_grant", "Account disabled"),
    ),
    Row(
        "an account without names and address",
        Login(by_password("nameless")),
        {OLDEST: (200, "Bearer"), "24.0.5": (400, "invalid_grant", "Account is not fully set up")},
        field("token_type"),
    ),
    Row(
        "a password that has to be changed",
        Login(by_password("temporary")),
        always(400, "invalid_grant", "Account is not fully set up"),
    ),
    Row(
        "direct access grants off",
        Login(by_password("azure-sync", client="no-grants")),
        always(400, "unauthorized_client", "Client not allowed for direct access grants"),
    ),
    Row(
        "an unknown client with a password",
        Login(by_password("azure-sync", client="nobody")),
        always(401, "invalid_client", WRONG_CLIENT),
    ),
    Row("an unknown client", Login(by_secret("nobody")), always(401, "invalid_client", WRONG_CLIENT)),
    Row("a wrong secret", Login(by_secret("sync", "wrong")), always(401, "unauthorized_client", WRONG_CLIENT)),
    Row("no secret", Login(by_secret("sync", None)), always(401, "unauthorized_client", WRONG_CLIENT)),
    Row(
        "a service account of a public client",
        Login(by_secret("no-grants", None)),
        always(401, "unauthorized_client", "Public client not allowed to retrieve service account"),
    ),
    Row(
        "another kind of login",
        Login({"grant_type": "magic", "client_id": "admin-cli"}),
        always(400, "unsupported_grant_type", "Unsupported grant_type"),
    ),
    Row(
        "no kind of login",
        Login({"client_id": "admin-cli"}),
        always(400, "invalid_request", "Missing form parameter: grant_type"),
    ),
    Row(
        "a broken refresh token",
        Login({"grant_type": "refresh_token", "client_id": "admin-cli", "refresh_token": "nonsense"}),
        always(400, "invalid_grant", "Invalid refresh token"),
    ),
    Row(
        "a login in a realm that does not exist",
        Login(by_password("azure-sync"), realm="nowhere"),
        described(404, "Realm does not exist"),
    ),
]

RIGHTS = [
    Row("no role, a group that exists", Admin("/group-by-path/group1", account="powerless"), FORBIDDEN),
    Row("no role, a group that does not exist", Admin("/group-by-path/nobody", account="powerless"), PATH_MISSING),
    Row("no role, groups", Admin("/groups", account="powerless"), FORBIDDEN),
    Row("no role, members", Admin("/groups/g-group1/members", account="powerless"), FORBIDDEN),
    Row("no role, people", Admin("/users?email=ann@kc.example&exact=true", account="powerless"), FORBIDDEN),
    Row("no role, the groups of a person", Admin("/users/p-ann/groups", account="powerless"), FORBIDDEN),
    Row(
        "only query-groups: the number of groups",
        Admin("/groups", account="querier"),
        {OLDEST: (200, True), "22.0.5": (200, False)},
        lambda rows: len(rows) > 0,
    ),
    Row(
        "only view-users: user federation",
        Admin("/components?type=org.keycloak.storage.UserStorageProvider"),
        FORBIDDEN,
    ),
    Row(
        "view-realm as well: user federation",
        Admin("/components?type=org.keycloak.storage.UserStorageProvider", account="auditor"),
        always(200, []),
        lambda rows: rows,
    ),
    Row(
        "a user with a password, with view-users",
        Admin("/group-by-path/group1", account="azure-sync"),
        always(200, "/group1"),
        field("path"),
    ),
]

PATHS = [
    Row("a group by its path", by_path("group1"), always(200, "/group1"), field("path")),
    Row("a path that ends in a slash", by_path("group1/"), always(200, "/group1"), field("path")),
    Row("a path that begins with two", by_path("/group1"), {**FOUND, **NOT_NORMALIZED}),
    Row(
        "two slashes within a path",
        by_path("teams//platform"),
        {OLDEST: (404, "Group path does not exist"), "24.0.5": (200,), **NOT_NORMALIZED},
    ),
    Row("a name with encoded hyphens", by_path("acme%2Dgroup%2D1"), {**FOUND, **NOT_NORMALIZED}),
    Row("another letter case", by_path("GROUP1"), PATH_MISSING),
    Row("a group that does not exist", by_path("nobody"), PATH_MISSING),
    Row("a raw semicolon", by_path("semi;colon"), {**PATH_MISSING, **INVALID_CHARACTER}),
    Row(
        "an encoded semicolon",
        by_path("semi%3Bcolon"),
        {**FOUND, "24.0.5": (404, "Group path does not exist", SAYS_NOTHING), "25.0.6": (200,)},
    ),
    Row(
        "a percent sign",
        by_path("50%25%20off"),
        {**FOUND, "24.0.5": (404, "HTTP 404 Not Found", SAYS_NOTHING), "25.0.6": (200,)},
    ),
    Row("a name with an encoded slash", by_path("with%2Fslash"), always(200, "/with/slash"), field("path")),
    Row("nested groups", by_path("teams/platform/core"), always(200, "/teams/platform/core"), field("path")),
    *(
        Row(f"the group {name}", by_path(admin_api.quote(name)), always(200, f"/{name}"), field("path"))
        for name in FINDABLE
    ),
]

GROUPS = [
    Row("a group by its id", Admin("/groups/g-group1"), always(200, "/group1"), field("path")),
    Row("a group id that does not exist", Admin("/groups/none"), described(404, "Could not find group by id")),
    Row(
        "the children of a group",
        Admin("/groups/g-teams/children?first=0&max=1000&briefRepresentation=true"),
        {OLDEST: (405, "RESTEASY003650: No resource method found for GET, return 405 with Allow header"), "24.0.5": (200, [("platform",)])},
        each("name"),
    ),
    Row(
        "sub-groups of a group by its path",
        by_path("teams"),
        {OLDEST: (200, {"teams": [{"platform": [{"core": []}]}]}), "24.0.5": (200, {"teams": []})},
        tree,
    ),
    Row(
        "their number",
        by_path("teams"),
        {OLDEST: (200, "absent"), "26.0.8": (200, 1)},
        field("subGroupCount"),
    ),
    *(
        Row(
            f"a search for {name}, by the last segment of its path",
            Admin(f"/groups?search={admin_api.quote(name)}&exact=true&first=0&max=100&briefRepresentation=true"),
            always(200, found),
            lambda rows: [tree(row) for row in rows],
        )
        for name, found in [
            ("semi;colon", [{"semi;colon": []}]),
            ("50% off", [{"50% off": []}]),
            ("core", [{"teams": [{"platform": [{"core": []}]}]}]),
            ("cor", []),
        ]
    ),
]

PEOPLE = [
    Row(
        "members, in the order of their usernames, disabled ones and service accounts among them",
        Admin("/groups/g-group1/members?first=0&max=-1&briefRepresentation=true"),
        always(
            200,
            [
                ("ann", "ann@kc.example", True),
                ("service-account-robot", "absent", True),
                ("switched-off", "switched-off@kc.example", False),
                ("zoe", "zoe@kc.example", True),
            ],
        ),
        each("username", "email", "enabled"),
    ),
    Row(
        "a service account in it has no other mark",
        Admin("/groups/g-group1/members?first=0&max=-1&briefRepresentation=true"),
        always(200, False),
        lambda rows: "serviceAccountClientId" in rows[1],
    ),
    Row(
        "createdTimestamp in brief rows",
        Admin("/groups/g-group1/members?first=0&max=-1&briefRepresentation=true"),
        {OLDEST: (200, False), "26.7.4": (200, True)},
        keys("createdTimestamp"),
    ),
    Row(f"{MANY} members with max=-1", Admin("/groups/g-many/members?first=0&max=-1"), always(200, MANY), len),
    Row("and without", Admin("/groups/g-many/members"), always(200, 100), len),
    Row("a page of them", Admin("/groups/g-many/members?first=110&max=100"), always(200, 10), len),
    Row(
        "members of a group id that does not exist",
        Admin("/groups/none/members?max=-1"),
        described(404, "Could not find group by id"),
    ),
    Row(
        "an address in another letter case",
        Admin("/users?email=ANN%40KC.Example&exact=true"),
        always(200, [("ann", "ann@kc.example")]),
        each("username", "email"),
    ),
    Row("an address that nobody has", Admin("/users?email=none%40kc.example&exact=true"), always(200, []), each("id")),
    Row("a person", Admin("/users/p-ann"), always(200, "ann"), field("username")),
    Row("a person who does not exist", Admin("/users/none"), described(404, "User not found")),
    Row(
        "the groups of a person, all direct ones",
        Admin("/users/p-ann/groups?first=0&max=-1&briefRepresentation=true"),
        always(200, [("/group1",), ("/teams/platform/core",)]),
        lambda rows: sorted(each("path")(rows)),
    ),
    Row(
        "the groups of a person who does not exist",
        Admin("/users/none/groups?first=0&max=-1&briefRepresentation=true"),
        described(404, "User not found"),
    ),
]


def as_numbers(version):
    return tuple(int(part) for part in version.split("."))


def column(answers, version):
    """Returns the answer of the newest column that is not newer than the version, or None if there is none."""
    columns = [column for column in answers if as_numbers(column) <= as_numbers(version)]
    return answers[max(columns, key=as_numbers)] if columns else None


def expected(row, version):
    """Returns the answer for a version; one that is older than all columns is expected to answer as the oldest of them."""
    return column(row.answers, version) or row.answers[OLDEST]


def seen(row, status, text):
    """Returns an answer in the form that the table has."""
    try:
        body = json.loads(text)
    except ValueError:
        return (status, "HTML") if text.lstrip().startswith("<") else (status, text)
    if status >= 400:
        said = (body.get("error"), body.get("error_description"))
        return (status, *(part for part in said if part is not None))
    return (status,) if row.of is None else (status, row.of(body))


def check(record, base, relative_path, version):
    """Checks the whole table against a server."""
    client = Client(base)
    for row in rows(base, relative_path):
        with record.guarded(f"{row.what} was asked"):
            got = seen(row, *row.ask.send(client))
            wanted = expected(row, version)
            shown = " ".join(str(part) for part in wanted if part != SAYS_NOTHING)
            record.same(f"{row.what}: {shown}", got, wanted)


def document():
    """Returns the table's realm as a document that Keycloak imports."""

    def user(username, *groups, roles=(), names=True, **more):
        user = {"id": f"p-{username}", "username": username, "enabled": True, "groups": list(groups), **more}
        if names:
            user.update(email=f"{username}@KC.Example", firstName=username.title(), lastName="Answers")
        if roles:
            user["clientRoles"] = {"realm-management": list(roles)}
        return user

    def sync(username, **more):
        password = [{"type": "password", "value": PASSWORD, "temporary": False}]
        return user(username, "/group1", roles=["view-users"], credentials=password, **more)

    def service(client, *groups, roles=()):
        return user(
            f"service-account-{client}", *groups, roles=roles, names=False, serviceAccountClientId=client
        )

    def group(name, *subgroups, id=None):
        return {"id": f"g-{id or name}", "name": name, "subGroups": list(subgroups)}

    services = {
        "sync": ["view-users"],
        "powerless": [],
        "querier": ["query-groups"],
        "auditor": ["view-users", "view-realm"],
        "robot": [],
    }
    return {
        "id": REALM,
        "realm": REALM,
        "enabled": True,
        "sslRequired": "none",
        "groups": [
            group("group1"),
            group("acme-group-1"),
            group("teams", group("platform", group("core"))),
            group("semi;colon", id="semicolon"),
            group("50% off", id="percent"),
            group("many"),
            *(group(name, id=f"odd-{number}") for number, name in enumerate(FINDABLE)),
        ],
        "clients": [
            *(service_client(name, SECRET) for name in services),
            {"clientId": "no-grants", "enabled": True, "publicClient": True, "directAccessGrantsEnabled": False},
        ],
        "users": [
            user("ann", "/group1", "/teams/platform/core"),
            user("zoe", "/group1"),
            *(user(f"many{number:03}", "/many") for number in range(MANY)),
            {**sync("azure-sync"), "groups": []},
            {**sync("nameless", names=False), "groups": []},
            {**sync("temporary", requiredActions=["UPDATE_PASSWORD"]), "groups": []},
            {**sync("switched-off"), "enabled": False},
            *(
                service(client, *(["/group1"] if client == "robot" else []), roles=roles)
                for client, roles in services.items()
            ),
        ],
    }
