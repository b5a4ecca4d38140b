"""A real OpenLDAP behind a real Keycloak, in trouble: nobody may be removed because LDAP is out of order, and whoever really
leaves there is removed wherever Keycloak notices it.

`write-realms` prepares what the server imports; `run` does the rest against the running server.
"""

import argparse
import json
import re
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import federation_answers as table
import keycloak_admin as admin_api
import openldap
import realms
from federation_answers import LOCAL, STAFF, Look
from keycloak_admin import Refused
from openldap import OpenLdap
from program import Program, SimulatedServices, write_configuration
from record import Record
from reference import Mapping

OPS = ["gus", "hal"]
DELETED, LEFT = "bob", "cyd"

# A real provider waits as long as LDAP does not answer, and so does the program, up to its own deadlines.
LDAP_TIMEOUT = "1000"


@dataclass(frozen=True)
class Form:
    """A way to use LDAP, with a realm of its own."""

    realm: str
    what: str
    imports: bool
    group_mode: str

    def mappings(self):
        return [Mapping(f"/{name}", f"kc-{self.realm}-{name}") for name in ("staff", "ops")]

    def lifted_limits(self):
        """The limits would stop most of what an outage looks like: here the proofs alone have to."""
        flags = ["--max-removals", "off"]
        for mapping in self.mappings():
            flags += ["--allow-empty", mapping.azure]
        return flags


FORMS = [
    Form("ro", "import", True, "READ_ONLY"),
    Form("ni", "no import", False, "READ_ONLY"),
    Form("imp", "imported groups", True, "IMPORT"),
]


@dataclass(frozen=True)
class State:
    """Something that happens to LDAP or to the way Keycloak uses it, and how it ends."""

    what: str
    begin: object
    end: object
    # Who really leaves, why, and the forms in which Keycloak notices.
    leaver: str | None = None
    reason: str | None = None
    noticed: tuple = ()


class Realm:
    """A realm with LDAP behind it."""

    def __init__(self, base, form, ldap):
        self.form = form
        self.base = base
        self.admin = admin_api.administrator(base, form.realm)
        self.provider = {
            "name": "ldap",
            "providerId": "ldap",
            "providerType": "org.keycloak.storage.UserStorageProvider",
            "parentId": self.admin.get("")["id"],
            "config": {
                "enabled": ["true"],
                "priority": ["0"],
                "vendor": ["other"],
                "editMode": ["READ_ONLY"],
                "importEnabled": [str(form.imports).lower()],
                "usernameLDAPAttribute": ["uid"],
                "rdnLDAPAttribute": ["uid"],
                "uuidLDAPAttribute": ["entryUUID"],
                "userObjectClasses": ["inetOrgPerson"],
                "connectionUrl": [ldap.url],
                "usersDn": [openldap.PEOPLE],
                "authType": ["simple"],
                "bindDn": [openldap.ADMIN],
                "bindCredential": [openldap.PASSWORD],
                "searchScope": ["1"],
                "pagination": ["true"],
                "cachePolicy": ["DEFAULT"],
                "trustEmail": ["true"],
                "connectionTimeout": [LDAP_TIMEOUT],
                "readTimeout": [LDAP_TIMEOUT],
            },
        }
        self.provider["id"] = self.create(self.provider)
        self.mapper = {
            "name": "groups",
            "providerId": "group-ldap-mapper",
            "providerType": "org.keycloak.storage.ldap.mappers.LDAPStorageMapper",
            "parentId": self.provider["id"],
            "config": {
                "groups.dn": [openldap.GROUPS],
                "group.name.ldap.attribute": ["cn"],
                "group.object.classes": ["groupOfNames"],
                "membership.ldap.attribute": ["member"],
                "membership.attribute.type": ["DN"],
                "membership.user.ldap.attribute": ["uid"],
                "mode": [form.group_mode],
                "user.roles.retrieve.strategy": ["LOAD_GROUPS_BY_MEMBER_ATTRIBUTE"],
                "preserve.group.inheritance": ["false"],
                "groups.path": ["/"],
            },
        }
        self.mapper["id"] = self.create(self.mapper)
        self.synchronise()
        admin_api.join(self.admin, LOCAL, "/staff")
        self.session = admin_api.service_account(base, form.realm, realms.SYNC_CLIENT, realms.SYNC_SECRET)

    def create(self, component):
        self.admin.call("POST", "/components", component)
        name = component["name"]
        return self.admin.get(f"/components?parent={component['parentId']}&name={name}")[0]["id"]

    def configure(self, component, **config):
        """Changes settings of a component; names have `_` for a dot. Without any it is as it was made."""
        changed = {name.replace("_", "."): [value] for name, value in config.items()}
        document = {**component, "config": {**component["config"], **changed}}
        self.admin.call("PUT", f"/components/{component['id']}", document)

    def synchronise(self):
        provider, mapper = self.provider["id"], self.mapper["id"]
        self.admin.call("POST", f"/user-storage/{provider}/mappers/{mapper}/sync?direction=fedToKeycloak")
        if self.form.imports:
            self.admin.call("POST", f"/user-storage/{provider}/sync?action=triggerFullSync")

    def lose_copies(self):
        if self.form.imports:
            self.admin.call("POST", f"/user-storage/{self.provider['id']}/remove-imported-users")

    def forget(self):
        self.admin.call("POST", "/clear-user-cache")

    def remember(self):
        """Fills the server's caches with everybody and their groups."""
        for path in ("/staff", "/ops"):
            for row in self.session.members(path):
                person = admin_api.quote(row["id"])
                self.session.get(f"/users/{person}")
                self.session.groups_of(row["id"])

    def visible(self):
        """Returns the usernames that the two lists show as enabled, or the status that they end with."""
        try:
            return {row["username"] for path in ("/staff", "/ops") for row in self.session.members(path) if row["enabled"]}
        except Refused as refused:
            return refused.status
        except (OSError, ValueError) as error:
            return type(error).__name__


class Trial:
    def __init__(self, base, record, binary, work):
        self.record = record
        self.work = work
        self.ldap = OpenLdap(work / "openldap", [*STAFF, *OPS], {"staff": STAFF, "ops": OPS})
        self.graph = SimulatedServices(binary, work, [mapping.azure for form in FORMS for mapping in form.mappings()])
        self.program = Program(binary, work)
        self.realms = [Realm(base, form, self.ldap) for form in FORMS]
        self.table = []

    def close(self):
        self.graph.stop()
        self.ldap.stop()

    def states(self):
        def every(change):
            return lambda: [change(realm) for realm in self.realms]

        def provider(what, **config):
            return State(
                what,
                every(lambda realm: realm.configure(realm.provider, **config)),
                every(lambda realm: realm.configure(realm.provider)),
            )

        return [
            State("stopped", self.ldap.stop, self.ldap.start),
            State("frozen", self.ldap.freeze, self.ldap.thaw),
            provider("disabled", enabled="false"),
            provider("wrong password", bindCredential="wrong"),
            provider("base does not exist", usersDn=f"ou=nowhere,{openldap.SUFFIX}"),
            provider("base exists, and is wrong", usersDn=openldap.ELSEWHERE),
            State(
                "base of the groups is wrong",
                every(lambda realm: realm.configure(realm.mapper, groups_dn=openldap.ELSEWHERE)),
                every(lambda realm: realm.configure(realm.mapper)),
            ),
            State(
                "one person deleted",
                lambda: self.ldap.delete_person(DELETED, ["staff"]),
                lambda: self.ldap.add_person(DELETED, ["staff"]),
                DELETED, "unknown_to_keycloak", ("ro", "ni", "imp"),
            ),
            State(
                "one out of the group",
                lambda: self.ldap.leave(LEFT, "staff"),
                lambda: self.ldap.join(LEFT, "staff"),
                # What was imported stays in Keycloak.
                LEFT, "left_group", ("ro", "ni"),
            ),
        ]

    def everywhere(self, work, among=None):
        """Does something for each realm, or with each of these, all at the same time."""
        with ThreadPoolExecutor(len(self.realms)) as pool:
            return list(pool.map(work, among or self.realms))

    def restore(self):
        """Brings back whom Keycloak lost, with nothing in its caches."""
        # One step after the other, because to be told to forget concerns the people of all realms.
        for step in (Realm.forget, Realm.lose_copies, Realm.synchronise, Realm.forget):
            self.everywhere(step)

    def states_of_table(self):
        """The states of the table by their names there."""
        gone = table.ASKED_ABOUT

        def each(change, *arguments):
            return lambda: [change(name, *arguments) for name in gone]

        states = [
            State("healthy", lambda: None, lambda: None),
            State("deleted", each(self.ldap.delete_person, ["staff"]), each(self.ldap.add_person, ["staff"])),
            State("left", each(self.ldap.leave, "staff"), each(self.ldap.join, "staff")),
            *(state for state in self.states() if not state.leaver),
        ]
        return {state.what: state for state in states}

    def hold_to_table(self, version):
        """Checks what the server answers before the program is asked for anything."""
        self.record.headline("The server answers as this version did")
        self.restore()
        for realm in self.realms:
            table.check_marks(self.record, Look(realm.session, version), realm.form.realm)
        states = self.states_of_table()
        for what, caches in table.turns(version):
            with self.record.guarded(f"{what}, {caches} was looked at"):
                self.look_at(states[what], caches, version)
        self.restore()

    def look_at(self, state, caches, version):
        def prepare(realm):
            look = Look(realm.session, version)
            look.remember(caches)
            return look

        self.restore()
        looks = self.everywhere(prepare)
        state.begin()
        try:
            if caches == "cold":
                self.everywhere(Realm.forget)
            during = self.everywhere(Look.answers, looks)
        finally:
            state.end()
        afterwards = self.everywhere(Look.answers, looks)
        for realm, *answers in zip(self.realms, during, afterwards):
            table.check_row(self.record, state.what, caches, realm.form.realm, version, *answers)

    def plan(self, realm, name):
        """Returns a run of `plan` and the plan, if it wrote one."""
        form = realm.form
        config = self.work / f"{form.realm}.yaml"
        write_configuration(config, realm.base, form.realm, form.mappings(), self.graph, [])
        file = self.work / f"{form.realm}-{name}.plan.json"
        file.unlink(missing_ok=True)
        variables = {"KEYCLOAK_CLIENT_ID": realms.SYNC_CLIENT, "KEYCLOAK_CLIENT_SECRET": realms.SYNC_SECRET}
        run = self.program.run(
            {**variables, **self.graph.variables},
            "plan", "--config", config, "--out", file, "--detailed-exitcode", *form.lifted_limits(),
        )
        return run, json.loads(file.read_text(encoding="utf-8")) if file.exists() else None

    def synchronise_entra(self):
        self.record.headline("LDAP is well: everybody is invited and added")
        everybody = {f"{name}@kc.example" for name in (*STAFF, *OPS, LOCAL)}
        for realm in self.realms:
            run, plan = self.plan(realm, "first")
            added = {change["account"]["email"] for change in plan["changes"] if change["action"] == "add"}
            self.record.same(f"{realm.form.what}: the plan adds everybody", added, everybody)
            run = self.program.run(
                {
                    "KEYCLOAK_CLIENT_ID": realms.SYNC_CLIENT,
                    "KEYCLOAK_CLIENT_SECRET": realms.SYNC_SECRET,
                    **self.graph.variables,
                },
                "apply", self.work / f"{realm.form.realm}-first.plan.json", "--config", self.work / f"{realm.form.realm}.yaml",
            )
            self.record.check(f"{realm.form.what}: apply (exit 0)", run.status == 0, run.stdout + run.stderr)
        self.check_healthy("and then nothing is left")

    def check_healthy(self, what):
        for realm, (run, _) in zip(self.realms, self.everywhere(lambda realm: self.plan(realm, "healthy"))):
            self.record.check(f"{realm.form.what}: {what} (exit 0)", run.status == 0, run.stdout + run.stderr)

    def take_through(self, state, warm):
        """From a healthy start through a state and back."""
        caches = "warm" if warm else "cold"
        self.record.turn(f"{state.what}, {caches} caches")
        self.everywhere(Realm.remember if warm else Realm.forget)
        state.begin()
        try:
            if not warm:
                self.everywhere(Realm.forget)
            outcomes = self.everywhere(lambda realm: self.plan(realm, "state"))
            sights = self.everywhere(Realm.visible)
        finally:
            state.end()
        row = [state.what, caches]
        for realm, (run, plan), sight in zip(self.realms, outcomes, sights):
            row.append(self.judge(state, warm, realm.form, Outcome(run, plan), sight))
        self.table.append(row)

        aftermath = self.everywhere(lambda realm: self.plan(realm, "after"))
        for realm, (run, plan) in zip(self.realms, aftermath):
            removed = Outcome(run, plan).removals()
            self.record.same(f"{realm.form.what}: nobody is removed right after it", removed, [])
        self.everywhere(Realm.synchronise)
        self.everywhere(Realm.forget)
        self.check_healthy("after it, nothing is left")

    def judge(self, state, warm, form, outcome, sight):
        """Checks a plan made in a state, and returns what it came to in a few words."""
        record = self.record
        what = f"{form.what}: {outcome.shown()}"
        shown = f"status {sight}" if not isinstance(sight, set) else f"{len(sight)} enabled people in the lists"
        if form.realm in state.noticed:
            wanted = [(f"kc-{form.realm}-staff", f"{state.leaver}@kc.example", state.reason)]
            # What is in a cache is out of date, and then the plan says that the answers contradict each other.
            right = outcome.removals() == wanted or (
                warm and outcome.removals() == [] and outcome.holds({state.leaver})
            )
            record.check(f"{what}: the right person", right, outcome.detail())
        else:
            record.same(f"{what}: nobody is removed", outcome.removals(), [])
            missing = {*STAFF, *OPS} - sight if isinstance(sight, set) else {*STAFF, *OPS}
            said = outcome.names_what_failed() or outcome.holds(missing)
            record.check(f"{form.what}: what is wrong is said ({shown})", said, outcome.detail())
        for sentence in outcome.sentences():
            record.note(sentence)
        return outcome.shown()


@dataclass
class Outcome:
    run: object
    plan: dict | None

    def removals(self):
        if self.plan is None:
            return []
        return [
            (change["group"]["name"], change["account"]["email"], change["because"])
            for change in self.plan["changes"]
            if change["action"] == "remove"
        ]

    def held(self):
        problems = self.plan["problems"] if self.plan else []
        return [problem for problem in problems if problem["code"] == "removal_not_confirmed"]

    def names_what_failed(self):
        """Whether the run ended because something could not be read, and says what, how Keycloak answered, and where to look."""
        said = re.search(
            r"failed to (read the members of group /\w+|look up \S+@kc\.example)\n"
            r"\s*Keycloak answered [45]\d\d.*\n\s*If people come from a user federation \(LDAP\)",
            self.run.stderr,
        )
        return self.run.status == 1 and bool(said)

    def holds(self, people):
        """Whether the plan says of each of these people that it is not clear whether they have to go."""
        held = {name for problem in self.held() for name in (*STAFF, *OPS, LOCAL) if f"{name}@" in problem["subject"]}
        return self.plan is not None and held >= people

    def shown(self):
        if self.plan is None:
            return f"error (exit {self.run.status})"
        parts = [f"removes {email.partition('@')[0]}" for _, email, _ in self.removals()]
        if self.held():
            parts.append(f"{len(self.held())} held")
        others = len(self.plan["changes"]) - len(self.removals())
        if others:
            parts.append(f"{others} other changes")
        return ", ".join(parts) or "in sync"

    def sentences(self):
        if self.plan is None:
            return self.run.stderr.splitlines()
        reasons = [
            re.sub(r"\w+ Ldap \(\w+\)", "the person", problem["message"].partition("but stays: ")[2])
            for problem in self.held()
        ]
        return sorted({f"{reasons.count(reason)} ×: {reason}" for reason in reasons})

    def detail(self):
        return f"exit {self.run.status}\n{self.run.stdout[-3000:]}\n{self.run.stderr[-1500:]}"


def document(form):
    """Returns the realm of a form: somebody of its own, and the sync account."""
    return {
        "realm": form.realm,
        "enabled": True,
        "sslRequired": "none",
        "clients": [realms.service_client(realms.SYNC_CLIENT)],
        "users": [
            {
                "username": LOCAL,
                "enabled": True,
                "email": f"{LOCAL}@kc.example",
                "firstName": "Lola",
                "lastName": "Local",
            },
            {
                "username": f"service-account-{realms.SYNC_CLIENT}",
                "enabled": True,
                "serviceAccountClientId": realms.SYNC_CLIENT,
                "clientRoles": {"realm-management": ["view-users", "view-realm"]},
            },
        ],
    }


def write_realms(target):
    for form in FORMS:
        (target / f"{form.realm}.json").write_text(json.dumps(document(form)), encoding="utf-8")


def print_table(table):
    rows = [["state", "caches", *(form.what for form in FORMS)], *table]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    print()
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def run(options):
    # A shell starts its background jobs with interrupts ignored, and the simulated Graph would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    record = Record()
    seconds = admin_api.wait_until_ready(options.keycloak, options.server_pid)
    print(f"Keycloak {options.version} on {options.keycloak}, ready after {seconds:.0f} s", flush=True)
    trial = Trial(options.keycloak, record, options.binary, options.work)
    try:
        trial.hold_to_table(options.version)
        trial.synchronise_entra()
        record.headline("LDAP in trouble")
        for state in trial.states():
            for warm in (True, False):
                with record.guarded(f"{state.what} was gone through"):
                    trial.take_through(state, warm)
    finally:
        trial.close()
    print_table(trial.table)
    print(
        f"\nKeycloak {options.version} with OpenLDAP: {record.passed} passed, {record.failed} failed, "
        f"{record.seconds():.0f} s in all"
    )
    return 1 if record.failed else 0


def main():
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(required=True, dest="command")
    prepare = commands.add_parser("write-realms")
    prepare.add_argument("target", type=Path)
    go = commands.add_parser("run")
    go.add_argument("--keycloak", required=True)
    go.add_argument("--server-pid", type=int, required=True)
    go.add_argument("--version", required=True)
    go.add_argument("--work", type=Path, required=True)
    go.add_argument("--binary", required=True)
    options = parser.parse_args()
    if options.command == "write-realms":
        write_realms(options.target)
        return 0
    return run(options)


if __name__ == "__main__":
    sys.exit(main())
