"""The program under test, and the simulated Graph that it brings along: the only place that knows their command lines."""

import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.parse
from dataclasses import dataclass
from pathlib import Path

from keycloak_admin import exchange
from reference import Names

# The largest apply takes a minute or two; whatever takes this long hangs.
LONGEST_RUN = 300
SANDBOX_START = 30


@dataclass
class Run:
    """One run of the program."""

    status: int
    stdout: str
    stderr: str


class Program:
    """The binary, run in a folder of its own with nothing of this process's environment but PATH and HOME."""

    def __init__(self, binary, folder):
        self.binary = binary
        self.folder = folder

    def run(self, variables, *arguments):
        done = subprocess.run(
            [self.binary, *map(str, arguments)],
            cwd=self.folder,
            env={**bare_environment(), **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=LONGEST_RUN,
        )
        return Run(done.returncode, done.stdout, done.stderr)


def bare_environment():
    return {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}


class SimulatedServices:
    """`keycloak-to-azure sandbox`, serving until it is stopped, with an empty Azure group for every name."""

    def __init__(self, binary, folder, groups=(), flags=()):
        self.folder = folder
        self.output = folder / "sandbox.out"
        addresses = [f"127.0.0.1:{free_port()}" for _ in range(2)]
        self.keycloak = addresses[0]
        self.command = [binary, "sandbox", "--keycloak", addresses[0], "--graph", addresses[1], *flags]
        for group in groups:
            self.command += ["--azure-group", group]
        self.start()

    def start(self):
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                self.command, cwd=self.folder, env=bare_environment(), stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        self.variables, self.login_url, self.graph_url = self.wait_for_addresses()
        self.token = None

    def change(self, edit):
        """Changes the two directories in ways that no request can: `edit` gets what the state file holds of them."""
        self.stop()
        state = self.folder / "keycloak_to_azure.sandbox.json"
        document = json.loads(state.read_text(encoding="utf-8"))
        edit(document["world"])
        state.write_text(json.dumps(document), encoding="utf-8")
        self.start()

    def wait_for_addresses(self):
        deadline = time.monotonic() + SANDBOX_START
        while time.monotonic() < deadline:
            text = self.output.read_text(encoding="utf-8")
            if self.process.poll() is not None:
                raise RuntimeError(f"the sandbox ended with {self.process.returncode}: {text}")
            found = read_addresses(text)
            if found:
                return found
            time.sleep(0.1)
        raise RuntimeError(f"the sandbox printed no addresses in {SANDBOX_START} s: {text!r}")

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def get(self, url):
        if self.token is None:
            form = {
                "grant_type": "client_credentials",
                "client_id": self.variables["AZURE_CLIENT_ID"],
                "client_secret": self.variables["AZURE_CLIENT_SECRET"],
                "scope": f"{self.graph_url}/.default",
            }
            self.token = exchange(
                "POST",
                f"{self.login_url}/{self.variables['AZURE_TENANT_ID']}/oauth2/v2.0/token",
                {"Content-Type": "application/x-www-form-urlencoded"},
                urllib.parse.urlencode(form).encode(),
            )["access_token"]
        return exchange("GET", url, {"Authorization": f"Bearer {self.token}"})

    def pages(self, path, **query):
        url = f"{self.graph_url}/v1.0{path}?{urllib.parse.urlencode(query, quote_via=urllib.parse.quote)}"
        while url:
            page = self.get(url)
            yield from page["value"]
            url = page.get("@odata.nextLink")

    def members(self, group):
        """Returns the members of a group by address."""
        name = group.replace("'", "''")
        (found,) = self.pages("/groups", **{"$filter": f"displayName eq '{name}'", "$select": "id,displayName"})
        fields = "id,mail,userType,displayName,givenName,surname"
        return {
            member["mail"].lower(): member
            for member in self.pages(f"/groups/{found['id']}/members", **{"$select": fields, "$top": "999"})
        }


def read_addresses(text):
    """Returns the sandbox's environment variables, login URL and Graph URL, or None if it has not printed them all yet."""
    variables = dict(re.findall(r"^export (\w+)=['\"]?([^'\"\n]*)", text, re.MULTILINE))
    urls = dict(re.findall(r"^# (azure_login_url|azure_graph_url): (\S+)", text, re.MULTILINE))
    azure = {name: value for name, value in variables.items() if name.startswith("AZURE_")}
    if {"AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"} <= azure.keys() and len(urls) == 2:
        return azure, urls["azure_login_url"].rstrip("/"), urls["azure_graph_url"].rstrip("/")
    return None


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def write_configuration(file, keycloak_url, realm, mappings, graph, extra):
    """Writes a configuration, with groups at the top level by name alone. JSON strings are YAML strings, whatever is in them."""
    lines = [
        f"keycloak_url: {json.dumps(keycloak_url)}",
        f"keycloak_realm: {json.dumps(realm)}",
        f"azure_login_url: {json.dumps(graph.login_url)}",
        f"azure_graph_url: {json.dumps(graph.graph_url)}",
        *extra,
        "groups:",
    ]
    for mapping in mappings:
        group = mapping.keycloak[1:] if mapping.keycloak.count("/") == 1 else mapping.keycloak
        lines += [
            f"  - keycloak: {json.dumps(group, ensure_ascii=False)}",
            f"    azure: {json.dumps(mapping.azure, ensure_ascii=False)}",
        ]
        if mapping.subgroups:
            lines.append("    subgroups: true")
        if mapping.allow_empty:
            lines.append("    allow_empty: true")
    Path(file).write_text("\n".join(lines) + "\n", encoding="utf-8")


def changes_of(plan):
    """Returns a plan's changes as the reference writes them."""
    changes = set()
    for change in plan["changes"]:
        match change["action"]:
            case "invite":
                given = change["set"]
                names = Names(given["display_name"], given["given_name"], given["surname"])
                changes.add(("invite", change["email"], change["person"]["username"], names))
            case "update":
                fields = {(name, field["before"], field["after"]) for name, field in change["fields"].items()}
                changes.add(("update", change["account"]["email"], tuple(sorted(fields))))
            case "add":
                because = tuple(sorted(change["because"]))
                changes.add(("add", change["group"]["name"], change["account"]["email"], because))
            case "remove":
                changes.add(("remove", change["group"]["name"], change["account"]["email"], change["because"]))
            case other:
                changes.add((other, json.dumps(change, sort_keys=True)))
    return changes
