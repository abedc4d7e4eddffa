"""A Topology's network whose links plugins make: its configuration list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from netlab import modes
from netlab.cni.conflist import Conflist, ConflistError, conflist
from netlab.modes import cni
from netlab.modes.wiring import Wiring
from netlab.objects.fields import Fields, invalid, mistyped, required
from netlab.objects.types import Prefix

if TYPE_CHECKING:
    from netlab.objects.topology_shapes import NetworkShape


def with_plugins(
    fields: Fields, shape: type[NetworkShape], mode: str, wiring: Wiring, own: tuple[Prefix, ...]
) -> tuple[tuple[Prefix, ...], Conflist | None]:
    """Return the podCIDRs of a network and its list; the list's own ranges are the podCIDRs where none is written."""
    value = shape.conflist.read(fields)
    if value is not None and not isinstance(value, (str, dict)):
        shape.conflist.error(fields, invalid(value, mistyped(value, "a string")))
        return own, None
    if not modes.of(mode).attachment.by_plugins:
        shape.conflist.error(fields, f"needs mode {cni.MODE.name}")
        return own, None
    if value is None:
        shape.conflist.error(fields, required(f"mode {mode} takes the pods' links from it"))
        return own, None
    if isinstance(value, str):
        # The reader puts the file's content in the place of its name.
        shape.conflist.error(fields, invalid(value, "must be a file, and this input comes from no file"))
        return own, None
    try:
        found = conflist(_plain(value))
    except ConflistError as error:
        for path, message in error.problems:
            fields.report.error(f"{shape.conflist.at(fields)}.{path}".rstrip("."), message)
        return own, None
    if not wiring.attachment and cni.attachment_of(found.kind) is None:
        message = f"netlab does not know how plugin {found.kind} joins pods to nodes: say it, with the nearest value"
        fields.report.error(f"{shape.wiring.at(fields)}.attachment", required(message))
    if wiring.over(Wiring()) != Wiring(attachment=wiring.attachment):
        shape.wiring.error(fields, f"may have attachment only in mode {mode}: plugins wire the pods")
    ranges = found.ranges
    if not ranges or not shape.pod_cidrs.empty(fields):
        return own, found
    if len({cidr.version for cidr in ranges}) < len(ranges):
        shape.pod_cidrs.error(fields, required(f"the list has several ranges of a family: {_listed(ranges)}"))
    return ranges, found


def _plain(value: object) -> object:
    """Return a copy that is read whole, so that the record keeps all of it."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def _listed(ranges: Sequence[Prefix]) -> str:
    return ", ".join(map(str, ranges))
