"""A token that runs out while the program reads: a relay in front of Keycloak keeps a request until its token is dead."""

import http.client
import threading
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from keycloak_admin import administrator

# What the tokens of master live, and those of many a realm that somebody has hardened.
LIFE = 60
# Keycloak counts in whole seconds.
KEPT = LIFE + 1.5


class Relay:
    """Passes everything on to Keycloak, keeps the first request for the members of a group, and writes down what it saw."""

    def __init__(self, keycloak):
        self.target = urllib.parse.urlsplit(keycloak)
        # The grant of each login, and the status of each answer of the admin API.
        self.grants = []
        self.statuses = []
        self.first_members = threading.Lock()
        relay = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def pass_on(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                relay.keep(self.path)
                answer, text = relay.ask(self.command, self.path, self.headers, body)
                relay.write_down(self.path, body, answer.status)
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = pass_on

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}{self.target.path}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def keep(self, path):
        if "/members?" in path and self.first_members.acquire(blocking=False):
            time.sleep(KEPT)

    def ask(self, method, path, headers, body):
        """The host stays the relay's: it is part of what a token is good for."""
        connection = http.client.HTTPConnection(self.target.hostname, self.target.port, timeout=60)
        try:
            connection.request(method, path, body, dict(headers.items()))
            answer = connection.getresponse()
            return answer, answer.read()
        finally:
            connection.close()

    def write_down(self, path, body, status):
        if path.endswith("/token"):
            form = urllib.parse.parse_qs(body.decode())
            self.grants += form["grant_type"]
        elif "/admin/" in path:
            self.statuses.append(status)


@contextmanager
def short_lives(scenario, story):
    """Lets the tokens of a realm live for `LIFE`."""
    admin = administrator(scenario.base, story.realm.name)
    realm = admin.get("")
    admin.call("PUT", "", {**realm, "accessTokenLifespan": LIFE})
    try:
        yield
    finally:
        admin.call("PUT", "", realm)


def plan(scenario, story):
    """Returns a run of `plan` whose token runs out, and the relay that saw it."""
    with short_lives(scenario, story), Relay(scenario.base) as relay:
        name = f"{story.realm.name}-renewal"
        run = scenario.program.run(
            {**story.account.variables, **scenario.graph.variables},
            "plan", "--config", scenario.configure(name, story, url=relay.url),
            "--out", scenario.work / f"{name}.plan.json", "--detailed-exitcode",
        )
        return run, relay


def check(scenario, stories):
    """Checks that plans come out the same although their tokens run out: all at the same time, because it takes so long."""
    record = scenario.record
    with ThreadPoolExecutor(len(stories)) as pool:
        outcomes = [pool.submit(plan, scenario, story) for story in stories]
    for story, outcome in zip(stories, outcomes):
        name = story.realm.name
        with record.guarded(f"the token of {name} ran out"):
            run, relay = outcome.result()
            by_password = "KEYCLOAK_USER" in story.account.variables
            # Only a login by password has something to renew it with.
            grants = ["password", "refresh_token"] if by_password else ["client_credentials"] * 2
            scenario.exits(f"the plan of {name} says that nothing is left", run, 0)
            record.check(f"{name}: Keycloak refused the token that had run out", 401 in relay.statuses, relay.statuses)
            record.check(f"{name}: the program went on with {' and '.join(grants)}", relay.grants[:2] == grants, relay.grants)
