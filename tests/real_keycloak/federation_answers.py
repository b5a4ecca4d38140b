"""How Keycloak answers about people from LDAP while LDAP is in trouble: a table that real and simulated servers are held to.

Seen on 21.1.2, 24.0.5 and 26.7.4 with OpenLDAP. What changed between two versions is in the column of the first one seen with it.

Each row holds four answers, in this order, about three people of `/staff`, which has six from LDAP and one of the realm:

- a person by id: `on` or `off`;
- the groups of another one by id: their paths, or `[]`;
- a third one by address: `on`, `off` or `none`;
- the members: how many are from LDAP, with `off` if all of them are disabled.

Or one of `ERRORS`; `[1]` before it is an array of one row that the error follows.
"""

import json

from answers import OLDEST, SAYS_NOTHING, column, described
from keycloak_admin import Refused, quote

VERSIONS = [OLDEST, "24.0.5", "26.7.4"]
STAFF = ["ann", "bob", "cyd", "dan", "eve", "fay"]
LOCAL = "lola"
# Whom the questions are about: one each, because an answer may change what is cached.
BY_ID, BY_GROUPS, BY_ADDRESS = ASKED_ABOUT = STAFF[:3]

# What the server has cached when a state begins: nothing, people without their groups, or both.
CACHES = ["cold", "people", "warm"]

ERRORS = {
    "missing": described(404, "User not found"),
    "failed": {
        OLDEST: (500, "unknown_error"),
        "24.0.5": (500, "unknown_error", SAYS_NOTHING),
        "26.7.4": (500, "unknown_error", "For more on this error consult the server log."),
    },
    "broken": {OLDEST: (400, "unknown_error"), "24.0.5": (400, "unknown_error", SAYS_NOTHING)},
    "unparsed": {"26.7.4": (400, "unknown_error", "Cannot parse the JSON")},
}

WELL = "on /staff on 6"


def always(answers):
    return {OLDEST: answers}


def copied_groups(answers, imported):
    """The answers where memberships stay in LDAP, and where they are copied."""
    return {"ro": answers, "ni": answers, "imp": imported}


def fails(searching, members, imported):
    """The three forms where a person and their groups are errors too."""
    return copied_groups(f"failed failed {searching} {members}", f"failed failed {searching} {imported}")


def by_version(oldest, since_24, since_26):
    return {
        form: {OLDEST: oldest[form], "24.0.5": since_24[form], "26.7.4": since_26[form]} for form in ("ro", "ni", "imp")
    }


def in_all_versions(forms):
    return {form: always(answers) for form, answers in forms.items()}


LOCKED_OUT = by_version(
    fails("[0]broken", "[1]broken", "[0]broken"),
    fails("broken", "broken", "broken"),
    {"ro": "off [] unparsed 0", "ni": "failed failed unparsed 0", "imp": "off /staff unparsed 6off"},
)
ALL_WELL = in_all_versions(copied_groups(WELL, WELL))


def old_outage(person, groups):
    """Versions that say it: what is cached is all that hides it."""
    return (
        copied_groups(f"{person} {groups} [0]broken [1]broken", f"{person} {groups} [0]broken [0]broken"),
        copied_groups(f"{person} {groups} broken broken", f"{person} {groups} broken broken"),
    )


# By what is cached. A change of settings empties the cache of the whole realm.
DURING = {
    "healthy": dict.fromkeys(CACHES, ALL_WELL),
    "stopped": {
        "cold": by_version(
            *old_outage("failed", "failed"),
            {"ro": "off [] off 0", "ni": "failed failed none 0", "imp": "off /staff off 6off"},
        ),
        "people": by_version(
            *old_outage("on", "failed"),
            {"ro": "on [] on 0", "ni": "on failed none 0", "imp": "on /staff on 6off"},
        ),
        "warm": by_version(
            *old_outage("on", "/staff"),
            {"ro": "on /staff on 0", "ni": "on /staff none 0", "imp": "on /staff on 6off"},
        ),
    },
    # Before 26 nothing comes for minutes.
    "frozen": {
        "cold": {form: {"26.7.4": answers["26.7.4"]} for form, answers in LOCKED_OUT.items()},
        "people": {
            "ro": {"26.7.4": "on [] unparsed 0"},
            "ni": {"26.7.4": "on failed unparsed 0"},
            "imp": {"26.7.4": "on /staff unparsed 6off"},
        },
        "warm": {
            "ro": {"26.7.4": "on /staff unparsed 0"},
            "ni": {"26.7.4": "on /staff unparsed 0"},
            "imp": {"26.7.4": "on /staff unparsed 6off"},
        },
    },
    "disabled": dict.fromkeys(
        CACHES,
        in_all_versions({"ro": "off [] off 0", "ni": "missing missing none 0", "imp": "off /staff off 6off"}),
    ),
    "wrong password": dict.fromkeys(CACHES, LOCKED_OUT),
    "base does not exist": dict.fromkeys(
        CACHES,
        by_version(
            fails("[0]broken", "0", "[0]broken"),
            fails("broken", "0", "broken"),
            {form: answers["26.7.4"] for form, answers in LOCKED_OUT.items()},
        ),
    ),
    "base exists, and is wrong": dict.fromkeys(
        CACHES, in_all_versions(copied_groups("missing missing none 0", "missing missing none 0"))
    ),
    "base of the groups is wrong": dict.fromkeys(CACHES, in_all_versions(copied_groups("on [] on 0", WELL))),
    "deleted": {
        "cold": in_all_versions(copied_groups("missing missing none 3", "missing missing none 3")),
        # Since 26 a search believes the cache, where it has a copy.
        "people": by_version(
            *[copied_groups("on [] none 3", "on [] none 3")] * 2,
            {"ro": "on [] on 3", "ni": "on [] none 3", "imp": "on [] on 3"},
        ),
        "warm": by_version(
            *[copied_groups("on /staff none 3", "on /staff none 3")] * 2,
            {"ro": "on /staff on 3", "ni": "on /staff none 3", "imp": "on /staff on 3"},
        ),
    },
    "left": {
        "cold": in_all_versions(copied_groups("on [] on 3", WELL)),
        "people": in_all_versions(copied_groups("on [] on 3", WELL)),
        "warm": in_all_versions(copied_groups("on /staff on 3", WELL)),
    },
}

# Asked again as soon as the state has ended; where nothing is said, all is well. Copies that were deleted come back under new ids, by
# a search, or by the list where the memberships are in LDAP. Who is made again in LDAP is somebody else, which the table leaves out.
AFTER = {
    **dict.fromkeys(
        ["stopped", "frozen"], {"people": {**ALL_WELL, "ro": {OLDEST: WELL, "26.7.4": "on [] on 6"}}}
    ),
    "base exists, and is wrong": dict.fromkeys(
        CACHES, in_all_versions({"ro": "missing missing on 6", "ni": WELL, "imp": "missing missing on 1"})
    ),
    "left": dict.fromkeys(["cold", "people"], in_all_versions(copied_groups("on [] on 6", WELL))),
    "deleted": None,
}

# Which of `federationLink` and `origin` the rows of people from LDAP have: in a person, in brief lists, and in full ones.
MARKS = {
    **dict.fromkeys(
        ["ro", "imp"], {OLDEST: ("federationLink",) * 3, "26.7.4": ("federationLink origin",) * 3}
    ),
    "ni": {OLDEST: ("origin", "", "origin"), "26.7.4": ("federationLink origin",) * 3},
}


def turns(version):
    """Yields the states and caches that the table has for a version."""
    for state, by_caches in DURING.items():
        for caches in CACHES:
            if column(by_caches[caches]["ro"], version) is not None:
                yield state, caches


def after(state, caches):
    """Returns the part of the table about the time after a state, or None if there is none."""
    entry = AFTER.get(state, {})
    return entry if entry is None else entry.get(caches, ALL_WELL)


class Look:
    """Asks a realm the four questions, by the ids that people and groups had when all was well."""

    def __init__(self, session, version):
        self.session = session
        self.version = version
        self.group = session.group("/staff")["id"]
        self.ids = {row["username"]: row["id"] for row in session.members("/staff")}

    def person(self, name):
        return f"/users/{quote(self.ids[name])}"

    def groups(self, name):
        return f"{self.person(name)}/groups?briefRepresentation=true"

    def remember(self, caches):
        """Lets the server cache everybody from LDAP as it is to have them."""
        paths = []
        if caches != "cold":
            paths += map(self.person, STAFF)
        if caches == "warm":
            paths += map(self.groups, STAFF)
        # What is read while the server ends an earlier request for the same people may not be kept (24.0.5).
        for path in paths * 2:
            self.session.get(path)

    def members(self, brief=True):
        return f"/groups/{quote(self.group)}/members?first=0&max=-1&briefRepresentation={str(brief).lower()}"

    def by_address(self, brief=True):
        brief = str(brief).lower()
        return f"/users?email={BY_ADDRESS}%40kc.example&exact=true&first=0&max=100&briefRepresentation={brief}"

    def answers(self):
        def on(row):
            return "on" if row["enabled"] else "off"

        def members(rows):
            linked = [row for row in rows if row["username"] != LOCAL]
            off = "off" if linked and not any(row["enabled"] for row in linked) else ""
            return f"{len(linked)}{off}" if len(linked) < len(rows) else f"{len(linked)}{off}, without {LOCAL}"

        return " ".join(
            [
                self.ask(self.person(BY_ID), on),
                self.ask(self.groups(BY_GROUPS), lambda groups: ",".join(group["path"] for group in groups) or "[]"),
                self.ask(self.by_address(), lambda rows: ",".join(map(on, rows)) or "none"),
                self.ask(self.members(), members),
            ]
        )

    def ask(self, path, of):
        try:
            return of(self.session.get(path))
        except Refused as refused:
            return self.error(refused)

    def error(self, refused):
        """Returns the name of an error, with what stands before it, or all of it if it has no name."""
        rows, text = "", refused.body
        if text.startswith("["):
            before, end = json.JSONDecoder().raw_decode(text)
            rows, text = f"[{len(before)}]", text[end:]
        try:
            body = json.loads(text)
        except ValueError:
            return f"{refused.status}:{refused.body}"
        said = (body.get("error"), body.get("error_description"))
        got = (refused.status, *(part for part in said if part is not None))
        for name, answers in ERRORS.items():
            if column(answers, self.version) == got:
                return rows + name
        return rows + repr(got)

    def marks(self):
        def of(*rows):
            marks = (" ".join(name for name in ("federationLink", "origin") if name in row) for row in rows if row["username"] != LOCAL)
            return " or ".join(sorted(set(marks)))

        lists = (
            of(*self.session.get(self.members(brief)), *self.session.get(self.by_address(brief))) for brief in (True, False)
        )
        return (of(self.session.get(self.person(BY_ID))), *lists)


def check_marks(record, look, form):
    wanted = column(MARKS[form], look.version)
    shown = ", ".join(f"{where}: {marks or 'nothing'}" for where, marks in zip(("a person", "brief lists", "full lists"), wanted))
    record.same(f"{form}: {shown}", look.marks(), wanted)


def check_row(record, state, caches, form, version, during, afterwards):
    """Checks the answers in a state and after it."""
    what = f"{state}, {caches}, {form}"
    wanted = column(DURING[state][caches][form], version)
    record.same(f"{what}: {wanted}", during, wanted)
    table = after(state, caches)
    if table is not None:
        wanted = column(table[form], version)
        record.same(f"{what}, and after it: {wanted}", afterwards, wanted)
