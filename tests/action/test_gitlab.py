"""The example for GitLab: its jobs are well formed, and their script lines run."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
FILE = REPOSITORY / "examples/gitlab/.gitlab-ci.yml"
# https://docs.gitlab.com/ci/yaml/
KEYWORDS = {"artifacts", "before_script", "extends", "image", "script", "tags"}


def test_the_jobs_are_well_formed() -> None:
    """Each job has a script, and only keywords of GitLab."""
    found = yaml.safe_load(FILE.read_text())
    jobs = {name: job for name, job in found.items() if name != "variables"}

    assert set() == {word for job in jobs.values() for word in job} - KEYWORDS
    assert {"policies", "packets"} == {name for name, job in jobs.items() if "script" in job}
    assert [] == [name for name, job in jobs.items() if job.get("extends", ".netlab") != ".netlab"]


@pytest.mark.kernel
@pytest.mark.parametrize("job", ["policies", "packets"])
def test_the_script_of_a_job_runs(workspace: Path, job: str) -> None:
    """In a repository with the folders of the variables; the files of the artifacts are there then."""
    found = yaml.safe_load(FILE.read_text())
    names = {name: str(value) for name, value in found["variables"].items()}
    lines = "\n".join(f'{name}="{value}"' for name, value in names.items() if name != "NETLAB")
    script = "\n".join(["set -e", lines, *found[job]["script"]])

    done = subprocess.run(["sh", "-c", script], cwd=workspace, capture_output=True, text=True, timeout=100, check=False)

    assert 0 == done.returncode, done.stderr
    artifacts = found[job]["artifacts"]
    for name in [*artifacts["paths"], *artifacts.get("reports", {}).values()]:
        assert (workspace / name).is_file()
