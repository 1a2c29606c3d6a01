"""What a deployment says before it has seen any cluster; the rest is in tests/cluster/test_launch.py."""

import pytest

from actors import cluster_deployment
from rayswitch.config import Config


@pytest.mark.parametrize("address", ["", "192.0.2.10", "192.0.2.10:", ":6379", "192.0.2.10:gcs"])
def test_an_address_is_a_host_and_a_port(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (cluster_deployment.deploy, cluster_deployment.undeploy):
        assert command(Config(), address) == 2
        expected = f"--address: expected HOST:PORT of the head's GCS, such as 192.0.2.10:6379, got {address!r}\n"
        assert capsys.readouterr().err == expected


@pytest.mark.parametrize("port", ["1", "70000"])
def test_a_cluster_that_is_not_there_is_noticed_without_ray(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cluster_deployment.deploy(Config(), f"127.0.0.1:{port}") == 1
    assert capsys.readouterr().err.startswith(f"no Ray cluster answers at 127.0.0.1:{port}: ")
