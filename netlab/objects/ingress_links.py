"""What Ingresses, IngressClasses and TLS Secrets of an input mean together.

An Ingress without a class gets the default class, as the API server's admission plugin DefaultIngressClass does it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from netlab.errors import Problem
from netlab.objects.ingresses import Ingress, IngressClass, TlsSecret
from netlab.objects.meta import DEFAULT_CLASS
from netlab.objects.tls_secrets import WITHOUT_CERTIFICATE


def linked(ingresses: Iterable[Ingress], classes: Iterable[IngressClass]) -> list[Ingress]:
    """Return the Ingresses; each without a class has the default one, if there is exactly one."""
    defaults = [one.meta.name for one in classes if one.default]
    if len(defaults) != 1:
        return list(ingresses)
    return [one if one.class_name else replace(one, class_name=defaults[0]) for one in ingresses]


def link_problems(of: Mapping[type, list[Any]]) -> list[Problem]:
    """Return the problems of Ingresses, IngressClasses and TLS Secrets together; ``of`` has the objects by type.

    With several default classes, the API server refuses an Ingress without a class.
    """
    ingresses: list[Ingress] = of.get(Ingress, [])
    classes: list[IngressClass] = of.get(IngressClass, [])
    secrets = {one.meta.key: one for one in of.get(TlsSecret, [])}
    defaults = [one for one in classes if one.default]
    problems = [_second_default(defaults[0], one) for one in defaults[1:]]
    for ingress in ingresses:
        if len(defaults) > 1 and not ingress.class_name:
            message = f"Forbidden: {len(defaults)} default IngressClasses were found, only 1 allowed"
            problems.append(_problem(ingress, "spec.ingressClassName", message, "error"))
        for tls in ingress.tls:
            if tls.secret and f"{ingress.meta.namespace}/{tls.secret}" not in secrets:
                message = (
                    f"no Secret {ingress.meta.namespace}/{tls.secret} of type kubernetes.io/tls in the input: "
                    "give it together with the Ingress, as netlab keeps no Secret that no Ingress names"
                )
                problems.append(_problem(ingress, f"{tls.place}.secretName", message, rule=WITHOUT_CERTIFICATE))
    return problems


def _second_default(first: IngressClass, other: IngressClass) -> Problem:
    path = f"metadata.annotations.{DEFAULT_CLASS}"
    message = f"a second default IngressClass beside {first.meta.name}"
    return _problem(other, path, message, rule="default-classes")


def _problem(one: Any, path: str, message: str, severity: Any = "warning", *, rule: str = "") -> Problem:
    kind = type(one).__name__
    return Problem(one.source.file, one.source.line(path), path, f"{kind} {one.meta.key}", message, severity, rule)
