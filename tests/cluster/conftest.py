"""One launch for all tests of this folder that need a cluster: it takes most of a minute.

They go on from one another: `test_launch.py` brings it up, `test_nodes.py` has nodes come and go, `test_undeploy.py`
ends it. Ray's tables are in a Redis, so that the head may be started anew.
"""

from collections.abc import Iterator

import pytest

from tests.cluster.launch import Launch

SETTINGS = {
    "domain": "rayswitch.local",
    "sip": {"gateways": 2, "listen": ["udp://0.0.0.0:5060", "tcp://0.0.0.0:5060"]},
    "media": {"ports": "20000-20999"},
    "links": {"ports": "11000-11099"},
}


@pytest.fixture(scope="session")
def cluster() -> Iterator[Launch]:
    """Three machines with a Ray, from nothing."""
    with Launch(SETTINGS) as launch:
        launch.up()
        yield launch


@pytest.fixture(scope="session")
def launch(cluster: Launch) -> Launch:
    """With the switch on it."""
    done = cluster.deploy()
    assert done.returncode == 0 and done.stdout.endswith(cluster.ready), done.stdout + done.stderr
    return cluster
