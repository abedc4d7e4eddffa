"""The API server judges ``netlab check``: random objects are accepted and refused alike, in the same words.

``NETLAB_OBJECTS`` is the number of objects of each kind (``make verify-apiserver``), ``NETLAB_SEED`` the seed. Where
netlab differs on purpose, ``differences`` has a rule with the reason.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest
import yaml

from . import differences
from .apiserver_judge import Judge, Verdict, netlab_verdict
from .control_plane import ControlPlane, path_of
from .random_objects import random_objects
from .whole_objects import CUSTOM, NAMESPACE, WHOLE

pytestmark = pytest.mark.control_plane
COUNT = int(os.environ.get("NETLAB_OBJECTS", "100"))
SEED = int(os.environ.get("NETLAB_SEED", "0"))
_SERVED = "/apis/policy.networking.k8s.io/v1beta1/clusternetworkpolicies"
_SERVED_SECONDS = 30.0
_MODULE = "sigs.k8s.io/network-policy-api@v0.3.0"
_CRDS = "config/crd/experimental"


@pytest.fixture(scope="module")
def judge(control_plane: ControlPlane) -> Judge:
    """Return the API server with the namespace of the objects."""
    control_plane.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    return Judge(control_plane)


@pytest.fixture(scope="module")
def custom(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Install the definitions of cluster-wide policies, from the Go module that has them; other tests have them not."""
    if shutil.which("go") is None:
        pytest.skip("needs go")
    words = ["go", "mod", "download", "-json", _MODULE]
    found = subprocess.run(words, cwd=tmp_path_factory.mktemp("go"), capture_output=True, check=False)
    if found.returncode:
        pytest.skip(f"needs the Go module {_MODULE}")
    files = sorted((Path(json.loads(found.stdout)["Dir"]) / _CRDS).glob("policy.*.yaml"))
    assert files
    definitions = [yaml.safe_load(file.read_text()) for file in files]
    for one in definitions:
        control_plane.create(one)
    _until(control_plane, HTTPStatus.OK)
    yield
    for one in definitions:
        control_plane.call("DELETE", f"{path_of(one)}/{one['metadata']['name']}")
    _until(control_plane, HTTPStatus.NOT_FOUND)


def _until(control_plane: ControlPlane, status: int) -> None:
    """Wait until the API server has the kind of cluster-wide policies, or no longer."""
    until = time.monotonic() + _SERVED_SECONDS
    while control_plane.call("GET", _SERVED)[0] != status:
        assert time.monotonic() < until
        time.sleep(0.2)


@pytest.mark.parametrize("kind", WHOLE)
def test_netlab_check_agrees_with_the_api_server(judge: Judge, kind: str) -> None:
    """Both accept an object or refuse it, with the same paths and messages, but for the named differences."""
    agree(judge, kind)


@pytest.mark.parametrize("kind", CUSTOM)
@pytest.mark.usefixtures("custom")
def test_netlab_check_agrees_about_cluster_wide_policies(judge: Judge, kind: str) -> None:
    """The definitions are those of network-policy-api, of the experimental channel."""
    agree(judge, kind)


def agree(judge: Judge, kind: str) -> None:
    objects = list(random_objects(kind, COUNT, SEED))
    verdicts = judge.verdicts(objects)
    left = []
    for one, server in zip(objects, verdicts, strict=True):
        left += [f"{one}: {text}" for text in differences.compare(one, server, netlab_verdict(one))[0]]

    accepted = Counter(verdict.accepted for verdict in verdicts)
    assert not left, "\n".join(left[:20])
    assert accepted[True] > COUNT / 10
    assert accepted[False] > COUNT / 10


def test_whole_objects_are_accepted_by_both(judge: Judge) -> None:
    """Random objects begin with these, so a field that is hostile is the reason of a refusal."""
    objects = [one for of_kind in WHOLE.values() for one in of_kind]

    assert [Verdict(True)] * len(objects) == judge.verdicts(objects)
    assert [Verdict(True)] * len(objects) == list(map(netlab_verdict, objects))
