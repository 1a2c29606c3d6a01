"""The end of a switch on a cluster, and of the cluster."""

from tests.cluster.launch import Launch
from tests.interop.processes import await_true


def test_undeploy_ends_the_switch_and_leaves_ray(launch: Launch) -> None:
    done = launch.attempt("undeploy", "--address", launch.address)
    assert done.returncode == 0, done.stderr
    await_true(lambda: not launch.actors(), f"an end of {launch.actors()}")
    again = launch.attempt("undeploy", "--address", launch.address)
    assert (again.returncode, again.stderr) == (1, f"no switch runs on the cluster {launch.address}\n")
    assert launch.deploy().stdout == launch.ready, "it can be put there again"


def test_ray_down_leaves_nothing(launch: Launch) -> None:
    launch.down()
    await_true(lambda: not any(raylike(launch)), f"an end of {raylike(launch)}")


def raylike(launch: Launch) -> list[str]:
    return [line for one in launch.nodes for line in one.processes().values() if "ssh:" not in line]
