"""What cannot work, and what the program makes of it. How the server answers is in `answers.py`."""

from dataclasses import replace

import answers
import realms
from keycloak_admin import administrator
from reference import Mapping
from stories import PASSWORD, Story, client_account, user_account

WRONG_SECRET = "Not-The-Secret-1"
SECRETS = (WRONG_SECRET, PASSWORD, answers.PASSWORD, realms.SYNC_SECRET, answers.SECRET)
AZURE = "kc-answers"


class Refusals:
    def __init__(self, scenario, own, version):
        self.scenario = scenario
        self.record = scenario.record
        self.own = own
        self.version = version
        self.answers = Story(
            realm=realms.parse(answers.document()),
            account=client_account("view-users", client="sync", secret=answers.SECRET),
            mappings=[Mapping("/group1", AZURE)],
            events=[],
        )

    def try_all(self):
        self.try_logins()
        self.try_mappings()

    def try_logins(self):
        """Everything that keeps the sync account out."""
        powerless = client_account(client="powerless", secret=answers.SECRET)
        self.fails("a wrong password", self.user("azure-sync", WRONG_SECRET), "azure-sync", "Invalid user credentials")
        self.fails("an unknown user", self.user("nobody"), "nobody", "Invalid user credentials")
        self.fails(
            "a wrong secret", self.client("sync", WRONG_SECRET), "refused the login of service account sync", "KEYCLOAK_CLIENT_SECRET"
        )
        self.fails("an unknown client", self.client("nobody"), "client nobody", "does not exist in realm answers")
        self.fails("no role", powerless, "view-users", "403")
        self.fails("a disabled account", self.user("switched-off"), "switched-off", "Account disabled", "Enable")
        self.fails("a password to be changed", self.user("temporary"), "not fully set up", "needs an e-mail address")
        incomplete = self.user("nameless")
        if answers.as_numbers(self.version) < (24,):
            self.works("an account without names", incomplete)
        else:
            self.fails("an account without names", incomplete, "not fully set up", "needs an e-mail address")
        self.fails_without_grants()
        self.fails(
            "a missing realm", self.client("sync"), "realm nowhere does not exist",
            story=replace(self.answers, realm=replace(self.answers.realm, name="nowhere")),
        )

    def fails_without_grants(self):
        admin = administrator(self.scenario.base, answers.REALM)
        client = admin.get("/clients?clientId=admin-cli")[0]
        path = f"/clients/{client['id']}"
        admin.call("PUT", path, {**client, "directAccessGrantsEnabled": False})
        try:
            self.fails(
                "direct access grants off", self.user("azure-sync"), "Client not allowed for direct access grants",
                "admin-cli", "KEYCLOAK_CLIENT_ID",
            )
        finally:
            admin.call("PUT", path, {**client, "directAccessGrantsEnabled": True})

    def try_mappings(self):
        """Groups that do not exist on one of the two sides."""
        missing = [
            Mapping("/teams/plattform", "kc-platform"),
            Mapping("/TEAMS", "kc-teams"),
            Mapping("/nobody", "kc-core"),
        ]
        self.fails(
            "missing groups, all at once", self.own.account,
            *(mapping.keycloak for mapping in missing), "does not exist", "/teams/platform",
            story=replace(self.own, mappings=[*self.own.mappings, *missing]),
        )
        self.fails(
            "a missing Azure group", self.own.account, "kc-no-such-group", "does not exist",
            story=replace(self.own, mappings=[Mapping("/teams", "kc-no-such-group")]),
        )

    def user(self, username, password=answers.PASSWORD):
        return user_account("view-users", username=username, password=password)

    def client(self, client, secret=answers.SECRET):
        return client_account("view-users", client=client, secret=secret)

    def plan(self, what, account, story):
        name = "refusal-" + what.replace(" ", "-").replace(",", "")
        file = self.scenario.work / f"{name}.plan.json"
        run = self.scenario.program.run(
            {**account.variables, **self.scenario.graph.variables},
            "plan", "--config", self.scenario.configure(name, story), "--out", file,
        )
        printed = [secret for secret in SECRETS if secret in run.stdout + run.stderr]
        self.record.same(f"{what}: no secret is printed", printed, [])
        return run, file

    def works(self, what, account):
        run, file = self.plan(what, account, self.answers)
        self.scenario.exits(f"{what} is enough for this version", run, 0)
        self.record.check(f"{what}: a plan is written", file.exists())

    def fails(self, what, account, *sentences, story=None):
        run, file = self.plan(what, account, story or self.answers)
        self.scenario.exits(what, run, 1)
        unsaid = [sentence for sentence in sentences if sentence not in run.stderr]
        self.record.check(f"{what}: stderr says so", not unsaid, f"does not say {unsaid}:\n{run.stderr}")
        for line in run.stderr.splitlines():
            self.record.note(line)
        self.record.check(f"{what}: no plan is written", not file.exists())
