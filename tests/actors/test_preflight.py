"""What cannot work is said in one line that names the key."""

import socket
from contextlib import closing
from pathlib import Path

import pytest

from actors.placement import hosts_of
from actors.preflight import Refused, check_listeners, check_media, check_memory, lock_data
from actors.ray_cluster import free_ports
from actors.rundir import Record, make_run_dir, run_dir
from rayswitch.config import Config


def listening(*urls: str) -> Config:
    return Config.from_dict({"sip": {"listen": list(urls)}})


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_a_busy_port_counts_even_when_its_owner_would_share_it(host: str) -> None:
    family = socket.AF_INET6 if "::" in host else socket.AF_INET
    with closing(socket.socket(family, socket.SOCK_DGRAM)) as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind((host.strip("[]"), 0))
        url = f"udp://{host}:{other.getsockname()[1]}"
        with pytest.raises(Refused) as refused:
            check_listeners(listening(url))
        assert str(refused.value) == f"sip.listen: {url}: the port is in use by another process"
    check_listeners(listening(url))


def test_an_address_of_another_machine() -> None:
    with pytest.raises(Refused, match=r"^sip.listen: tcp://192\.0\.2\.77:5999: this machine does not have"):
        check_listeners(listening("tcp://192.0.2.77:5999"))
    with pytest.raises(Refused, match=r"^media.address: 192\.0\.2\.77: this machine does not have"):
        check_media(Config.from_dict({"media": {"address": "192.0.2.77"}}))


GIGABYTE = 10**9


@pytest.mark.parametrize(
    ("actors", "complaint"),
    [
        ({"call": {"placement": "actor"}}, ""),
        ({"call": {"placement": "pool", "most": 1000}}, ""),
        ({"call": {"placement": "actor", "warm": 40}}, "actors.call.warm: 40 processes of 60 MB each do not fit"),
        ({"call": {"placement": "actor", "warm": 40, "most": 9}}, ""),
        ({"registration": {"placement": "actor", "most": 17}}, "actors.registration.most: 17 processes"),
        (
            {"call": {"placement": "actor"}, "registration": {"placement": "actor", "most": 9}},
            "actors.registration.most: 9 processes of 60 MB each do not fit into the free memory, only 8 do",
        ),
    ],
)
def test_processes_of_single_entities_have_to_fit(
    actors: dict[str, object], complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.preflight.free_bytes", lambda: GIGABYTE)
    config = Config.from_dict({"actors": actors})
    if not complaint:
        check_memory(config)
        return
    with pytest.raises(Refused, match=f"^{complaint}"):
        check_memory(config)


def test_one_switch_for_a_data_directory(tmp_path: Path) -> None:
    config = Config.from_dict({"data": str(tmp_path / "data")})
    with lock_data(config), pytest.raises(Refused, match=r"^data: .*is in use by a running switch \(process \d"):
        lock_data(config)
    lock_data(config).close()


def test_a_data_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Refused, match=r"^data: .*Not a directory"):
        lock_data(Config.from_dict({"data": str(tmp_path / "file" / "data")}))


def test_the_run_directory_is_short_enough_for_sockets(tmp_path: Path) -> None:
    near = Config.from_dict({"data": "/srv/rayswitch"})
    assert run_dir(near) == Path("/srv/rayswitch/run")
    deep = Config.from_dict({"data": str(tmp_path / ("deep" * 30))})
    path = make_run_dir(deep)
    try:
        assert len(str(path)) < 80
        assert path.stat().st_mode & 0o777 == 0o700
        record = Record("mark", 1, 2, "/tmp/x", 3.0, True, ("udp://127.0.0.1:5060",))
        assert Record.load(path) is None
        record.save(path)
        assert Record.load(path) == record
        (path / "switch.json").write_text("{}")
        assert Record.load(path) is None
    finally:
        (path / "switch.json").unlink(missing_ok=True)
        path.rmdir()


def test_ray_keeps_clear_of_media_listeners_and_ephemeral_ports() -> None:
    config = Config.from_dict(
        {"media": {"ports": "10000-19999"}, "sip": {"listen": ["udp://127.0.0.1:20100"], "gateways": 4}}
    )
    low, high = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    for seed in range(5):
        ports = free_ports(config, seed)
        taken = [*ports.services.values(), *range(ports.workers[0], ports.workers[1] + 1)]
        assert len(set(taken)) == len(taken) >= 40 + 8 * len(hosts_of(config))
        assert not any(port < 20000 or port == 20100 or low <= port <= high for port in taken)


def test_no_ports_left_for_ray() -> None:
    config = Config.from_dict({"media": {"ports": "1024-65535"}, "sip": {"listen": ["udp://127.0.0.1:1000"]}})
    with pytest.raises(OSError, match=r"ray\.ports: Ray needs \d+ ports in a row .* 10000-64999 has none"):
        free_ports(config, 0)


def test_ray_stays_in_the_range_that_it_is_given() -> None:
    config = Config.from_dict({"ray": {"ports": "61000-61499"}, "links": {"ports": "61200-61299"}})
    for seed in range(9):
        ports = free_ports(config, seed)
        taken = [*ports.services.values(), *range(ports.workers[0], ports.workers[1] + 1)]
        assert all(61000 <= port <= 61499 and not 61200 <= port <= 61299 for port in taken)


def test_a_range_that_just_holds_ray_and_one_port_less() -> None:
    def config(last: int) -> Config:
        return Config.from_dict({"ray": {"ports": f"61000-{last}"}})

    size = 1 + free_ports(config(61999), 0).workers[1] - min(free_ports(config(61999), 0).services.values())
    assert free_ports(config(61000 + size - 1), 7).workers[1] == 61000 + size - 1
    with pytest.raises(OSError, match=r"ray\.ports"):
        free_ports(config(61000 + size - 2), 7)
