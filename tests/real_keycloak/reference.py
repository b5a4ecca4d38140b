"""What a plan has to hold, worked out a second time and in the simplest way, from a realm file and what was applied before.

It covers what the realms of this test need and nothing more. It shares no code with the program, on purpose.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Mapping:
    keycloak: str
    azure: str
    subgroups: bool = False
    allow_empty: bool = False

    def covers(self, path):
        return path == self.keycloak or (self.subgroups and path.startswith(self.keycloak + "/"))


@dataclass(frozen=True)
class Names:
    """The names of an account; None where they are left to Entra."""

    display_name: str | None
    given_name: str | None
    surname: str | None


@dataclass
class Directory:
    """The accounts and group memberships that earlier applies made."""

    accounts: dict = field(default_factory=dict)
    groups: dict = field(default_factory=dict)


@dataclass
class Expected:
    """The changes as tuples that sort, and each problem as its code and the names by which it may call its subject."""

    changes: set = field(default_factory=set)
    problems: list = field(default_factory=list)


def names_of(person):
    parts = [part for part in (person.first_name, person.last_name) if part]
    return Names(
        display_name=" ".join(parts) or None,
        # Entra takes no more than 64 characters for these two.
        given_name=person.first_name if person.first_name and len(person.first_name) <= 64 else None,
        surname=person.last_name if person.last_name and len(person.last_name) <= 64 else None,
    )


def expect(realm, mappings, directory, strangers_may_go=True):
    """Returns the plan for a realm. `strangers_may_go` says whether the realm's federation is known to the program."""
    expected = Expected()
    counted = {
        person.username: person
        for person in realm.people.values()
        if person.enabled
        and not person.is_service_account
        and any(mapping.covers(path) for mapping in mappings for path in person.groups)
    }
    addresses = [person.email for person in counted.values()]
    usable = {}
    untouchable = set()
    for person in counted.values():
        if person.email is None:
            expected.problems.append(("no_email", {person.username}))
        elif addresses.count(person.email) > 1:
            expected.problems.append(("duplicate_email", {person.email}))
            untouchable.add(person.email)
        elif not is_accepted_by_entra(person.email):
            expected.problems.append(("invalid_email", {person.email}))
        else:
            usable[person.email] = person
            if any(name and len(name) > 64 for name in (person.first_name, person.last_name)):
                expected.problems.append(("name_too_long", {person.username, person.email}))

    for email, person in usable.items():
        names = names_of(person)
        known = directory.accounts.get(email)
        if known is None:
            expected.changes.add(("invite", email, person.username, names))
        else:
            fields = {
                (name, getattr(known, name), getattr(names, name))
                for name in ("display_name", "given_name", "surname")
                if getattr(names, name) not in (None, getattr(known, name))
            }
            if fields:
                expected.changes.add(("update", email, tuple(sorted(fields))))

    for azure in {mapping.azure for mapping in mappings}:
        feeding = [mapping for mapping in mappings if mapping.azure == azure]
        wanted = {
            email
            for email, person in usable.items()
            if any(mapping.covers(path) for mapping in feeding for path in person.groups)
        }
        members = directory.groups.get(azure, set())
        for email in wanted - members:
            because = {path for path in usable[email].groups if any(mapping.covers(path) for mapping in feeding)}
            expected.changes.add(("add", azure, email, tuple(sorted(because))))
        for email in members - wanted - untouchable:
            reason = reason_for_removal(realm, email)
            if reason == "unknown_to_keycloak" and not strangers_may_go:
                expected.problems.append(("removal_not_confirmed", {email}))
            else:
                expected.changes.add(("remove", azure, email, reason))
    return expected


def is_accepted_by_entra(address):
    return "+" not in address and address.count("@") == 1 and " " not in address


def reason_for_removal(realm, email):
    people = [person for person in realm.people.values() if person.email == email]
    if not people:
        return "unknown_to_keycloak"
    return "left_group" if any(person.enabled for person in people) else "disabled"


def carry_out(expected, directory):
    """Brings the directory to what it is once the changes are applied."""
    for change in expected.changes:
        match change:
            case ("invite", email, _, names):
                # A display name that is not given is left to Entra, which takes it from the address.
                display_name = names.display_name or email.partition("@")[0]
                directory.accounts[email] = Names(**{**vars(names), "display_name": display_name})
            case ("update", email, fields):
                new = {name: after for name, _, after in fields}
                old = directory.accounts[email]
                directory.accounts[email] = Names(**{**vars(old), **new})
            case ("add", azure, email, _):
                directory.groups.setdefault(azure, set()).add(email)
            case ("remove", azure, email, _):
                directory.groups[azure].discard(email)
