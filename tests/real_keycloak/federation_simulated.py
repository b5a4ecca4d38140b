"""The realms of `federation_answers.py` in a simulated Keycloak: one for each row of the table, all in trouble at the same time."""

import federation_answers as table
import realms
from federation_answers import ASKED_ABOUT, CACHES, LOCAL, STAFF, Look
from keycloak_admin import service_account
from program import SimulatedServices

PROVIDER = "provider"
KINDS = {"ro": "read_only", "ni": "no_import", "imp": "import"}

# As the simulated provider calls them; the others happen to people.
STATES = {
    "healthy": "healthy",
    "stopped": "stopped",
    "frozen": "frozen",
    "disabled": "disabled",
    "wrong password": "wrong_bind_password",
    "base does not exist": "users_dn_missing",
    "base exists, and is wrong": "users_dn_wrong",
    "base of the groups is wrong": "groups_dn_wrong",
}


class Place:
    """One row of the table in one form, and its realm."""

    def __init__(self, state, caches, form):
        self.state = state
        self.caches = caches
        self.form = form
        self.name = "-".join([form, caches, *state.replace(",", "").split()])

    def document(self):
        """Returns the realm as the state file of a sandbox has it."""

        def person(username, **more):
            return {
                "id": f"id-{username}",
                "username": username,
                "email": f"{username}@kc.example",
                "groups": ["staff"],
                **more,
            }

        def linked(username):
            own = {"id": f"f:{PROVIDER}:{username}"} if self.form == "ni" else {}
            return person(username, provider=PROVIDER, **own)

        service = {
            "id": "id-service",
            "username": f"service-account-{realms.SYNC_CLIENT}",
            "service_account_client_id": realms.SYNC_CLIENT,
            "client_roles": {"realm-management": ["view-users"]},
        }
        client = {"client_id": realms.SYNC_CLIENT, "secret": realms.SYNC_SECRET, "service_accounts_enabled": True}
        provider = {
            "id": PROVIDER,
            "name": "ldap",
            "kind": KINDS[self.form],
            "state": "healthy",
            "patience": {"secs": 0, "nanos": 0},
        }
        return {
            "name": self.name,
            "groups": [{"id": "staff", "name": "staff"}],
            "people": [person(LOCAL), *map(linked, STAFF), service],
            "providers": [provider],
            "clients": [client],
        }

    def begin(self, realm):
        (provider,) = realm["providers"]
        provider["state"] = STATES.get(self.state, "healthy")
        for person in realm["people"]:
            if person["username"] in ASKED_ABOUT:
                person["in_directory"] = self.state != "deleted"
                # What was imported stays in Keycloak.
                if self.state == "left" and self.form != "imp":
                    person["groups"] = []

    def end(self, realm):
        (provider,) = realm["providers"]
        provider["state"] = "healthy"
        for person in realm["people"]:
            if person["username"] in ASKED_ABOUT:
                person["in_directory"] = True
                person["groups"] = ["staff"]


def check(record, binary, folder, version):
    """Checks the whole table against the simulated Keycloak."""
    turns = list(table.turns(version))
    places = [Place(state, caches, form) for state, caches in turns for form in KINDS]
    services = SimulatedServices(binary, folder, flags=["--keycloak-version", version])
    sessions = {}

    def add(world):
        world["keycloak"]["realms"] += [place.document() for place in places]

    def change(how):
        """The changes of the state file; a session does not outlive a restart."""

        def edit(world):
            found = {realm["name"]: realm for realm in world["keycloak"]["realms"]}
            for place in places:
                how(place, found[place.name])

        services.change(edit)
        for session in sessions.values():
            session.renew_at = 0

    try:
        services.change(add)
        looks = []
        for place in places:
            session = service_account(f"http://{services.keycloak}", place.name, realms.SYNC_CLIENT, realms.SYNC_SECRET)
            sessions[place.name] = session
            look = Look(session, version)
            look.remember(place.caches)
            looks.append(look)
        for place, look in zip(places, looks):
            if (place.state, place.caches) == ("healthy", CACHES[0]):
                table.check_marks(record, look, place.form)
        change(Place.begin)
        during = [look.answers() for look in looks]
        change(Place.end)
        afterwards = [look.answers() for look in looks]
        for place, *answers in zip(places, during, afterwards):
            table.check_row(record, place.state, place.caches, place.form, version, *answers)
    finally:
        services.stop()
