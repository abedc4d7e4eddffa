"""The wheel and the sdist, as the pinned build backend makes them, hold what their users need."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from netlab.cli.sample_files import FOLDERS

REPOSITORY = Path(__file__).parents[2]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]

# Where tests open files of the repository: REPOSITORY / "examples/shop".
OPENED = re.compile(r'REPOSITORY / "([^"]+)"(?: / "([^"]+)")?')


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a wheel and an sdist."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-d", folder]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, timeout=60)  # type: ignore[arg-type]
    return folder


@pytest.fixture(scope="module")
def sdist(dist: Path) -> set[str]:
    """The paths that an sdist holds, without its own folder."""
    (file,) = dist.glob("*.tar.gz")
    with tarfile.open(file) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


def modules(folder: str) -> set[str]:
    """The files of a folder of the repository; not what Python left there."""
    found = (path for path in (REPOSITORY / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(REPOSITORY).as_posix() for path in found}


def test_a_wheel_holds_the_program_and_its_examples(dist: Path) -> None:
    """All of netlab/, py.typed, man pages and the metadata: no tests, which would be installed as a package."""
    (file,) = dist.glob("*.whl")
    with zipfile.ZipFile(file) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    pages = {f"{file.name.partition('-py3')[0]}.data/data/share/man/man1/{Path(page).name}" for page in modules("man")}

    examples = {f"netlab/share/{path}" for folder in FOLDERS for path in modules(folder)}

    assert modules("netlab") | examples | pages == names


def test_an_sdist_holds_the_program_and_its_tests(sdist: Path) -> None:
    """Whoever packages netlab can run the tests of what is packaged."""

    assert set() == (modules("netlab") | modules("tests") | modules("scripts")) - sdist  # type: ignore[operator]


def test_an_sdist_holds_what_its_tests_open(sdist: set[str]) -> None:
    """A path that a test makes from the repository's root is in the sdist, as are the folders that commands name."""
    opened = {
        "/".join(filter(None, found))
        for path in (REPOSITORY / "tests").rglob("*.py")
        for found in OPENED.findall(path.read_text())
    }
    kept = sdist | {parent.as_posix() for name in sdist for parent in Path(name).parents}

    assert {"Makefile", "scenarios"} <= opened
    assert set() == {path for path in opened if (REPOSITORY / path).exists()} - kept
    assert {"benchmarks", "examples", "scenarios", "topologies"} <= kept


def test_an_installed_wheel_runs_elsewhere(dist: Path, tmp_path: Path) -> None:
    """``netlab check`` and ``netlab reach`` on the examples, by the program that pip installs."""
    (wheel,) = dist.glob("*.whl")
    place = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "install", "--no-index", "--no-deps"]
    # Links and caches of the machine are left alone.
    subprocess.run([*pip, "--no-cache-dir", "--target", place, wheel], check=True, capture_output=True, timeout=60)
    shutil.copytree(REPOSITORY / "examples", tmp_path / "examples")

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(place), "PYTHONSAFEPATH": "1"}
        return subprocess.run(
            words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    where = run(sys.executable, "-c", "import netlab; print(netlab.__file__)")
    netlab = str(place / "bin" / "netlab")
    check = run(netlab, "check", "-f", "examples/shop")
    reach = run(netlab, "reach", "-f", "examples/shop", "-o", "json")

    assert f"{place / 'netlab' / '__init__.py'}\n" == where.stdout
    assert (0, "") == (check.returncode, check.stderr)
    assert 20 == json.loads(reach.stdout)["summary"]["pairs"]
    assert f"netlab {wheel.name.split('-')[1]}\n" == run(netlab, "--version").stdout


def test_the_python_versions_that_are_declared_are_those_that_are_tested() -> None:
    """The classifiers name each version from requires-python on, and the hosted workflow runs each of them."""
    declared = [c.rpartition(" ")[2] for c in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", c)]
    workflow = (REPOSITORY / ".github/workflows/ci.yml").read_text()

    assert [f">={declared[0]}"] == [PROJECT["requires-python"]]
    assert declared == [f"3.{minor}" for minor in range(11, 11 + len(declared))]
    assert f"matrix: {{python: {json.dumps(declared)}}}" in workflow
