"""`ray up` on bare machines, `rayswitch deploy`, and a call from one node to the other."""

import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import yaml

from tests.cluster.launch import Launch
from tests.cluster.machines import Machine
from tests.interop.agent import Agent
from tests.interop.processes import await_true
from tests.interop.rtp import Audio

OTHER = "other.yaml"
"""A further switch.yaml on the head."""
PASSWORD = "secret"
TALK_PACKETS = 50


def refusal(launch: Launch, **sections: Any) -> tuple[int, str]:
    """Exit code and last line of a deployment of a switch with these sections in the place of those of SETTINGS."""
    launch.head.put(f"/root/rayswitch/{OTHER}", launch.switch(**sections))
    done = launch.deploy("-c", OTHER)
    return done.returncode, (done.stderr.strip().splitlines() or [""])[-1]


@pytest.mark.parametrize(
    ("sections", "text"),
    [
        ({"sip": {"gateways": 3}}, "sip.gateways: 3 needs 3 of sip_gateway, the cluster has 2"),
        ({"media": {"gateways": 4}}, "media.gateways: 4 needs 4 of media_gateway, the cluster has 2"),
        (
            {"store": "sqlite:///a.db"},
            "store: sqlite:////root/rayswitch/a.db is a file of one machine, and the cluster has 3 nodes:"
            " expected postgresql://…",
        ),
    ],
)
def test_what_the_cluster_does_not_have_is_named(cluster: Launch, sections: dict[str, Any], text: str) -> None:
    assert refusal(cluster, **sections) == (2, text)


def test_a_cluster_that_is_not_there(cluster: Launch) -> None:
    begun = time.monotonic()
    done = cluster.attempt("deploy", "--address", f"{cluster.head.address}:1")
    assert (done.returncode, time.monotonic() - begun < 5) == (1, True)
    assert done.stderr.startswith(f"no Ray cluster answers at {cluster.head.address}:1: ")


def test_a_deployment_from_a_worker_is_refused(cluster: Launch) -> None:
    done = cluster.attempt("deploy", "--address", cluster.address, on=cluster.workers[0])
    assert done.returncode == 2
    assert done.stderr.strip() == f"deploy and undeploy are given on the head of the cluster, {cluster.head.address}"


def test_a_node_with_other_code_is_refused(cluster: Launch) -> None:
    worker = cluster.workers[1]
    metadata = "~/rayswitch/venv/lib/python3*/site-packages/rayswitch-*.dist-info/METADATA"
    worker.run(f"sed -i 's/^Version: /Version: 9./' {metadata}")
    try:
        done = cluster.deploy()
    finally:
        worker.run(f"sed -i 's/^Version: 9[.]/Version: /' {metadata}")
    assert done.returncode == 2
    assert f"node {worker.address} has rayswitch 9.0.1.0 (" in done.stderr
    assert "the head has 0.1.0 (" in done.stderr


def test_a_start_that_fails_says_why_and_leaves_nothing(cluster: Launch) -> None:
    with occupied(cluster.workers[0], 5060):
        done = cluster.deploy()
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert re.fullmatch(r"s0: .*cannot listen on 0\.0\.0\.0 port 5060: Address already in use", last)
    assert cluster.actors() == []


@contextmanager
def occupied(machine: Machine, port: int) -> Iterator[None]:
    """Somebody else has this UDP port, until his standard input ends."""
    script = f"import socket, sys; s = socket.socket(type=2); s.bind(('0.0.0.0', {port})); print('bound', flush=True)"
    order = machine.command(f'exec python3 -c "{script}; sys.stdin.read()"')
    with subprocess.Popen(order, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        assert process.stdout.readline() == "bound\n"
        yield
        process.stdin.close()


def test_the_switch_is_up(launch: Launch) -> None:
    rows = json.loads(launch.rayswitch("actors", "--processes", "--json"))
    assert {row["id"] for row in rows} == {"sw", "s0", "s1", "m0", "m1"}
    status = json.loads(launch.rayswitch("status", "--json"))
    assert status["ready"] is True and status["down"] == []
    links = json.loads(launch.rayswitch("links", "--json"))["links"]
    assert {links["s0"]["peers"][peer]["over"] for peer in ("s1", "m1", "sw")} == {"tls"}
    assert links["s0"]["peers"]["m0"]["over"] == "unix"


def test_a_second_deployment_changes_nothing(launch: Launch) -> None:
    before = launch.rayswitch("actors", "--processes", "--json")
    done = launch.deploy()
    assert (done.returncode, done.stdout) == (0, launch.ready)
    assert done.stderr == f"this switch is running on the cluster {launch.address} already\n"
    code, text = refusal(launch, call={"no_answer": 30})
    assert (code, text) == (2, f"a switch with other settings runs on {launch.address}: undeploy it first")
    after = launch.rayswitch("actors", "--processes", "--json")
    assert [row["pid"] for row in json.loads(after)] == [row["pid"] for row in json.loads(before)]


def test_a_call_crosses_nodes(launch: Launch) -> None:
    for number in ("201", "202"):
        launch.rayswitch("extension", "add", number, "--password", PASSWORD)
    here = launch.machines.gateway
    one, two = (f"{worker.address}:5060" for worker in launch.workers)
    with Audio() as audio:
        far_audio, near_audio = audio.add(here), audio.add(here)
        with (
            Agent(one, "rayswitch.local", lambda: far_audio.port, here) as called,
            Agent(two, "rayswitch.local", address=here) as calling,
        ):
            called.register("201", PASSWORD)
            near = calling.dial("202", PASSWORD, "201", near_audio.port)
            far = called.incoming.get(timeout=5)
            far_audio.remote = (far.first.media_address, far.remote_port)
            near_audio.remote = (near.first.media_address, near.remote_port)
            await_true(lambda: min(far_audio.received, near_audio.received) >= TALK_PACKETS, "audio both ways")
            (call,) = json.loads(launch.rayswitch("calls", "--json"))
            assert call["host"] == "s1", "it lives where it came in, on the other node than the phone that is called"
            assert near.bye().status == 200
            assert far.ended.wait(5)
    assert one.split(":")[0] in far.first.get("via"), "the called phone is talked to from the node where it registered"
    await_true(lambda: records(launch), "a call record")
    (record,) = records(launch)
    assert (record["caller"], record["dialled"], record["release_side"]) == ("202", "201", "a"), record


def records(launch: Launch) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(launch.rayswitch("cdr", "--json"))
    return found


def test_a_second_switch_with_the_same_store_is_told_who_has_it(launch: Launch) -> None:
    worker = launch.workers[0]
    values = yaml.safe_load((launch.head.folder / "root/rayswitch/switch.yaml").read_text())
    values |= {"data": "second", "sip": {"listen": "udp://127.0.0.1:5999"}, "media": {"ports": "30000-30099"}}
    worker.put("/root/rayswitch/second.yaml", yaml.safe_dump(values))
    done = launch.attempt("up", "-c", "second.yaml", on=worker)
    assert done.returncode == 1
    assert "this store belongs to a running switch, head-" in done.stderr
    assert json.loads(launch.rayswitch("status", "--json"))["ready"] is True


def test_other_commands_know_that_it_is_on_a_cluster(launch: Launch) -> None:
    for command, text in (
        ("down", f"this switch is on the cluster {launch.address}: rayswitch undeploy ends it there"),
        ("up", f"data: /root/rayswitch/data is in use by a switch on the cluster {launch.address}"),
    ):
        done = launch.attempt(command)
        assert (done.returncode, done.stderr.strip()) == (2, text)


def test_a_host_that_ray_has_given_up_is_replaced_on_its_node(launch: Launch) -> None:
    launch.python("ray.kill(ray.get_actor('s1', namespace='rayswitch'), no_restart=True)")

    def replaced() -> bool:
        rows = json.loads(launch.rayswitch("actors", "--processes", "--json"))
        return sorted(row["id"] for row in rows if row["id"][0] == "s") == ["s0", "s2", "sw"]

    await_true(replaced, "a gateway in the place of s1", 20)
    assert any("SipGateway" in line for line in launch.workers[1].processes().values())
