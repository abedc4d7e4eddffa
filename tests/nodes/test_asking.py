"""Questions of probes and hooks: each has an answer, as the thread that asks is lost otherwise."""

from __future__ import annotations

import errno
import os
from types import SimpleNamespace
from typing import Any

from builders import cluster, pod

from netlab.control_plane.nodes import asking
from netlab.control_plane.nodes.pod_programs import PodPrograms
from netlab.control_plane.nodes.readiness import Probe
from netlab.errors import NotFound


def test_a_pod_that_this_process_cannot_ask_is_silent():
    """With too many open files no namespace can be entered. That says nothing about the pod."""

    def full(namespace: str) -> Any:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    assert "silence" == asked(full)


def test_a_pod_whose_node_is_gone_is_nobody():
    """No program is there that could answer."""

    def gone(namespace: str) -> Any:
        raise NotFound(namespace, errno.ENOENT)

    assert "nobody" == asked(gone)


def test_a_probe_whose_command_cannot_start_is_silent(monkeypatch):
    """The next look asks again."""

    def full(*arguments: Any, **more: Any) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    probe = Probe(0, container="c", command=("true",))
    one = {"metadata": {"namespace": "x", "name": "a", "uid": "u"}, "spec": {}}
    programs = PodPrograms.__new__(PodPrograms)
    monkeypatch.setattr(os, "open", full)

    assert "silence" == programs.ask(one, probe)


def asked(inside: Any) -> Any:
    """What a question to the one pod of a lab says."""
    lab: Any = SimpleNamespace(name="t", cluster=cluster(pod("x/a")), machine=SimpleNamespace(inside=inside))
    return asking.ask_pod(lab, ("x", "a"), 80, 1.0, b"")
