"""cluster.yaml, its variants, and the manifest: what can be said of them without machines."""

import json
import re
import shlex
from typing import Any

import pytest
import yaml

from tests.cluster.machines import ROOT

CLUSTER = (ROOT / "cluster.yaml").read_text()
OFFERED = {"sip_gateway": 1, "media_gateway": 1}


def variant(name: str) -> dict[str, Any]:
    """cluster.yaml as its comments say that it is changed for this provider; "": as it stands."""
    values: dict[str, Any] = yaml.safe_load(CLUSTER)
    marked = [line.removeprefix(f"#{name} ") for line in CLUSTER.splitlines() if name and line.startswith(f"#{name} ")]
    return values | (yaml.safe_load("\n".join(marked)) or {})


@pytest.mark.parametrize("name", ["", "aws", "gcp"])
def test_ray_takes_the_file(name: str) -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    values = variant(name)
    assert values["provider"]["type"] == (name or "local")
    validate_config(prepare_config(values))
    with pytest.raises(Exception, match="bogus"):
        validate_config(prepare_config(values | {"bogus": 1}))


@pytest.mark.parametrize("name", ["aws", "gcp"])
def test_gateways_are_offered_by_machines_of_a_cloud_too(name: str) -> None:
    types = variant(name)["available_node_types"]
    assert types["gateway"]["resources"] == OFFERED | {"CPU": 0}
    assert types["gateway"]["min_workers"] == types["gateway"]["max_workers"]


def test_a_worker_offers_one_gateway_of_each_kind() -> None:
    start = variant("")["worker_start_ray_commands"][-1]
    found = re.search(r"--resources='([^']+)'", start)
    assert found and json.loads(found[1]) == OFFERED


def settings() -> dict[str, str]:
    """deploy/ray.env."""
    rows = (ROOT / "deploy" / "ray.env").read_text().splitlines()
    pairs = [row.split("=", 1) for row in rows if row and not row.startswith("#")]
    return {name: value.strip('"') for name, value in pairs}


def test_the_manifest_is_the_same_cluster() -> None:
    parts = {
        (part["kind"], part["metadata"]["name"]): part
        for part in yaml.safe_load_all((ROOT / "deploy" / "kuberay.yaml").read_text())
    }
    stated = settings()
    ports = dict(one.removeprefix("--").split("=") for one in stated.pop("RAY_PORTS").split())
    ports["port"] = stated.pop("GCS_PORT")
    assert parts["ConfigMap", "rayswitch-ray"]["data"] == stated
    cluster = parts["RayCluster", "rayswitch"]["spec"]
    (gateways,) = cluster["workerGroupSpecs"]
    for group in (cluster["headGroupSpec"], gateways):
        started = group["rayStartParams"]
        assert {name: started[name] for name in ports} == ports
        assert started["num-cpus"] == "0"
        assert group["template"]["spec"]["hostNetwork"] is True
    # The operator puts the value into a command line of sh as it stands.
    assert json.loads(shlex.split(gateways["rayStartParams"]["resources"])[0]) == OFFERED


def test_the_switch_of_the_manifest_is_one(tmp_path: Any) -> None:
    from rayswitch.config import load

    found = next(
        part for part in yaml.safe_load_all((ROOT / "deploy" / "kuberay.yaml").read_text())
        if part["metadata"]["name"] == "rayswitch" and part["kind"] == "ConfigMap"
    )  # fmt: skip
    file = tmp_path / "switch.yaml"
    file.write_text(found["data"]["switch.yaml"])
    assert load(file).store.startswith("postgresql://")
