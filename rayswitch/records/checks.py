"""What the records say of each other: each check gives the first complaint, or None."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from rayswitch.records.content import Content, Key

__all__ = ["CHECKS", "Complaint"]


class Complaint(NamedTuple):
    """About the value `name` of one record."""

    kind: str
    key: Key
    name: str
    problem: str


def routes_lead_to_groups(content: Content) -> Iterator[Complaint]:
    """A called number that leads to a group names one that is there."""
    for key, record in content["called_numbers"].items():
        if record.route.endswith(" group") and (record.target,) not in content["groups"]:
            yield Complaint("called_numbers", key, "target", expected_group(record.target, content))


def refinements_have_groups(content: Content) -> Iterator[Complaint]:
    """So does a refinement."""
    for key, record in content["refinements"].items():
        if (record.group,) not in content["groups"]:
            yield Complaint("refinements", key, "group", expected_group(record.group, content))


def groups_have_members(content: Content) -> Iterator[Complaint]:
    """A group without a member takes no call."""
    for key, record in content["groups"].items():
        if not record.members:
            yield Complaint("groups", key, "members", "expected line/NAME or trunk/NAME, got nothing")


def secrets_are_single(content: Content) -> Iterator[Complaint]:
    """A password and its hashes at once would be two truths."""
    for key, record in content["extensions"].items():
        if record.password and record.ha1:
            yield Complaint("extensions", key, "ha1", "expected either password or ha1, got both")


def lines_are_somewhere(content: Content) -> Iterator[Complaint]:
    """A line has an account at a registrar, a trunk a server."""
    needed = {
        "lines": {"registrar": "a registrar", "user": "the user of the account"},
        "trunks": {"server": "a server"},
    }
    for kind, names in needed.items():
        for key, record in content[kind].items():
            for name, what in names.items():
                if not getattr(record, name):
                    yield Complaint(kind, key, name, f"expected {what}, got nothing")


def incoming_users_are_known(content: Content) -> Iterator[Complaint]:
    """Who proves to be a trunk is nobody else: no extension, and no other trunk."""
    users: dict[str, str] = {}
    for key, record in content["trunks"].items():
        user = record.incoming_user
        if bool(user) != bool(record.incoming_secret):
            missing = "incoming_secret" if user else "incoming_user"
            yield Complaint("trunks", key, missing, "expected both incoming_user and incoming_secret, got only one")
        if (user,) in content["extensions"]:
            yield Complaint("trunks", key, "incoming_user", f"expected the name of no extension, got {user!r}")
        if user and users.setdefault(user, record.name) != record.name:
            yield Complaint("trunks", key, "incoming_user", f"expected another than that of trunk {users[user]}")


def expected_group(name: str, content: Content) -> str:
    """The complaint about a group that is not there."""
    known = ", ".join(key[0] for key in content["groups"]) or "there is none yet"
    return f"expected the name of a group ({known}), got {name!r}"


def first(check: Callable[[Content], Iterable[Complaint]]) -> Callable[[Content], Any]:
    """The first complaint of a check."""
    return lambda content: next(iter(check(content)), None)


CHECKS: tuple[Callable[[Content], Complaint | None], ...] = tuple(
    map(
        first,
        (
            routes_lead_to_groups,
            refinements_have_groups,
            groups_have_members,
            secrets_are_single,
            lines_are_somewhere,
            incoming_users_are_known,
        ),
    )
)
