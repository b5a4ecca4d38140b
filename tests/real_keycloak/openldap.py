"""An OpenLDAP server on loopback with a small company in it, which can be stopped, frozen and changed."""

import signal
import socket
import subprocess
import time

from program import free_port

START = 30
SUFFIX = "dc=acme,dc=example"
PEOPLE = f"ou=people,{SUFFIX}"
GROUPS = f"ou=groups,{SUFFIX}"
# Exists, and nobody is in it.
ELSEWHERE = f"ou=elsewhere,{SUFFIX}"
ADMIN = f"cn=admin,{SUFFIX}"
PASSWORD = "Open-LDAP-1"

CONFIGURATION = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {folder}/slapd.pid
database mdb
suffix "{suffix}"
rootdn "{admin}"
rootpw {password}
directory {folder}
maxsize 10485760
"""


class OpenLdap:
    def __init__(self, folder, people, groups):
        self.folder = folder
        self.port = free_port()
        self.url = f"ldap://127.0.0.1:{self.port}"
        self.process = None
        folder.mkdir()
        self.configuration = folder / "slapd.conf"
        self.configuration.write_text(
            CONFIGURATION.format(folder=folder, suffix=SUFFIX, admin=ADMIN, password=PASSWORD), encoding="utf-8"
        )
        self.start()
        self.change("ldapadd", company(people, groups))

    def start(self):
        with (self.folder / "slapd.log").open("ab") as log:
            # With a debug level it stays in the foreground.
            self.process = subprocess.Popen(
                ["slapd", "-h", self.url, "-f", self.configuration, "-d", "0"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )
        deadline = time.monotonic() + START
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.1)
        log = (self.folder / "slapd.log").read_text(encoding="utf-8", errors="replace")
        raise RuntimeError(f"slapd did not start: {log}")

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            self.process.wait(30)

    def freeze(self):
        """It goes on accepting connections, which the kernel does for it, and answers nothing."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def change(self, tool, text):
        done = subprocess.run(
            [tool, "-x", "-H", self.url, "-D", ADMIN, "-w", PASSWORD],
            input=text, capture_output=True, text=True, timeout=30,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{tool}: {done.stderr}")

    def delete_person(self, uid, groups):
        changes = [f"dn: uid={uid},{PEOPLE}\nchangetype: delete\n"]
        changes += [membership("delete", uid, group) for group in groups]
        self.change("ldapmodify", "\n".join(changes))

    def add_person(self, uid, groups):
        self.change("ldapadd", person(uid))
        self.change("ldapmodify", "\n".join(membership("add", uid, group) for group in groups))

    def leave(self, uid, group):
        self.change("ldapmodify", membership("delete", uid, group))

    def join(self, uid, group):
        self.change("ldapmodify", membership("add", uid, group))


def membership(what, uid, group):
    return f"dn: cn={group},{GROUPS}\nchangetype: modify\n{what}: member\nmember: uid={uid},{PEOPLE}\n"


def person(uid):
    name = uid.title()
    return (
        f"dn: uid={uid},{PEOPLE}\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {name}\nsn: Ldap\ngivenName: {name}\n"
        f"mail: {uid}@kc.example\n"
    )


def company(people, groups):
    """Returns the directory as LDIF; groups are names with the people in them."""
    entries = [f"dn: {SUFFIX}\nobjectClass: dcObject\nobjectClass: organization\ndc: acme\no: Acme\n"]
    for unit in (PEOPLE, GROUPS, ELSEWHERE):
        name = unit.split(",")[0].removeprefix("ou=")
        entries.append(f"dn: {unit}\nobjectClass: organizationalUnit\nou: {name}\n")
    entries += [person(uid) for uid in people]
    for name, members in groups.items():
        listed = "".join(f"member: uid={uid},{PEOPLE}\n" for uid in members)
        entries.append(f"dn: cn={name},{GROUPS}\nobjectClass: groupOfNames\ncn: {name}\n{listed}")
    return "\n".join(entries)
