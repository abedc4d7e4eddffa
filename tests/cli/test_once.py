"""A command reads, resolves and compiles its input at most once, and only as far as it needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
SHOP = ("-f", "examples/shop")
# Counts calls of functions, whoever imported them by name, and the files that are read.
COUNTER = """\
import json, sys
from collections import Counter
from netlab.cluster import try_resolve
from netlab.cluster.resolve_change import resolve_change
from netlab.objects.files import text_of
from netlab.ruleset import Compiler
from netlab.cli import main

counted = {"resolve": try_resolve, "resolve_change": resolve_change, "compile": Compiler.compile}
names = {function.__code__: name for name, function in counted.items()}
calls, files = Counter(), Counter()

def count(frame, event, argument):
    if event == "call":
        if frame.f_code in names:
            calls[names[frame.f_code]] += 1
        elif frame.f_code is text_of.__code__:
            files[frame.f_locals["path"]] += 1

sys.setprofile(count)
try:
    main()
finally:
    sys.setprofile(None)
    json.dump([max(files.values(), default=0), *map(calls.__getitem__, counted)], sys.stderr)
"""


def counts(*arguments: object) -> list[int]:
    """Return how often a command reads its most read file, resolves, goes on from what it resolved, and compiles."""
    done = subprocess.run(
        [sys.executable, "-c", COUNTER, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
        env={**os.environ, "COLUMNS": "120"},
        timeout=120,
    )
    assert 0 == done.returncode, done.stderr
    found: list[int] = json.loads(done.stderr.splitlines()[-1])
    return found


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("check", *SHOP), [1, 1, 0, 0]),
        (("check", "-f", "scenarios/03-label-pair.yaml"), [1, 2, 2, 0]),  # its own objects, and the scenario's
        (("lint", *SHOP), [1, 1, 0, 0]),
        (("reach", *SHOP), [1, 1, 0, 0]),
        (("reach", *SHOP, "-o", "json"), [1, 1, 0, 0]),
        (("reach", *SHOP, "--group"), [1, 1, 0, 0]),
        (("explain", "shop/web", "shop/db", *SHOP), [1, 1, 0, 0]),
        (("compile", *SHOP), [1, 1, 0, 1]),
        (("--help",), [0, 0, 0, 0]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value[0], str) else "",
)
def test_a_command_without_a_kernel(arguments: tuple[str, ...], expected: list[int]) -> None:
    """The counts are those of files, resolve, resolve_change and compile."""

    assert expected == counts(*arguments)


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("verify", *SHOP), [1, 1, 0, 1]),
        # Its changes are followed twice, when it is rehearsed and in the lab; only what comes first is resolved.
        (("test", "scenarios/03-label-pair.yaml"), [1, 1, 4, 3]),
    ],
    ids=lambda value: value[0] if isinstance(value[0], str) else "",
)
def test_a_command_with_a_lab_of_its_own(arguments: tuple[str, ...], expected: list[int]) -> None:
    """The lab is built from the cluster of the check."""

    assert expected == counts(*arguments)


@pytest.mark.kernel
def test_a_lab_is_built_from_what_was_resolved_to_check_it(
    program: Callable[..., object], unique: Callable[[str], str]
) -> None:
    """``up`` reads, resolves and compiles once."""
    name = unique("once")
    try:
        assert [1, 1, 0, 1] == counts("up", *SHOP, "--lab", name)
    finally:
        program("down", name)


@pytest.mark.kernel
def test_a_question_about_a_running_lab_resolves_once_and_compiles_nothing(
    program: Callable[..., object], unique: Callable[[str], str]
) -> None:
    """No file is read but the record. Its objects are resolved, and no ruleset is needed."""
    name = unique("asked")
    pair = ("shop/web", "shop/db:5432")
    try:
        program("up", *SHOP, "--lab", name)
        for asked in (("verify",), ("reach",), ("explain", *pair), ("probe", *pair)):
            assert [0, 1, 0, 0] == counts(*asked, "--lab", name), asked
    finally:
        program("down", name)
