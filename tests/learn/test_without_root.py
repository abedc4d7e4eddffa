"""Lessons without root, in a user namespace."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
from sizes import HANGS

REPOSITORY = Path(__file__).parents[2]
USER = 4_000_003


@pytest.fixture
def place() -> Iterator[Path]:
    """A copy of netlab that an ordinary user may read, and that user's home."""
    place = Path("/tmp") / f"netlab-learn-test-{os.getpid()}"  # noqa: S108  pytest's directories are closed to others
    packages = Path(sysconfig.get_paths()["purelib"])
    leave = shutil.ignore_patterns("__pycache__")
    place.mkdir(mode=0o755)
    try:
        shutil.copytree(REPOSITORY / "netlab", place / "netlab", ignore=leave)
        for name in ("click", "dns", "yaml"):
            shutil.copytree(packages / name, place / name, ignore=leave)
        for compiled in packages.glob("_yaml*"):
            shutil.copytree(compiled, place / compiled.name)
        (place / "home").mkdir()
        os.chown(place / "home", USER, USER)
        yield place
    finally:
        shutil.rmtree(place)


def test_an_ordinary_user_passes_a_lesson(place: Path) -> None:
    """Wrong, then right; all files are the user's, and nothing is left but them."""
    system = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    interpreter = system if os.access(system, os.X_OK) else sys.executable

    def learn(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [interpreter, "-m", "netlab", "learn", *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=HANGS,
            user=USER,
            group=USER,
            extra_groups=[],
            cwd=place / "home",
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(place), "PYTHONDONTWRITEBYTECODE": "1"},
        )

    started = learn("start", "default-deny")
    if "Permission denied" in started.stderr:
        pytest.skip("no Python that an ordinary user may run")
    wrong = learn("check", "--answer", "yes")
    if wrong.returncode == 3:
        pytest.skip(wrong.stderr)
    inner = place / "home" / "netlab-learn" / "default-deny"
    solution = place / "netlab" / "lessons" / "07-default-deny" / "solution" / "policy.yaml"
    (inner / "policy.yaml").write_bytes(solution.read_bytes())
    right = learn("check", "--answer", "no")

    assert (1, 0) == (wrong.returncode, right.returncode), wrong.stderr + right.stderr
    assert "6 of 12 pairs are as asked" in wrong.stdout
    assert "Lesson default-deny is passed." in right.stdout
    assert {USER} == {path.stat().st_uid for path in (place / "home").rglob("*")}
    assert {"default-deny", "progress.json"} == {path.name for path in inner.parent.iterdir()}
