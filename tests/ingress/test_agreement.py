"""``route`` and nginx agree on random Ingresses and requests."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import ingresses
import pytest
from builders import pod as pod_object
from ingress_lab import CLIENT, ingress, ingress_lab, pod, service, topology

from netlab.programs.ingress_routes import route

NAMES = ("a", "b", "c")
PATHS = ("/", "/a", "/a/", "/a/b", "/a/b/", "/ab", "/A", "/a.b", "/a%20b", "/b/c/d", "/~x", "/a;b", "/%61")
REQUESTS = (*PATHS, "//", "/a//", "/a//b", "/a/b/c", "/a/../b", "/b/./c/d/", "/a?x=/b", "/a%2Fb", "/..", "/a/b?", "/x")
HOSTS = ("x.example", "*.example", "y.x.example", "*.x.example", "", "z.other")
ASKED = ("x.example", "y.example", "y.x.example", "q.x.example", "a.b.x.example", "z.other", "other")


def _drawn(draw: random.Random) -> list[tuple[str, list[tuple[str, list[str]]], str]]:
    """Return Ingresses: name, rules and default backend."""
    found = []
    for number in range(draw.randint(2, 5)):
        rules = []
        for host in draw.sample(HOSTS, draw.randint(1, 3)):
            paths = draw.sample(PATHS, draw.randint(1, 5))
            rules.append((host, [f"{draw.choice('=^~')}{path} {draw.choice((*NAMES, 'none'))}:80" for path in paths]))
        found.append((f"shop/i{number}", rules, f"{draw.choice(NAMES)}:80" if draw.random() < 0.3 else ""))
    return found


@pytest.mark.parametrize("seed", range(4))
def test_route_says_what_nginx_does(unique: Callable[[str], str], tmp_path: Path, seed: int) -> None:
    """Each request of every host: the same Service answers, or nginx answers the same status."""
    drawn = _drawn(random.Random(seed))  # noqa: S311  no secret
    services = [ingresses.service(f"shop/{name}") for name in (*NAMES, "none")]
    pods = [pod_object(f"shop/{name}-0", f"app={name}") for name in NAMES]
    lab_objects = [ingresses.ingress(name, rules, default=default) for name, rules, default in drawn]
    cluster = ingresses.cluster(*pods, *services, *lab_objects)
    asked = [(host, path) for host in ASKED for path in REQUESTS]
    expected = [_answer(route(cluster, host, path)) for host, path in asked]
    with ingress_lab(unique("ing"), tmp_path) as lab:
        documents = [ingress(name, rules, default=default) for name, rules, default in drawn]
        backends = [*(pod(f"shop/{name}-0", name) for name in NAMES), *(service(f"shop/{n}") for n in (*NAMES, "none"))]
        lab.up([topology(), pod(CLIENT, server=False), *backends, *documents])
        lab.ready()
        connect = f"::{lab.address('ingress-nginx/controller')}:"
        options = f'silent\npath-as-is\ngloboff\nconnect-to = "{connect}"\nwrite-out = "\\n@%{{http_code}}\\n"\n'
        urls = "\nnext\n".join(f'{options}url = "http://{host}{path}"' for host, path in asked)
        file = tmp_path / "requests"
        file.write_text(urls)
        said = lab.run(CLIENT, "curl", "-K", str(file)).stdout
    measured = _split(said)

    assert len(asked) == len(measured)
    wrong = [(*one, want, got) for one, want, got in zip(asked, expected, measured, strict=True) if want != got]
    assert [] == wrong


def _answer(found: Any) -> str:
    return str(found.status) if found.status else cast(str, found.location.backend.service.meta.name)


def _split(said: str) -> list[str]:
    """Return what each answer says: the name of the Service, or the status."""
    found, body = [], ""
    for line in said.splitlines():
        if line.startswith("@"):
            found.append(_measured(body, line[1:]))
            body = ""
        else:
            body += line
    return found


def _measured(body: str, status: str) -> str:
    return json.loads(body)["hostname"].split("-")[0] if status == "200" else status
