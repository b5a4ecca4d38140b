"""Keycloak's REST API: as its administrator, to make accounts and changes, and as the sync account, to see what that one sees."""

import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

# Keycloak looks at everybody again for each further person of one import, so that a thousand at once take minutes.
LOT = 50

# The administrator's tokens live for 60 s.
TOKEN_SECONDS = 45

# A server builds itself at its first start, and imports.
SERVER_START = 600

direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Refused(Exception):
    """An answer with another status than the one expected."""

    def __init__(self, status, body, what):
        super().__init__(f"{what}: {status} {body[:300]!r}")
        self.status = status
        self.body = body

    def error(self):
        try:
            return json.loads(self.body).get("error")
        except ValueError:
            return None


def answer(method, url, headers=None, body=None, timeout=60):
    """Returns the status and the body of an answer, whatever they are."""
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    try:
        with direct.open(request, timeout=timeout) as response:
            return response.status, response.read().decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode("utf-8", "replace")


def exchange(method, url, headers=None, body=None, timeout=60):
    """Returns the JSON of an answer, or None if it has no body. Anything but a 2xx is `Refused`."""
    headers = {"Accept": "application/json", **(headers or {})}
    status, text = answer(method, url, headers, body, timeout)
    if not 200 <= status < 300:
        raise Refused(status, text, f"{method} {url}")
    return json.loads(text) if text else None


def log_in(base, realm, **form):
    """Returns an access token."""
    answer = exchange(
        "POST",
        f"{base}/realms/{quote(realm)}/protocol/openid-connect/token",
        {"Content-Type": "application/x-www-form-urlencoded"},
        urllib.parse.urlencode(form).encode(),
    )
    return answer["access_token"]


def quote(segment):
    """Percent-encodes a path segment. Keycloak 26.4 and newer refuse a path that encodes any of `A-Za-z0-9-._~`."""
    return urllib.parse.quote(segment, safe="-._~")


class Session:
    """A login to one realm's Admin REST API, renewed before it expires."""

    def __init__(self, base, realm, login_realm=None, **form):
        self.base = base
        self.realm = realm
        self.login_realm = login_realm or realm
        self.form = form
        self.token = None
        self.renew_at = 0.0

    def call(self, method, path, body=None):
        if time.monotonic() >= self.renew_at:
            self.token = log_in(self.base, self.login_realm, **self.form)
            self.renew_at = time.monotonic() + TOKEN_SECONDS
        headers = {"Authorization": f"Bearer {self.token}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(body).encode()
        return exchange(method, f"{self.base}/admin/realms/{quote(self.realm)}{path}", headers, body)

    def get(self, path):
        return self.call("GET", path)

    def group(self, path):
        """Returns the group with exactly this path. Keycloak 24 cannot find names with `%` or `;` by path, hence the search."""
        try:
            found = self.get("/group-by-path/" + "/".join(quote(part) for part in path.strip("/").split("/")))
            if found["path"] == path:
                return found
        except Refused as refused:
            if refused.status != 404:
                raise
        name = urllib.parse.quote(path.rsplit("/", 1)[1], safe="")
        waiting = self.get(f"/groups?search={name}&exact=true")
        while waiting:
            group = waiting.pop()
            if group["path"] == path:
                return group
            waiting += group.get("subGroups", [])
        raise LookupError(f"no group {path}")

    def members(self, path):
        return self.get(f"/groups/{quote(self.group(path)['id'])}/members?first=0&max=-1&briefRepresentation=true")

    def person(self, username):
        found = self.get(f"/users?username={urllib.parse.quote(username, safe='')}&exact=true")
        if len(found) != 1:
            raise LookupError(f"{len(found)} people have the username {username}")
        return found[0]

    def groups_of(self, person_id):
        return sorted(group["path"] for group in self.get(f"/users/{quote(person_id)}/groups?briefRepresentation=true"))


def wait_until_ready(base, server):
    """Returns the seconds that the server needed, or ends the run."""
    began = time.monotonic()
    while time.monotonic() - began < SERVER_START:
        try:
            os.kill(server, 0)
        except ProcessLookupError:
            sys.exit("the server ended before it was ready")
        try:
            exchange("GET", f"{base}/realms/master", timeout=5)
            return time.monotonic() - began
        except (Refused, OSError):
            time.sleep(0.5)
    sys.exit(f"the server was not ready in {SERVER_START} s")


def administrator(base, realm):
    return Session(
        base, realm, "master", grant_type="password", client_id="admin-cli", username="admin", password="admin"
    )


def service_account(base, realm, client_id, secret):
    return Session(base, realm, grant_type="client_credentials", client_id=client_id, client_secret=secret)


def password_account(base, realm, username, password):
    return Session(
        base, realm, grant_type="password", client_id="admin-cli", username=username, password=password
    )


def grant(admin, person_id, *roles):
    """Gives a person roles of the client realm-management."""
    client = admin.get("/clients?clientId=realm-management")[0]["id"]
    chosen = [admin.get(f"/clients/{client}/roles/{role}") for role in roles]
    admin.call("POST", f"/users/{person_id}/role-mappings/clients/{client}", chosen)


def add_people(admin, users):
    """Imports people, with their groups, into a realm that is there."""
    for first in range(0, len(users), LOT):
        admin.call("POST", "/partialImport", {"ifResourceExists": "FAIL", "users": users[first : first + LOT]})


def create_service_account(admin, client, *roles):
    admin.call("POST", "/clients", client)
    created = admin.get(f"/clients?clientId={client['clientId']}")[0]["id"]
    person = admin.get(f"/clients/{created}/service-account-user")["id"]
    if roles:
        grant(admin, person, *roles)
    return person


def create_password_account(admin, username, password, *roles):
    # Since Keycloak 24 nobody logs in by password without an address and both names.
    admin.call(
        "POST",
        "/users",
        {
            "username": username,
            "email": f"{username}@sync.example",
            "emailVerified": True,
            "firstName": "Azure",
            "lastName": "Sync",
            "enabled": True,
            "credentials": [{"type": "password", "value": password, "temporary": False}],
        },
    )
    person = admin.person(username)["id"]
    if roles:
        grant(admin, person, *roles)
    return person


def disable(admin, username):
    person = admin.person(username)
    admin.call("PUT", f"/users/{person['id']}", {**person, "enabled": False})


def rename(admin, username, first_name, last_name):
    person = admin.person(username)
    admin.call("PUT", f"/users/{person['id']}", {**person, "firstName": first_name, "lastName": last_name})


def leave(admin, username, path):
    admin.call("DELETE", f"/users/{admin.person(username)['id']}/groups/{admin.group(path)['id']}")


def join(admin, username, path):
    admin.call("PUT", f"/users/{admin.person(username)['id']}/groups/{admin.group(path)['id']}")


def delete(admin, username):
    admin.call("DELETE", f"/users/{admin.person(username)['id']}")
