"""The Containerfile, built on a Debian root file system of debootstrap, and its image with each kind of privilege."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
LIMITS = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"]
Call = Callable[..., "subprocess.CompletedProcess[str]"]


# What apt and pip say where a registry does not answer.
NO_ANSWER = re.compile("Failed to fetch|Temporary failure|Could not connect|Unable to connect|timed out", re.IGNORECASE)


def call(*words: object, seconds: int = 100) -> subprocess.CompletedProcess[str]:
    """Run a command. The program timeout ends it with all that it started; its exit code is then 124."""
    command = ["timeout", "--kill-after=10", str(seconds), *map(str, words)]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)


def skip(what: str, done: subprocess.CompletedProcess[str]) -> None:
    """Skip what needs a registry that did not answer."""
    last = (done.stderr.splitlines() or done.stdout.splitlines())[-1:]
    pytest.skip(f"{what}: {'it took too long' if done.returncode == 124 else ''.join(last)}")


@pytest.fixture(scope="module")
def podman(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """podman with a store of its own."""
    if lacking := [name for name in ("podman", "runc", "debootstrap") if shutil.which(name) is None]:
        pytest.skip(f"needs {', '.join(lacking)}")
    if os.geteuid():
        pytest.skip("needs root, for debootstrap")
    folder = tmp_path_factory.mktemp("podman")
    (folder / "containers.conf").write_text(
        '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "none"\nruntime = "runc"\n'
    )
    before = os.environ.get("CONTAINERS_CONF")
    os.environ["CONTAINERS_CONF"] = str(folder / "containers.conf")
    words = ["podman", "--root", f"{folder}/store", "--runroot", f"{folder}/state"]
    yield words
    # pytest keeps its folders; the images are a gigabyte.
    call(*words, "system", "reset", "--force")
    os.environ.pop("CONTAINERS_CONF")
    if before is not None:
        os.environ["CONTAINERS_CONF"] = before


@pytest.fixture(scope="module")
def image(podman: list[str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """The image. Its packages are those of the machine's mirror, its wheels those of the machine's pip."""
    folder = tmp_path_factory.mktemp("image")
    root = folder / "root"
    # debootstrap mounts file systems in the root; in a mount namespace of its own none is left when it is ended.
    made = call("unshare", "--mount", "debootstrap", "--variant=minbase", "trixie", root, seconds=400)
    if made.returncode:
        skip("debootstrap brings no Debian here", made)
    imported = call("sh", "-c", f"tar -C {root} -c . | {' '.join(podman)} import --quiet - localhost/base")
    shutil.rmtree(root)
    assert 0 == imported.returncode, imported.stderr
    wheels = call(
        *(sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "download", "--require-hashes"),
        *("--only-binary", ":all:", "--python-version", "3.13", "--dest", folder / "wheels"),
        *("--requirement", REPOSITORY / "requirements/runtime.txt"),
        seconds=200,
    )
    if wheels.returncode:
        skip("pip brings no wheels here", wheels)
    (folder / "pip.conf").write_text("[global]\nno-index = true\nfind-links = /wheels\n")
    built = call(
        *(*podman, "build", "--quiet", "--isolation", "chroot", "--network", "host", "--tag", "localhost/netlab"),
        *("--volume", f"{folder}/wheels:/wheels:ro", "--volume", f"{folder}/pip.conf:/etc/pip.conf:ro"),
        *("--build-arg", "BASE=localhost/base", "."),
        seconds=500,
    )
    if built.returncode == 124 or (built.returncode and NO_ANSWER.search(built.stderr)):
        skip("a registry does not bring what the Containerfile installs", built)
    assert 0 == built.returncode, built.stderr
    return "localhost/netlab"


@pytest.fixture
def run(podman: list[str], image: str) -> Call:
    """Run netlab in a container; skip where podman starts none."""
    mount = f"{REPOSITORY}/examples:/work:ro"
    start = [*podman, "run", "--rm", "--network", "none", *LIMITS, "--volume", mount]
    alone = call(*start, image, "--version")
    if alone.returncode:
        pytest.skip(f"podman runs no container here: {alone.stderr.strip()}")
    return lambda *options: call(*start, *options)


@pytest.mark.timeout(1500)
def test_the_image_runs_as_an_ordinary_user(run: Call, image: str) -> None:
    """Commands without packets need no privilege; verify says what it lacks, and how to get it."""
    check = run(image, "check", "-f", "shop")

    assert (0, "0 errors" in check.stdout) == (check.returncode, True)
    assert run("--entrypoint", "id", image, "-u").stdout == "1000\n"
    assert 3 == run(image, "verify", "-f", "shop").returncode


@pytest.mark.parametrize(
    "options",
    [("--user", "root", "--cap-add", "NET_ADMIN,NET_RAW,SYS_ADMIN"), ("--security-opt", "unmask=/proc/sys")],
    ids=["root", "rootless"],
)
def test_packets_are_sent_with_the_documented_options(run: Call, image: str, options: tuple[str, ...]) -> None:
    """As root with three capabilities, and as the image's own user with user namespaces."""
    done = run(*options, image, "verify", "-f", "shop")

    assert 0 == done.returncode, done.stderr
    assert "20 pairs: 20 agree" in done.stdout


def test_the_documented_options_are_those_that_are_tested() -> None:
    """The page, the file and the test name the same."""
    for path in ("Containerfile", "docs/ci.md"):
        text = (REPOSITORY / path).read_text()
        assert "--cap-add NET_ADMIN,NET_RAW,SYS_ADMIN" in text
        assert "--security-opt unmask=/proc/sys" in text


def test_the_devcontainer_names_files_that_exist() -> None:
    """Its Containerfile and its command."""
    found = json.loads((REPOSITORY / ".devcontainer/devcontainer.json").read_text())

    assert (REPOSITORY / ".devcontainer" / found["build"]["dockerfile"]).is_file()
    assert os.access(REPOSITORY / found["postCreateCommand"].split()[0], os.X_OK)
    for schema in found["customizations"]["vscode"]["settings"]["yaml.schemas"]:
        assert (REPOSITORY / schema).is_file()
