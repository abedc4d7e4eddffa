"""Causes as text: the object, the place and the field that changed, and what follows from it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from netlab.cluster.types import Cluster
from netlab.errors import place_text
from netlab.frozen import frozen
from netlab.objects.changed_objects import MISSING, ChangedObject, FieldChange
from netlab.objects.types import DIRECTIONS, Direction, Document
from netlab.policy.cluster_diff import Ends
from netlab.policy.clusters_between import ClustersBetween, Part, flow_by_name
from netlab.policy.decision import Decision, Match, Miss, Side
from netlab.policy.evaluate import evaluate, misses_of
from netlab.policy.reasons import named, where
from netlab.policy.tiers.tier import AskedPort
from netlab.quantity import quantity

_LONGEST = 80
_RULE = re.compile(r"spec\.(ingress|egress)\[\d+\]")
_PEER = re.compile(r"spec\.(ingress|egress)\[\d+\]\.(from|to)\[\d+\]")
_PORT = re.compile(r"spec\.(ingress|egress)\[\d+\]\.ports\[\d+\]")
_LABELS = re.compile(r"(?:metadata|spec\..*template\.metadata)\.labels(?:\.(?P<key>.*))?|labels(?:\.(?P<own>.*))?")
# The matchLabels of a selector, or one of them.
_SELECTED = re.compile(r"(?:.*\.)?(?P<selector>podSelector|namespaceSelector)\.matchLabels(?:\.(?P<key>.*))?")


@frozen
class Cause:
    """A part of a change that a verdict depends on.

    ``object`` is the object's kind and name. ``file``, ``line`` and ``path`` are in the new input, or in the old one if
    the object or the field was removed. ``what`` says what changed; ``message`` also says what follows.
    """

    object: str
    file: str
    line: int
    path: str
    message: str
    what: str = ""

    @property
    def brief(self) -> str:
        """The object, its place and what changed."""
        return f"{self.object} ({self.place}): {self.what}"

    @property
    def place(self) -> str:
        """The file and the line, if it is known."""
        return place_text(self.file, self.line)

    def __str__(self) -> str:
        return f"{self._where}: {self.message}"

    def in_lines(self) -> Iterator[str]:
        """Yield what changed, and below it what follows."""
        yield f"{self._where}: {self.what}"
        if self.message != self.what:
            yield f"  {self.message.removeprefix(f'{self.what}: ')}"

    @property
    def _where(self) -> str:
        return f"{self.object} ({self.place}){f' {self.path}' if self.path else ''}"

    def data(self) -> dict[str, Any]:
        """Return the cause as data for JSON."""
        return {name: getattr(self, name) for name in ("object", "file", "line", "path", "message")}


@frozen
class _Effect:
    """What a change does to a pair: the text, and the rule that allows, or that allowed."""

    text: str
    now: Match | None = None
    before: Match | None = None


def causes_text(between: ClustersBetween, parts: Sequence[Part], ends: Ends, asked: AskedPort) -> Iterator[Cause]:
    """Yield a cause for each part of a change; the first one says what follows for a pair of ``ends``."""
    effect = _effect(between, frozenset(parts), ends, asked)
    for at, part in enumerate(parts):
        changed = between.changed[part.object]
        field = None if part.field is None else between.fields(part.object)[part.field]
        document, path, what = _changed(changed, field, effect)
        message = f"{what}: {effect.text}" if effect.text and not at else what
        yield Cause(str(changed.key), document.source.file, document.source.line(path), path, message, what)


def _changed(changed: ChangedObject, field: FieldChange | None, effect: _Effect) -> tuple[Document, str, str]:
    """Return the document, the path and what changed there, as text."""
    noun = "policy" if changed.key.kind.endswith("Policy") else changed.key.kind
    if changed.new is None:
        assert changed.old is not None
        return changed.old, _path_in(changed, effect.before), f"{noun} deleted"
    if changed.old is None:
        return changed.new, _path_in(changed, effect.now), f"{noun} added"
    if field is None:
        return changed.new, "", f"{noun} changed"
    return (changed.old if field.new is MISSING else changed.new), field.path, _field_text(field)


def _path_in(changed: ChangedObject, match: Match | None) -> str:
    """Return the path of a rule if it is the changed object's, else ""."""
    if match is None or changed.key.kind != "NetworkPolicy":
        return ""
    own = f"{changed.key.namespace}/{changed.key.name}" == match.policy.meta.key
    return match.rule.path if own else ""


def _field_text(field: FieldChange) -> str:
    """Return what happened to a field as text."""
    path, old, new = field.path, field.old, field.new
    word = "added" if old is MISSING else "removed" if new is MISSING else "changed"
    value = old if new is MISSING else new
    labels = _LABELS.fullmatch(path)
    if labels is not None:
        key = labels["key"] or labels["own"]
        if key and word == "changed":
            return f"label {key}={_short(old)} changed to {key}={_short(new)}"
        if key:
            return f"label {key}={_short(value)} {word}"
    selected = _SELECTED.fullmatch(path)
    if selected is not None:
        return _selected_text(selected["selector"], selected["key"], field)
    if path in ("spec.ingress", "spec.egress") and word != "changed" and isinstance(value, list):
        return f"{quantity(len(value), f'{path[5:]} rule')} {word}"
    for shape, what in ((_RULE, "rule"), (_PEER, "peer"), (_PORT, "port")):
        if shape.fullmatch(path) and word != "changed":
            return f"{what} {'' if what == 'rule' else f'{_short(value)} '}{word}"
    name = path.rpartition(".")[2]
    if word == "changed":
        return f"{name} {_short(old)} changed to {_short(new)}"
    return f"{name} {_short(value)} {word}"


def _selected_text(selector: str, key: str | None, field: FieldChange) -> str:
    """Return what happened to matchLabels, or to one of them, as text."""

    def text(value: Any) -> str:
        labels = {key: value} if key else value if isinstance(value, dict) else {}
        return _short(",".join(f"{name}={one}" for name, one in labels.items()))

    noun = "label" if key else "labels"
    if field.old is MISSING:
        return f"{noun} {text(field.new)} added to {selector}"
    if field.new is MISSING:
        return f"{noun} {text(field.old)} removed from {selector}"
    return f"{noun} {text(field.old)} of {selector} changed to {text(field.new)}"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _effect(between: ClustersBetween, parts: frozenset[Part], ends: Ends, asked: AskedPort) -> _Effect:
    """Return what parts of a change do to a pair; the text is "" if an end was not there, or is not there now."""
    old, new = between.old.cluster, between.new.cluster
    flows = [None if of is None else flow_by_name(of, ends, asked) for of in (old, new, between.cluster(parts))]
    if flows[0] is None or flows[1] is None:
        return _Effect("")
    was, now = evaluate(old, flows[0]), evaluate(new, flows[1])
    if now.verdict in ("some", "unknown") or now.backends or was.backends or was.path.connected != now.path.connected:
        return _Effect(now.reason)
    reverted = between.cluster(parts)
    without = was if reverted is None or flows[2] is None else evaluate(reverted, flows[2])
    # The sides that these parts decide about; another part may decide about the other side.
    sides = [one for one in DIRECTIONS if _verdict(without, one) != _verdict(now, one)]
    if now.verdict == "allow":
        return _opened(was, now, sides)
    return _closed(new, was, now, sides)


def _verdict(decision: Decision, direction: Direction) -> str:
    side = _side(decision, direction)
    return "allow" if side is None else side.verdict


def _opened(was: Decision, now: Decision, sides: Sequence[str]) -> _Effect:
    for side in was.sides:
        if side.verdict == "allow" or side.direction not in sides:
            continue
        after = _side(now, side.direction)
        if after is None or not after.isolating:
            if after is not None and after.allowed_by:
                verb = " allows it" if after.cluster_policy is not None else ""
                return _Effect(f"{after.allowed_by}{verb}")
            return _Effect(f"nothing isolates {side.subject.ref} for {side.direction} any more")
        if after.allowing:
            return _Effect(f"{after.allowing[0]} allows it", now=after.allowing[0])
        return _Effect(after.allowed_by or now.reason)
    return _Effect(now.reason)


def _closed(cluster: Cluster, was: Decision, now: Decision, sides: Sequence[str]) -> _Effect:
    for side in now.sides:
        if side.verdict == "allow" or side.direction not in sides:
            continue
        before = _side(was, side.direction)
        missed = misses_of(cluster, now)[side.direction]
        first = before.allowing[0] if before is not None and before.allowing else None
        nearest = _nearest(missed, first)
        admits = f"no rule admits it{f'; nearest: {nearest}' if nearest else ''}"
        if not side.isolating:
            return _Effect(now.reason)
        if before is None or not before.isolating:
            verb = "isolates" if len(side.isolating) == 1 else "isolate"
            return _Effect(f"{named(*side.isolating)} {verb} {side.subject.ref} for {side.direction}, and {admits}")
        return _Effect(f"{first} allowed it; now {admits}" if first else admits, before=first)
    return _Effect(now.reason)


def _side(decision: Decision, direction: Direction) -> Side | None:
    return decision.ingress if direction == "ingress" else decision.egress


def _nearest(missed: Sequence[Miss], before: Match | None) -> str:
    """Return the rule that comes closest to a match, and why it does not match.

    That is the rule that allowed the pair before, else one whose peer matches, else one with the fewest mismatches.
    """
    allowed = None if before is None else (before.policy.meta.key, before.rule.path)

    def rank(miss: Miss) -> tuple[int, int]:
        if miss.rule is None:
            return 4, 0
        if (miss.policy.meta.key, miss.rule.path) == allowed:
            return 0, 0
        partly = "match" in miss.why and "requirement" in miss.why
        return (1 if miss.why.startswith("port") else 2 if partly else 3), miss.why.count(" and ")

    if not missed:
        return ""
    near = min(missed, key=rank)
    if near.rule is None:
        return f"{named(near.policy)} {near.why}"
    return f"{named(near.policy)} {near.rule.path}{where(near.policy, near.rule)}: {near.why}"
