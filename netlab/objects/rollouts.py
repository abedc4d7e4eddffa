"""How Deployments, StatefulSets and DaemonSets replace their pods after a change of the template.

Source: the Kubernetes API reference (apps/v1), and ValidateDeploymentStrategy, ValidateRollingUpdateDaemonSet and
ValidateStatefulSetSpec of pkg/apis/apps/validation.
"""

from __future__ import annotations

from typing import Any

from netlab.objects.field_types import NOT_32_BITS, Choice, Part, Raw, Whole, int_or_text
from netlab.objects.fields import Fields, forbidden, invalid, mistyped, required
from netlab.objects.shapes import Field, Shape
from netlab.objects.types import RolloutStrategy
from netlab.patterns import pattern

ROLLING, RECREATE, ON_DELETE = "RollingUpdate", "Recreate", "OnDelete"
_PERCENT_TEXT = "[0-9]+%"
_PERCENT = pattern(_PERCENT_TEXT)
_ALL = 100
_LONGEST = 20


def _pods(name: str, about: str) -> Raw:
    return Raw(name, about, type=lambda: {**int_or_text(0, 2**31 - 1)(), "pattern": f"^{_PERCENT_TEXT}$"})


class RollingDeployment(Shape):
    """How many pods a rolling update of a Deployment may have more or less."""

    surge = _pods("maxSurge", "The most pods beyond the wanted number, or a percentage of it; by default 25%.")
    unavailable = _pods("maxUnavailable", "The most pods that may be missing, or a percentage; by default 25%.")


class DeploymentStrategy(Shape):
    """How a Deployment replaces its pods after a change of the template."""

    type = Choice("type", "`Recreate` ends all pods first.", values=(ROLLING, RECREATE), default=ROLLING, blank=True)
    rolling = Part("rollingUpdate", "How many pods may be replaced at a time.", shape=RollingDeployment)


class RollingDaemonSet(Shape):
    """How many pods a rolling update of a DaemonSet replaces at a time."""

    surge = _pods("maxSurge", "The most nodes that get the new pod before the old one ends; by default 0.")
    unavailable = _pods("maxUnavailable", "The most nodes without a pod, or a percentage; by default 1.")


class DaemonSetStrategy(Shape):
    """How a DaemonSet replaces its pods after a change of the template."""

    type = Choice(
        "type", "`OnDelete` replaces killed pods only.", values=(ROLLING, ON_DELETE), default=ROLLING, blank=True
    )
    rolling = Part("rollingUpdate", "How many pods are replaced at a time.", shape=RollingDaemonSet)


class RollingStatefulSet(Shape):
    """Which pods of a StatefulSet a rolling update replaces, and how many at a time."""

    partition = Whole("partition", "Pods with a smaller number keep the old template.", default=0)
    unavailable = _pods("maxUnavailable", "The most pods that may be missing, or a percentage; by default 1.")


class StatefulSetStrategy(Shape):
    """How a StatefulSet replaces its pods after a change of the template."""

    type = Choice(
        "type", "`OnDelete` replaces killed pods only.", values=(ROLLING, ON_DELETE), default=ROLLING, blank=True
    )
    rolling = Part("rollingUpdate", "Which pods are replaced.", shape=RollingStatefulSet)


def of_deployment(fields: Fields) -> RolloutStrategy:
    """Decode ``spec.strategy`` of a Deployment."""
    of, rolling = DeploymentStrategy, RollingDeployment
    kind, part = of.type.read(fields), of.rolling.read(fields)
    some = _some(rolling.surge, part, 1), _some(rolling.unavailable, part, 1)
    if not of.type.known(fields):
        return RolloutStrategy(ROLLING)
    if kind == RECREATE:
        if of.rolling.has(fields):
            of.rolling.error(fields, forbidden("may not be specified when strategy `type` is 'Recreate'"))
        return RolloutStrategy(RECREATE)
    surge, unavailable = _number(part, rolling.surge, "25%"), _number(part, rolling.unavailable, "25%", most=_ALL)
    if some == (False, False):
        written = rolling.unavailable.written(part)
        rolling.unavailable.error(part, invalid(written, "may not be 0 when `maxSurge` is 0"))
    return RolloutStrategy(ROLLING, surge, unavailable)


def of_daemon_set(fields: Fields) -> RolloutStrategy:
    """Decode ``spec.updateStrategy`` of a DaemonSet."""
    of, rolling = DaemonSetStrategy, RollingDaemonSet
    kind, part = of.type.read(fields), of.rolling.read(fields)
    some = _some(rolling.surge, part, 0), _some(rolling.unavailable, part, 1)
    if kind == ON_DELETE or not of.type.known(fields):
        return RolloutStrategy(kind, 0, 1)
    surge = _number(part, rolling.surge, 0, most=_ALL)
    unavailable = _number(part, rolling.unavailable, 1, most=_ALL)
    if some == (False, False):
        rolling.unavailable.error(part, required("cannot be 0 when maxSurge is 0"))
    if some == (True, True):
        message = "may not be set when maxUnavailable is non-zero"
        rolling.surge.error(part, invalid(rolling.surge.written(part), message))
    return RolloutStrategy(kind, surge, 0 if not _is_zero(surge) else unavailable)


def of_stateful_set(fields: Fields) -> RolloutStrategy:
    """Decode ``spec.updateStrategy`` of a StatefulSet."""
    of, rolling = StatefulSetStrategy, RollingStatefulSet
    kind, part = of.type.read(fields), of.rolling.read(fields)
    some, partition = _some(rolling.unavailable, part, 1), rolling.partition.read(part) or 0
    if kind == ON_DELETE and of.rolling.has(fields):
        value = {"Partition": rolling.partition.written(part) or 0, "MaxUnavailable": rolling.unavailable.written(part)}
        of.rolling.error(fields, invalid(value, "only allowed for updateStrategy 'RollingUpdate'"))
    if kind == ON_DELETE or not of.type.known(fields):
        return RolloutStrategy(kind, 0, 1, 0)
    if partition < 0:
        rolling.partition.error(part, invalid(partition, "must be greater than or equal to 0"))
        partition = 0
    unavailable = _number(part, rolling.unavailable, 1, most=_ALL)
    if not some:
        rolling.unavailable.error(part, invalid(rolling.unavailable.written(part), "cannot be 0"))
    return RolloutStrategy(kind, 0, unavailable, partition)


def count(share: int | str, wanted: int, *, up: bool) -> int:
    """Return a number of pods, or a percentage of the wanted number, rounded ``up`` or down."""
    if isinstance(share, int):
        return share
    parts = wanted * int(share.removesuffix("%"))
    return -(-parts // 100) if up else parts // 100


def _some(field: Field[Any], fields: Fields, default: int) -> bool:
    """Say whether a number or a percentage, as it is written, is another one than 0."""
    value = field.written(fields)
    value = default if value is None else value
    if isinstance(value, str):
        # A text of another form counts as 0.
        digits = value.removesuffix("%") if _PERCENT.fullmatch(value) else value.lstrip("+-")
        return digits.isascii() and digits.isdecimal() and int(digits[:_LONGEST]) != 0
    return bool(value)


def _is_zero(value: int | str) -> bool:
    return value in (0, "0%")


def _number(fields: Fields, field: Field[Any], default: int | str, *, most: int | None = None) -> int | str:
    """Return a number of pods or a percentage."""
    value = field.read(fields)
    if value is None:
        return default
    if isinstance(value, int) and not isinstance(value, bool):
        if value >= 2**31 or value < -(2**31):
            field.error(fields, invalid(value, NOT_32_BITS))
            return default
        if value >= 0:
            return value
        field.error(fields, invalid(value, "must be greater than or equal to 0"))
    elif not isinstance(value, str):
        field.error(fields, invalid(value, mistyped(value, "a number or a percentage")))
    elif _PERCENT.fullmatch(value) is None:
        field.error(
            fields,
            invalid(
                value,
                "a valid percent string must be a numeric string followed by an ending '%'"
                " (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
            ),
        )
    elif most is not None and int(value.removesuffix("%")) > most:
        field.error(fields, invalid(value, "must not be greater than 100%"))
    else:
        return value
    return default
