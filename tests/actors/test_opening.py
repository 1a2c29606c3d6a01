"""The database at the start of a switch: refused, away with a copy, away without."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from actors import opening
from actors.opening import open_store
from actors.preflight import Refused
from actors.recall import copy_of
from rayswitch.config import Config
from rayswitch.config.database import SQLITE
from rayswitch.store import Extensions, Store, StoreAway, StoreError

AWAY = "store postgresql://me@db/calls cannot be reached: refused"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setattr(opening, "RETRY_SECONDS", 0.01)
    return Config.from_dict({"data": str(tmp_path), "store": "postgresql://me@db/calls"})


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[StoreError | Callable[[], None]]:
    """What each attempt to open the database comes to; after these it opens."""
    coming: list[StoreError | Callable[[], None]] = []
    real = Store.open

    def answer(url: str) -> Store:
        following = coming.pop(0) if coming else None
        if isinstance(following, StoreError):
            raise following
        if following is not None:
            following()
        return real(f"sqlite:///{tmp_path}/remote.db")

    monkeypatch.setattr(Store, "open", answer)
    return coming


def test_a_database_that_is_there_is_made_ready(
    config: Config, answers: list[StoreError], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []
    open_store(config, said.append)
    assert said == []
    assert "these extensions of rayswitch.local were made" in capsys.readouterr().out
    with Store.open(f"sqlite:///{tmp_path}/remote.db") as store:
        assert Extensions(store, config.domain).count() == 3


def test_a_database_that_refuses_us_ends_the_start(config: Config, answers: list[StoreError]) -> None:
    answers.append(StoreError("store postgresql://me@db/calls refuses us: wrong password"))
    with pytest.raises(Refused, match="store: store postgresql://me@db/calls refuses us: wrong password"):
        open_store(config, print)


def test_a_database_that_is_away_is_awaited_where_nothing_is_known(config: Config, answers: list[StoreError]) -> None:
    said: list[str] = []
    answers += [StoreAway(AWAY)] * 3
    open_store(config, said.append)
    assert answers == []
    assert said == [f"{AWAY}; waiting for it"]


def test_with_copies_the_switch_starts_without_it(config: Config, answers: list[StoreError]) -> None:
    path = Path(copy_of(config, "s0").removeprefix(SQLITE))
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    said: list[str] = []
    answers += [StoreAway(AWAY)] * 2
    open_store(config, said.append)
    assert said == [f"{AWAY}; starting with what this machine knew last"]
    assert len(answers) == 1


def test_a_copy_for_some_is_not_enough(tmp_path: Path, answers: list[StoreError]) -> None:
    values = {"data": str(tmp_path), "store": "postgresql://me@db/calls", "sip": {"gateways": 2}}
    config = Config.from_dict(values)
    path = Path(copy_of(config, "s0").removeprefix(SQLITE))
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    said: list[str] = []
    answers += [StoreAway(AWAY)]
    open_store(config, said.append)
    assert said == [f"{AWAY}; waiting for it"]


def test_a_signal_ends_the_wait(config: Config, answers: list[StoreError | Callable[[], None]]) -> None:
    answers += [StoreAway(AWAY), lambda: os.kill(os.getpid(), signal.SIGTERM)]
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        open_store(config, lambda text: None)
    assert signal.getsignal(signal.SIGTERM) is before
