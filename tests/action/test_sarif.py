"""Logs of ``netlab lint`` against the standard's own schema, which a package of npm has."""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from linting import linted

from netlab.policy.lint import all_rules
from netlab.report.lint import Lint

PACKAGE = "@microsoft/jest-sarif@1.0.0-beta.0"


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The schema of SARIF 2.1.0."""
    if shutil.which("npm") is None:
        pytest.skip("no npm")
    folder = tmp_path_factory.mktemp("npm")
    subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=folder, check=True, capture_output=True, timeout=300)
    (archive,) = folder.glob("*.tgz")
    with tarfile.open(archive) as files:
        (name,) = (one for one in files.getnames() if "schemas/sarif-2.1.0" in one)
        content = files.extractfile(name)
        assert content is not None
        return json.load(content)


def test_a_log_of_everything_that_rules_find_is_valid(schema: Any) -> None:
    """Draft 4, with the formats of addresses."""
    validator = jsonschema.Draft4Validator(schema, format_checker=jsonschema.FormatChecker())
    for rule in all_rules():
        log = Lint(linted(rule.examples()[0]), all_rules(), root=str(Path.cwd()), version="1").log()

        validator.validate(log)
