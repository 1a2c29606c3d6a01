"""The folder of the sockets: determined by the configuration, and never too deep for a socket."""

import os
from dataclasses import replace
from pathlib import Path

from actors.rundir import run_dir
from rayswitch.config import Config

SUN_PATH = 107
CONFIG = Config()


def test_it_is_in_the_data_folder() -> None:
    assert run_dir(replace(CONFIG, data="/srv/rayswitch")) == Path("/srv/rayswitch/run")


def test_a_deep_data_folder_has_its_sockets_elsewhere() -> None:
    deep = replace(CONFIG, data="/srv/" + "x" * 90)
    assert run_dir(deep) == run_dir(deep)
    assert run_dir(deep) != run_dir(replace(deep, data=deep.data + "y"))
    assert run_dir(deep).name.startswith(f"rayswitch-{os.getuid()}-")


def test_every_socket_path_fits() -> None:
    for length in range(1, 200):
        folder = run_dir(replace(CONFIG, data="/" + "é" * length))
        assert len(os.fsencode(folder / "switch1234.sock")) <= SUN_PATH
