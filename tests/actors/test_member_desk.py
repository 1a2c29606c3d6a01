"""What the Switchboard does with what Ray's nodes offer."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from actors import member_desk as module
from actors.alarms import Alarms
from actors.link import Links
from actors.member_desk import MemberDesk
from actors.member_feed import MemberFeed
from actors.ray_hosts import Offer
from rayswitch.config import Config
from rayswitch.members import Members, Seat
from rayswitch.members import events as ev
from tests.actors.together import run, until


class Nodes:
    """A Ray whose nodes offer what the test says."""

    def __init__(self) -> None:
        self.offered: list[Offer] = []
        self.started: list[tuple[str, str, Seat]] = []
        self.broken = 1
        self.asked = 0

    def nodes(self) -> dict[str, str]:
        return {offer.node: offer.address for offer in self.offered}

    def offers(self) -> list[Offer]:
        self.asked += 1
        if self.broken:
            self.broken -= 1
            raise ConnectionError("the head is away")
        return self.offered

    def gone(self, hosts: Iterable[str]) -> list[str]:
        return []

    def start(self, host: str, node: str, seat: Seat) -> None:
        self.started.append((host, node, seat))

    def end(self, host: str) -> None:
        """Nothing is to be ended here."""


def test_a_machine_that_joins_gets_gateways_once_and_one_with_other_code_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "OFFER_SECONDS", 0.01)

    async def main(where: Path) -> None:
        links, ray, alarms = Links("sw", 1, where, node="n0"), Nodes(), Alarms()
        await links.start()
        links.peering.sockets.listen_tcp("127.0.0.1", [0])
        config = Config.from_dict({"data": str(where), "store": f"sqlite:///{where}/a.db"})
        desk = MemberDesk(config, links, MemberFeed("sw", links, Members()), alarms, "us", ray)
        ray.offered = [
            Offer("n1", "10.0.0.1", {"s": 2, "m": 1}),
            Offer("n2", "10.0.0.2", {"s": 1, "m": 1}, "node 10.0.0.2 has rayswitch 2, the switch is 1"),
        ]
        desk.handle(ev.Greeted("s0", 5, "n1", "10.0.0.1", 7000))
        try:
            await desk.start(None)
            await until(lambda: len(ray.started) == 2)
            found = {(host, node, seat.number) for host, node, seat in ray.started}
            assert found == {("s1", "n1", 1), ("m0", "n1", 0)}
            assert [row["what"] for row in alarms.rows()] == [
                "node 10.0.0.2 has rayswitch 2, the switch is 1: it is not used"
            ]
            ray.offered[1] = ray.offered[1]._replace(refusal="")
            await until(lambda: len(ray.started) == 4)
            assert not alarms.rows()
            asked = ray.asked
            await until(lambda: ray.asked > asked + 3)
            assert len(ray.started) == 4, "each unit once"
        finally:
            await desk.close()
            await links.close()

    run(main, tmp_path)
