"""The story that is told to each realm: read it, apply it, change it, apply the change.

`write-realms` prepares what the server imports; `run` does the rest against the running server.
"""

import argparse
import json
import os
import shlex
import shutil
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import keycloak_admin as admin_api
import realms
from keycloak_admin import Refused
from program import Program, SimulatedGraph, changes_of, write_configuration
from record import Record, listed
from reference import Directory, Mapping, carry_out, expect

SERVER_START = 400
PASSWORD = "Real-Keycloak-1"
WRONG_SECRET = "Not-The-Secret-1"
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


def user_account(*roles, password=PASSWORD):
    return Account({"KEYCLOAK_USER": "azure-sync", "KEYCLOAK_PASSWORD": password}, roles)


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
    own = realms.parse(realms.own())
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


class Scenario:
    def __init__(self, base, record, binary=None, work=None, graph=None):
        self.base = base
        self.record = record
        self.work = work
        self.graph = graph
        self.program = Program(binary, work) if binary else None

    def tell(self, story):
        """Tells one realm its story. Without a program, only what the server says about it is checked."""
        self.record.headline(
            f"Realm {story.realm.name}: {len(story.realm.groups)} groups, {len(story.realm.people)} people, "
            f"sync account with {' and '.join(story.account.roles)}"
        )
        admin = admin_api.administrator(self.base, story.realm.name)
        if "/crowd" not in story.realm.groups:
            create_account(admin, story.account)
        self.record.turn("The server, as imported")
        self.check_server(story, story.realm)

        directory = Directory()
        if self.program and not self.sync("first", story, story.realm, directory, story.first_blocks):
            return

        changed = story.realm.copy()
        self.record.turn("The server, as changed")
        for what, on_server, on_file in story.events:
            on_server(admin)
            on_file(changed)
            self.record.note(what)
        self.check_server(story, changed)
        if not self.program:
            return
        went_on = self.sync("second", story, changed, directory, story.later_blocks)

        if went_on and not story.strangers_may_go:
            admin_api.grant(admin, admin.person(f"service-account-{realms.SYNC_CLIENT}")["id"], "view-realm")
            self.record.note("the sync account gets view-realm")
            story.strangers_may_go = True
            self.sync("third", story, changed, directory, ())

    def check_server(self, story, realm):
        """Checks that the sync account sees in every group what the file says, by the very requests the program relies on."""
        session = story.account.session(self.base, realm.name)
        seen, wanted = {}, {}
        for path in realm.groups:
            for row in session.members(path):
                seen[path, row["username"]] = (
                    row.get("email"), row.get("firstName"), row.get("lastName"), row["enabled"]
                )
            for person in realm.people.values():
                if path in person.groups:
                    wanted[path, person.username] = (
                        person.email, person.first_name, person.last_name, person.enabled
                    )
        self.record.same(f"the sync account sees the memberships of the file ({len(wanted)})", seen, wanted)

        people = {row["username"]: row["id"] for row in session.get("/users?max=-1&briefRepresentation=true")}
        gone = [name for name in story.realm.people if name not in realm.people]
        if gone:
            addresses = [story.realm.people[name].email for name in gone]
            found = [session.get(f"/users?email={address.upper()}&exact=true") for address in addresses]
            self.record.same(f"nobody has the address of {', '.join(gone)}", found, [[]] * len(gone))
        moved = [name for name in realm.people if realm.people[name].groups != story.realm.people[name].groups]
        if moved:
            self.record.same(
                f"the groups of {', '.join(moved)} are those of the file",
                {name: session.groups_of(people[name]) for name in moved},
                {name: sorted(realm.people[name].groups) for name in moved},
            )
        try:
            providers = session.get("/components?type=org.keycloak.storage.UserStorageProvider")
        except Refused as refused:
            providers = refused.status
        self.record.same(
            f"user federation is {'visible' if 'view-realm' in story.account.roles else 'hidden'}",
            providers,
            [] if "view-realm" in story.account.roles else 403,
        )

    def configure(self, name, story, mappings=None):
        file = self.work / f"{name}.yaml"
        url = self.base
        if story.other_prefix:
            url = url.removesuffix("/auth") if url.endswith("/auth") else f"{url}/auth"
        write_configuration(
            file, url, story.realm.name, story.mappings if mappings is None else mappings, self.graph, story.extra
        )
        return file

    def sync(self, turn, story, realm, directory, blocks):
        """Plans, applies and plans again, and compares each time with the file and with what is in the simulated Graph.

        Returns whether it came to its end, which all that follows builds on.
        """
        name = story.realm.name
        expected = expect(realm, story.mappings, directory, story.strangers_may_go)
        arguments = ["--config", self.configure(name, story)]
        variables = {**story.account.variables, **self.graph.variables}
        plan_file = self.work / f"{name}-{turn}.plan.json"
        self.record.turn(f"The {turn} plan of {name}")

        def plan(*flags, file=plan_file):
            run = self.program.run(
                variables, "plan", *arguments, "--out", file, "--detailed-exitcode", *flags
            )
            return run, json.loads(file.read_text(encoding="utf-8")) if file.exists() else None

        flags = []
        if blocks:
            run, document = plan()
            if not self.exits("is blocked", run, 3) or document is None:
                return False
            codes = tuple(sorted({block["code"] for block in document["blocks"]}))
            self.record.same("by the limits that should block it", codes, blocks)
            refused = self.program.run(variables, "apply", plan_file, *arguments)
            self.exits("apply refuses it", refused, 3)
            flags = [word for block in document["blocks"] for word in shlex.split(block["flag"])]
            self.record.note(f"again with {shlex.join(flags)}")

        run, document = plan(*flags)
        if not self.exits("has changes", run, 2 if expected.changes else 0) or document is None:
            return False
        self.compare(document, expected)
        self.check_ids(story, document)

        dry = self.program.run(variables, "apply", plan_file, *arguments, "--dry-run")
        self.exits("dry run", dry, 0)
        self.check_graph("the dry run changed nothing", story, directory)

        report = self.work / f"{name}-{turn}.report.jsonl"
        run = self.program.run(
            variables, "apply", plan_file, *arguments, "--plan-id", document["plan_id"], "--report", report
        )
        if not self.exits("apply", run, 0):
            return False
        carry_out(expected, directory)
        self.check_report("the report says that all is done", report, len(document["changes"]))
        self.check_graph("the simulated Graph holds what the file says", story, directory)

        run, document = plan(file=self.work / f"{name}-{turn}-again.plan.json")
        self.exits("planned again, nothing is left", run, 0)
        if document:
            self.compare(document, expect(realm, story.mappings, directory, story.strangers_may_go))
        return True

    def exits(self, what, run, status):
        said = f"exit {run.status}\n{run.stdout[-1500:]}\n{run.stderr[-1500:]}"
        return self.record.check(f"{what} (exit {status})", run.status == status, said)

    def compare(self, document, expected):
        changes = changes_of(document)
        kinds = {
            kind: sum(change[0] == kind for change in expected.changes)
            for kind in ("invite", "update", "add", "remove")
        }
        totals = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
        self.record.same(f"exactly the changes of the file ({totals})", changes, expected.changes)
        self.record.same(
            "none of them twice, and the summary counts them",
            (len(document["changes"]), {kind: document["summary"][kind] for kind in kinds}),
            (len(changes), kinds),
        )
        invited = [change for change in document["changes"] if change["action"] == "invite"]
        if invited:
            self.record.same(
                "everyone becomes a Member, without mail",
                {(change["set"]["user_type"], change["send_email"]) for change in invited},
                {("Member", False)},
            )

        def is_about(problem, code, names):
            text = f"{problem['subject']} {problem['message']}"
            return problem["code"] == code and any(name in text for name in names)

        missing = {
            f"{code} {names}"
            for code, names in expected.problems
            if not any(is_about(problem, code, names) for problem in document["problems"])
        }
        surplus = {
            f"{problem['code']} {problem['subject']}: {problem['message']}"
            for problem in document["problems"]
            if not any(is_about(problem, code, names) for code, names in expected.problems)
        }
        codes = ", ".join(sorted({code for code, _ in expected.problems})) or "none"
        self.record.check(
            f"exactly the problems of the file ({codes})",
            not surplus | missing,
            listed("not expected", surplus) + listed("missing", missing),
        )

    def check_ids(self, story, document):
        """Checks that the plan names the groups and people by the ids that the server gave them."""
        session = story.account.session(self.base, story.realm.name)
        got = {(group["path"], group["id"]) for entry in document["groups"] for group in entry["keycloak"]}
        wanted = {(mapping.keycloak, session.group(mapping.keycloak)["id"]) for mapping in story.mappings}
        self.record.same("the groups' ids are the server's", got, wanted)
        people = {row["username"]: row["id"] for row in session.get("/users?max=-1&briefRepresentation=true")}
        invited = [change["person"] for change in document["changes"] if change["action"] == "invite"]
        wrong = {person["username"] for person in invited if people.get(person["username"]) != person["id"]}
        if invited:
            self.record.same("the people's ids are the server's", wrong, set())

    def check_report(self, what, report, changes):
        lines = [json.loads(line) for line in report.read_text(encoding="utf-8").splitlines()]
        totals = {name: count for name, count in lines[-1].get("totals", {}).items() if count}
        self.record.same(what, (lines[-1]["type"], totals), ("end", {"done": changes} if changes else {}))

    def check_graph(self, what, story, directory):
        seen, wanted = {}, {}
        for azure in sorted({mapping.azure for mapping in story.mappings}):
            for email, member in self.graph.members(azure).items():
                seen[azure, email] = (
                    member["userType"],
                    member["displayName"],
                    member.get("givenName"),
                    member.get("surname"),
                )
            for email in directory.groups.get(azure, ()):
                names = directory.accounts[email]
                wanted[azure, email] = ("Member", names.display_name, names.given_name, names.surname)
        self.record.same(what, seen, wanted)

    def refuse(self, stories):
        """Checks what cannot work: first how the server answers, then what the program makes of it."""
        self.record.headline("What cannot work")
        by_name = {story.realm.name: story for story in stories}
        long, own = by_name["test"], by_name["acme"]
        roleless = client_account(client=realms.ROLELESS_CLIENT)
        group = own.mappings[0]
        missing = [
            Mapping("/teams/plattform", "kc-platform"),
            Mapping("/TEAMS", "kc-teams"),
            Mapping("/nobody", "kc-core"),
        ]

        def answer(account, realm, path):
            try:
                account.session(self.base, realm).get(path)
            except Refused as refused:
                return refused.status, refused.error()
            return 200, None

        status, error = answer(user_account(password=WRONG_SECRET), long.realm.name, "/groups")
        # 401 up to Keycloak 26.5, 400 since.
        refused = status in (400, 401) and error == "invalid_grant"
        self.record.check("a wrong password is invalid_grant", refused, (status, error))
        status, error = answer(client_account(secret=WRONG_SECRET), own.realm.name, "/groups")
        self.record.same("a wrong secret is unauthorized_client", (status, error), (401, "unauthorized_client"))
        status, _ = answer(roleless, own.realm.name, f"/group-by-path/{group.keycloak[1:]}")
        self.record.same("without roles, a group that exists is 403", status, 403)
        for mapping in missing:
            status, _ = answer(own.account, own.realm.name, f"/group-by-path{mapping.keycloak}")
            self.record.same(f"{mapping.keycloak} is 404", status, 404)
        if not self.program:
            return

        wrong_password, wrong_secret = user_account(password=WRONG_SECRET), client_account(secret=WRONG_SECRET)
        self.fails("a wrong password", long, wrong_password, None, "azure-sync", "Invalid user credentials")
        self.fails("a wrong secret", own, wrong_secret, None, realms.SYNC_CLIENT, "refused the login")
        self.fails("no role", own, roleless, None, "view-users", "403")
        self.fails(
            "missing groups, all at once", own, own.account, [*own.mappings, *missing],
            *(mapping.keycloak for mapping in missing), "does not exist", "/teams/platform",
        )
        self.fails(
            "a missing Azure group", own, own.account, [Mapping("/teams", "kc-no-such-group")],
            "kc-no-such-group", "does not exist",
        )

    def fails(self, what, story, account, mappings, *sentences):
        name = "fails-" + what.replace(" ", "-").replace(",", "")
        file = self.work / f"{name}.plan.json"
        run = self.program.run(
            {**account.variables, **self.graph.variables},
            "plan", "--config", self.configure(name, story, mappings), "--out", file,
        )
        self.exits(what, run, 1)
        unsaid = [sentence for sentence in sentences if sentence not in run.stderr]
        self.record.check(f"{what}: stderr says so", not unsaid, f"does not say {unsaid}:\n{run.stderr}")
        printed = [secret for secret in (WRONG_SECRET, PASSWORD, realms.SYNC_SECRET) if secret in run.stdout + run.stderr]
        self.record.same(f"{what}: no secret is printed", printed, [])
        self.record.check(f"{what}: no plan is written", not file.exists())


def create_account(admin, account):
    """Makes a realm's sync account. In a realm of its own making it comes with the import."""
    if "KEYCLOAK_CLIENT_ID" in account.variables:
        admin_api.create_service_account(admin, realms.service_client(realms.SYNC_CLIENT), *account.roles)
    else:
        admin_api.create_password_account(
            admin, account.variables["KEYCLOAK_USER"], account.variables["KEYCLOAK_PASSWORD"], *account.roles
        )


def wait_until_ready(base, server):
    """Returns the seconds that the server needed, or ends the run."""
    began = time.monotonic()
    while time.monotonic() - began < SERVER_START:
        try:
            os.kill(server, 0)
        except ProcessLookupError:
            sys.exit("the server ended before it was ready")
        try:
            admin_api.exchange("GET", f"{base}/realms/master", timeout=5)
            return time.monotonic() - began
        except (Refused, OSError):
            time.sleep(0.5)
    sys.exit(f"the server was not ready in {SERVER_START} s")


def write_realms(source, target):
    for name in (SHORT_FILE, LONG_FILE):
        shutil.copy(source / name, target / name)
    (target / "own.json").write_text(json.dumps(realms.own()), encoding="utf-8")


def run(options):
    # A shell starts its background jobs with interrupts ignored, and the simulated Graph would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    record = Record()
    seconds = wait_until_ready(options.keycloak, options.server_pid)
    print(f"Keycloak {options.version} on {options.keycloak}, ready after {seconds:.0f} s")
    stories = tell(options.realms)
    graph = None
    try:
        if options.binary:
            groups = sorted({mapping.azure for story in stories for mapping in story.mappings})
            graph = SimulatedGraph(options.binary, options.work, groups)
            print(f"Simulated Graph on {graph.graph_url}, {len(groups)} empty groups")
        scenario = Scenario(options.keycloak, record, options.binary, options.work, graph)
        for story in stories:
            with record.guarded(f"the story of {story.realm.name} was told to its end"):
                scenario.tell(story)
        with record.guarded("what cannot work was tried"):
            scenario.refuse(stories)
    finally:
        if graph:
            graph.stop()
    print(f"\n{record.passed} passed, {record.failed} failed")
    return 1 if record.failed else 0


def main():
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(required=True, dest="command")
    prepare = commands.add_parser("write-realms")
    prepare.add_argument("source", type=Path)
    prepare.add_argument("target", type=Path)
    tell_all = commands.add_parser("run")
    tell_all.add_argument("--keycloak", required=True)
    tell_all.add_argument("--server-pid", type=int, required=True)
    tell_all.add_argument("--version", required=True)
    tell_all.add_argument("--realms", type=Path, required=True)
    tell_all.add_argument("--work", type=Path, required=True)
    tell_all.add_argument("--binary")
    options = parser.parse_args()
    if options.command == "write-realms":
        write_realms(options.source, options.target)
        return 0
    return run(options)


if __name__ == "__main__":
    sys.exit(main())
