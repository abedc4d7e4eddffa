"""The commands of the README that need a control plane, as they are typed there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from control_plane.lab_plane import PROGRAMS, Plane, gone, lacking
from waiting import eventually

pytestmark = pytest.mark.kernel(needs=["openssl", "curl"])
REPOSITORY = Path(__file__).parents[2]


def commands() -> list[str]:
    """Return the commands of the section."""
    text = (REPOSITORY / "README.md").read_text().partition("## With kubectl\n")[2].partition("\n## ")[0]
    return [line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]


def test_two_commands_show_pods_that_run_and_answer_and_down_leaves_nothing(tmp_path):
    """The lab has a name of its own, and the programs are those of this host; all else is as the README has it."""
    if missing := lacking():
        pytest.skip(f"needs {', '.join(missing)}")
    found = Plane(tmp_path, f"readme-{os.getpid():x}")
    assets = tmp_path / "assets"
    assets.mkdir()
    for program in PROGRAMS[:-1]:
        (assets / program).symlink_to(str(shutil.which(program)))
    (tmp_path / "examples").symlink_to(REPOSITORY / "examples")

    def typed(line: str, *, check: bool = True) -> str:
        line = line.replace("sudo netlab control-plane up", f"sudo netlab control-plane up --lab {found.name}")
        line = line.replace("sudo netlab", f"{sys.executable} -m netlab").replace(" DIR", f" {assets}")
        line = line.replace("default.kubeconfig", f"{found.name}.kubeconfig")
        line = line.replace("control-plane down", f"control-plane down --lab {found.name}")
        done = subprocess.run(["sh", "-c", line], cwd=tmp_path, capture_output=True, text=True, timeout=200)
        assert not check or done.returncode == 0, (line, done.stdout, done.stderr)
        return done.stdout

    up, show, ask, down = commands()

    def answers(host: str, names: set[str]) -> bool:
        return typed(ask.replace("http://web/", f"http://{host}/"), check=False).strip() in names

    try:
        typed(up)
        rows = [line.split() for line in typed(show).splitlines()[1:]]
        assert ["1/1 Running"] * 3 == [f"{row[1]} {row[2]}" for row in rows]
        assert 3 == len({row[5] for row in rows})
        assert eventually(partial(answers, "web", {row[0] for row in rows}))
        for row in rows:
            assert eventually(partial(answers, row[5], {row[0]}))
        pids = [found.process(program) for program in (*PROGRAMS[:-1], "agent")]
    except BaseException:
        found.netlab("down", found.name, check=False)
        raise
    typed(down)

    assert eventually(lambda: all(map(gone, pids)))
    assert {"assets", "examples"} == {path.name for path in tmp_path.iterdir()}
    assert not Path(f"/run/netlab/{found.name}").exists()
    assert found.name not in subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout
