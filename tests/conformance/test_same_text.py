"""What a cluster compiles to is a function of its input and of nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TEXTS = """
import hashlib
from netlab.cluster import resolve
from netlab.conformance import random_cases
from netlab.dataplane.node_rulesets import compiler
from netlab.objects import decode
from netlab.ruleset import differences

for case in random_cases.cases(80, seed=5):
    steps = compiler()
    before = {}
    for stage in case.stages:
        after = steps.compile(resolve(decode(stage.documents)[0]))
        texts = [ruleset.text() for ruleset in after.values()]
        texts += [one.text for one in differences(before, after).values()]
        print(case.name, hashlib.md5("".join(texts).encode()).hexdigest())
        before = after
"""


def test_compiling_does_not_depend_on_the_seed_of_hashes() -> None:
    """Python orders sets by hashes that differ from run to run; the texts are the same, byte by byte."""

    def printed(seed: int) -> str:
        environment = {**os.environ, "PYTHONHASHSEED": str(seed)}
        command = [sys.executable, "-c", TEXTS]
        return subprocess.run(
            command, cwd=Path(__file__).parents[2], env=environment, capture_output=True, text=True, check=True
        ).stdout

    first, *others = map(printed, (1, 2, 5))

    assert first.count("\n") >= 80
    assert [first, first] == others
