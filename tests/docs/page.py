"""Run all code blocks of a page as a reader would type them: ``python tests/docs/page.py PAGE FOLDER``, as root.

The process first leaves the host's network and mount namespaces and mounts an empty file system on ``/run``. So its
labs touch no lab of the host, and a lab of the host does not answer. It prints what is not as the page says, and then
exits with 1. PYTHONPATH has the repository and its tests.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from doc_blocks import REPOSITORY, Block, blocks, fits

from benchmarks import private

_SECONDS = 120


def problems(page: str, folder: Path) -> Iterator[str]:
    """Yield what is not as the page says."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("NETLAB_", "SUDO_"))},
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin:/sbin",
        "COLUMNS": "120",
        "HOME": str(folder),
        # Where a step of GitHub Actions writes its summary.
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
    }
    for block in blocks():
        if block.page != page or block.reason or block.own_test:
            continue
        if block.language == "console":
            yield from _session(block, folder, environment)
        elif block.language in ("sh", "python"):
            words = ["sh", "-ec", block.text] if block.language == "sh" else [sys.executable, "-c", block.text]
            code, output = _run(words, folder, environment)
            if code:
                yield f"{page}:{block.line}: exit code {code}\n{output}"


def _session(block: Block, folder: Path, environment: dict[str, str]) -> Iterator[str]:
    for command in block.commands:
        line = command.line.removeprefix("sudo ")
        _, output = _run(["sh", "-c", line], folder, environment, errors=False)
        if not fits(command.expected or "", output):
            yield f"{block.page}:{block.line}: $ {line} printed\n{output}"


def _run(words: list[str], folder: Path, environment: dict[str, str], errors: bool = True) -> tuple[int, str]:
    """Run a command to its end; what it leaves in the background goes on. Return messages if ``errors`` or alone."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        code = subprocess.run(
            words,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            timeout=_SECONDS,
            check=False,
        ).returncode
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read())
    output, messages = texts
    return code, output + messages if errors or not output else output


def prepare(folder: Path) -> None:
    """Give a folder what pages speak of."""
    for name in ("examples", "scenarios", "topologies"):
        shutil.copytree(REPOSITORY / name, folder / name)
    shutil.copytree(REPOSITORY / "examples" / "shop", folder / "manifests")
    (folder / "docs").mkdir()
    # A scenario reads files of its repository.
    (folder / ".git").mkdir()


if __name__ == "__main__":
    private.enter()
    place = Path(sys.argv[2])
    prepare(place)
    found = list(problems(sys.argv[1], place))
    # In this mount namespace only: /run is its own.
    subprocess.run([sys.executable, "-m", "netlab", "down", "--all"], cwd=REPOSITORY, check=False, capture_output=True)
    print("\n".join(found))
    sys.exit(bool(found))
