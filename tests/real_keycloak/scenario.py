"""Tells each realm its story: read it, apply it, change it, apply the change. Then come a token that runs out and what cannot work.

`write-realms` prepares what the server imports; `run` does the rest against the running server.
"""

import argparse
import json
import shlex
import shutil
import signal
import sys
from dataclasses import replace
from pathlib import Path

import answers
import keycloak_admin as admin_api
import realms
import renewal
from keycloak_admin import Refused
from program import Program, SimulatedServices, changes_of, write_configuration
from record import Record, listed
from reference import Directory, Mapping, carry_out, expect
from refusals import AZURE, Refusals
from stories import LONG_FILE, SHORT_FILE, tell

# The Azure group that only a late mapping names.
MANY_AZURE = "kc-many"


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
        if "/crowd" in story.realm.groups:
            admin_api.add_people(admin, realms.crowd())
        else:
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

        if went_on and "/many" in story.realm.groups:
            self.sync_many(admin, story, changed, directory)

    def sync_many(self, admin, story, realm, directory):
        """Fills a group that was empty, and brings everybody in it over.

        At the pace that Graph allows for invitations, which the crowd came at, that would take three minutes.
        """
        self.record.turn(f"{realms.MANY} people join /many, which now feeds {MANY_AZURE}")
        arrivals = realms.many()
        admin_api.add_people(admin, arrivals)
        realm = realm.copy()
        realm.people.update(realms.people_of(arrivals))
        story = replace(story, mappings=[*story.mappings, Mapping("/many", MANY_AZURE)])
        self.graph.change(lift_quotas)
        self.sync("many", story, realm, directory, ("too_many_invitations",))

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

    def configure(self, name, story, url=None):
        file = self.work / f"{name}.yaml"
        if url is None:
            url = self.base
            if story.other_prefix:
                url = url.removesuffix("/auth") if url.endswith("/auth") else f"{url}/auth"
        write_configuration(file, url, story.realm.name, story.mappings, self.graph, story.extra)
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


def create_account(admin, account):
    """Makes a realm's sync account. In a realm of its own making it comes with the import."""
    if "KEYCLOAK_CLIENT_ID" in account.variables:
        admin_api.create_service_account(admin, realms.service_client(realms.SYNC_CLIENT), *account.roles)
    else:
        admin_api.create_password_account(
            admin, account.variables["KEYCLOAK_USER"], account.variables["KEYCLOAK_PASSWORD"], *account.roles
        )


def lift_quotas(world):
    world["entra"]["behaviour"]["quotas"]["enabled"] = False


def write_realms(source, target):
    for name in (SHORT_FILE, LONG_FILE):
        shutil.copy(source / name, target / name)
    for document in (realms.own(), answers.document()):
        (target / f"{document['realm']}.json").write_text(json.dumps(document), encoding="utf-8")


def run(options):
    # A shell starts its background jobs with interrupts ignored, and the simulated Graph would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    record = Record()
    seconds = admin_api.wait_until_ready(options.keycloak, options.server_pid)
    print(f"Keycloak {options.version} on {options.keycloak}, ready after {seconds:.0f} s", flush=True)
    record.headline("The server answers as this version did")
    answers.check(record, options.keycloak, options.relative_path, options.version)
    stories = tell(options.realms)
    graph = None
    try:
        if options.binary:
            groups = sorted({AZURE, MANY_AZURE} | {mapping.azure for story in stories for mapping in story.mappings})
            graph = SimulatedServices(options.binary, options.work, groups)
            print(f"Simulated Graph on {graph.graph_url}, {len(groups)} empty groups")
        scenario = Scenario(options.keycloak, record, options.binary, options.work, graph)
        for story in stories:
            with record.guarded(f"the story of {story.realm.name} was told to its end"):
                scenario.tell(story)
        if scenario.program:
            record.headline(f"A token that lives {renewal.LIFE} s and runs out")
            renewal.check(scenario, stories)
            record.headline("What cannot work")
            with record.guarded("what cannot work was tried"):
                Refusals(scenario, stories[-1], options.version).try_all()
    finally:
        if graph:
            graph.stop()
    below = f" below {options.relative_path}" if options.relative_path else ""
    print(
        f"\nKeycloak {options.version}{below}: {record.passed} passed, {record.failed} failed, "
        f"{record.seconds():.0f} s and {seconds:.0f} s until it was ready"
    )
    return 1 if record.failed else 0


def main():
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(required=True, dest="command")
    prepare = commands.add_parser("write-realms")
    prepare.add_argument("source", type=Path)
    prepare.add_argument("target", type=Path)
    tell_all = commands.add_parser("run")
    tell_all.add_argument("--keycloak", required=True)
    tell_all.add_argument("--relative-path", required=True)
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
