"""What the rows of a database will be once the writes that still wait have reached it."""

from collections.abc import Iterable
from typing import Any

from rayswitch.store.writes import Write, unpacked

__all__ = ["Pending"]


class Pending:
    """The last waiting write to each binding and each call; records of calls do not matter here."""

    def __init__(self, writes: Iterable[Write] = ()) -> None:
        self.count = 0
        self._bindings: dict[str, Write] = {}
        self._calls: dict[str, Write] = {}
        tables = {"binding": self._bindings, "call": self._calls}
        for write in writes:
            self.count += 1
            table = tables.get(write.statement.partition("_")[2])
            if table is not None:
                table[write.params[0]] = write

    def writes(self) -> list[Write]:
        """Those that it is made of."""
        return [*self._bindings.values(), *self._calls.values()]

    def bindings(self, rows: Iterable[tuple[str, Any, float]]) -> list[tuple[str, Any, float]]:
        """`Store.bindings` as it will be."""
        found = {row[0]: row for row in rows}
        for aor, write in self._bindings.items():
            if write.statement == "put_binding":
                found[aor] = (aor, unpacked(write.params[1]), write.params[2])
            else:
                found.pop(aor, None)
        return list(found.values())

    def homes(self, found: dict[str, str]) -> dict[str, str]:
        """`Store.homes` as it will be."""
        puts = {aor: write.params[3] for aor, write in self._bindings.items() if write.statement == "put_binding"}
        return found | puts

    def calls(self, rows: Iterable[tuple[str, str, bool, Any]]) -> list[tuple[str, str, bool, Any]]:
        """`Store.calls` of the hosts whose writes these are, as it will be."""
        found = {row[0]: row for row in rows}
        for id, write in self._calls.items():
            if write.statement == "put_call":
                _, host, answered, snapshot = write.params
                found[id] = (id, host, bool(answered), unpacked(snapshot))
            else:
                found.pop(id, None)
        return list(found.values())
