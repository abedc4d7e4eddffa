"""Suggested policies as a result: YAML with comments, the four lists, and the proof.

The document (``-o json``) is::

    {"apiVersion": "netlab/v1alpha1", "kind": "Suggestion", "lab": NAME,
     "policies": [NetworkPolicy…], "replaced": ["shop/old"],
     "allowed": [{"source": "shop/web", "destination": "shop/db", "protocol": "TCP", "port": 5432,
                  "because": ["env DB_URL of … (shop.yaml:12)"],
                  "pairs": {"allow": 2, "deny": 0, "unknown": 0}}],
     "missing": […], "notNeeded": [{"source": "shop/web-0", "destination": "shop/db-0", "family": 4, …, "pairs": 2}],
     "unknown": [{"message": "…", "place": "shop.yaml:14"}], "notes": ["…"],
     "proof": {"holds": true, "needed": 12, "denied": 300, "leftAlone": 0, "outside": 0,
               "missing": [], "extra": [], "notJoined": [], "unknown": [],
               "packets": {"pairs": 312, "agree": 312, "differ": 0, "inconclusive": 0, "unknown": 0}}}

``allowed`` has the needs that pass today, ``missing`` those that today's policies deny. ``packets`` is null if none
were sent; ``packetsSkipped`` then says why.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from netlab.quantity import quantity
from netlab.report import yaml_text
from netlab.report.documents import API_VERSION

if TYPE_CHECKING:
    from netlab.policy.suggest.drafts import PolicyDraft
    from netlab.policy.suggest.results import Pairs
    from netlab.policy.suggest.suggestion import Connection, Suggestion
    from netlab.report.comparison import Measured

# The most comments of a rule, and the most characters of one.
_MOST_COMMENTS = 8
_MOST_CHARACTERS = 200
# The most names in a command.
_NAMES = 5
# The most lines of a list, unless all are asked for.
_MOST_LINES = 20


class SuggestedPolicies:
    """Suggested policies; ``packets`` is the proof by packets; its ``why_not`` says why none were sent.

    ``assumed`` says how the question changes the input.
    """

    def __init__(self, lab: str, found: Suggestion, packets: Measured, assumed: str = "") -> None:
        self.lab = lab
        self.found = found
        self.packets = packets
        self._assumed = assumed

    @property
    def proven(self) -> bool:
        """Whether all that is needed passes and nothing else does, as far as it was asked."""
        counts = self.packets.counts
        return self.found.proof.holds and not (counts.get("differ") or counts.get("inconclusive"))

    def manifests(self) -> Iterator[str]:
        """Yield the policies as YAML, with a comment for each rule."""
        found = self.found
        if not found.drafts:
            yield "# nothing to suggest: no needs and no policies were found"
            return
        yield _comment("Suggested by netlab. They allow what is needed, and nothing else.")
        if self._assumed:
            yield _comment(f"What if: {self._assumed}.")
        if found.replaced:
            names = f"{', '.join(found.replaced[:5])}{', …' if len(found.replaced) > 5 else ''}"
            yield _comment(f"They replace {quantity(len(found.replaced), 'policy', 'policies')}: {names}.")
            yield from self._deletions()
        for draft in found.drafts:
            yield "---"
            yield from _lines(draft)

    def _deletions(self) -> Iterator[str]:
        """Yield the commands that delete the policies of the input for which no suggested one has the name."""
        kept = {f"{draft.namespace}/{draft.name}" for draft in self.found.drafts}
        old: dict[str, list[str]] = {}
        for key in self.found.replaced:
            namespace, _, name = key.partition("/")
            if key not in kept:
                old.setdefault(namespace, []).append(name)
        commands = [
            f"kubectl delete networkpolicy -n {namespace} {' '.join(names[at : at + _NAMES])}"
            for namespace, names in old.items()
            for at in range(0, len(names), _NAMES)
        ]
        if commands:
            yield _comment("After applying them, delete the old ones:")
            yield from (f"#   {command}" for command in commands[:_MOST_LINES])
        if len(commands) > _MOST_LINES:
            yield _comment("  and more; -o json lists them all under replaced")

    def document(self) -> dict[str, Any]:
        """Return the Suggestion document."""
        found, proof = self.found, self.found.proof
        packets = {"packets": None, "packetsSkipped": self.packets.why_not}
        return {
            "apiVersion": API_VERSION,
            "kind": "Suggestion",
            "lab": self.lab,
            "policies": [draft.data() for draft in found.drafts],
            "replaced": list(found.replaced),
            "allowed": [_connection(one) for one in found.allowed],
            "missing": [_connection(one) for one in found.missing],
            "notNeeded": [_pairs(one) for one in found.not_needed],
            "unknown": [{"message": one.message, "place": one.place} for one in found.unknown],
            "notes": list(found.notes),
            "proof": {
                "holds": self.proven,
                "needed": proof.needed,
                "denied": proof.denied,
                "leftAlone": proof.left_alone,
                "outside": proof.outside,
                "missing": [_pairs(one) for one in proof.missing],
                "extra": [_pairs(one) for one in proof.extra],
                "notJoined": [_pairs(one) for one in proof.unjoined],
                "unknown": [_pairs(one) for one in proof.unknown],
                **(packets if self.packets.why_not else {"packets": dict(self.packets.counts)}),
            },
        }

    def lists(self, *, whole: bool = False) -> Iterator[str]:
        """Yield the four lists and the proof as lines of text; ``whole`` leaves out nothing."""
        found, most = self.found, None if whole else _MOST_LINES
        if not found.keep:
            yield from _list("Needed and allowed today", map(_reasoned, found.allowed), most)
            yield from _list("Needed and missing (denied today)", map(_reasoned, found.missing), most)
            number = sum(one.pairs for one in found.not_needed)
            title = f"Allowed today and not needed ({quantity(number, 'pair')})"
            yield from _list(title, map(str, found.not_needed), most)
            unsure = [f"{one}: a policy that netlab does not read decides" for one in found.proof.unknown]
            yield from _list("Unknown", (*map(str, found.unknown), *unsure), most)
        yield from found.notes
        yield from self._proof_lines(most)

    def _proof_lines(self, most: int | None) -> Iterator[str]:
        from netlab.policy.suggest.drafts import number_of_rules

        found, proof = self.found, self.found.proof
        rules = quantity(number_of_rules(found.drafts), "rule")
        yield f"{quantity(len(found.drafts), 'policy', 'policies')} with {rules}"
        if found.keep:
            same = "every pair has the verdict that it has today"
            text = same if proof.holds else f"{sum(one.pairs for one in proof.extra)} pairs change"
            yield f"Proof by the evaluator: {text} ({proof.needed} allowed, {proof.denied} denied)"
        else:
            needed = quantity(proof.needed, "needed pair passes", "needed pairs pass")
            others = quantity(proof.denied, "other pair does not", "other pairs do not")
            yield f"Proof by the evaluator: {needed}, {others}"
            if proof.outside:
                pods = quantity(proof.outside, "pod connects", "pods connect")
                yield f"  {pods} with needed addresses outside of the cluster, as far as policies decide"
            if proof.left_alone:
                alone = quantity(proof.left_alone, "pair")
                yield f"  {alone} not judged: in namespaces without a suggestion, or not decided by policies"
            if proof.unjoined:
                number = sum(one.pairs for one in proof.unjoined)
                yield f"  {quantity(number, 'needed pair')} without a path in the lab's wiring"
        yield from (f"  {line}" for line in _cut((f"does not pass: {one}" for one in proof.missing), most))
        yield from (f"  {line}" for line in _cut((f"passes and is not needed: {one}" for one in proof.extra), most))
        if self.packets.why_not:
            yield f"Proof by packets: no packets sent: {self.packets.why_not}"
        else:
            yield f"Proof by packets: {self.packets}"
            yield from (f"  {line}" for line in self.packets.wrong)


def _reasoned(one: Connection) -> str:
    more = f" and {len(one.because) - 1} more" if len(one.because) > 1 else ""
    part = f" ({one.denied} of {one.allowed + one.denied} pairs denied)" if one.denied and one.allowed else ""
    return f"{one}{part}: {one.because[0]}{more}"


def _list(title: str, found: Iterable[str], most: int | None) -> Iterator[str]:
    items = list(found)
    yield f"{title}: {len(items)}" if items else f"{title}: none"
    yield from (f"  {line}" for line in _cut(items, most))


def _cut(found: Iterable[str], most: int | None) -> Iterator[str]:
    items = list(found)
    yield from items[:most]
    if most is not None and len(items) > most:
        yield f"and {len(items) - most:,} more; -v prints them all"


def _connection(one: Connection) -> dict[str, Any]:
    return {
        "source": one.source,
        "destination": one.destination,
        "protocol": one.protocol,
        "port": one.port,
        "because": list(one.because),
        "pairs": {"allow": one.allowed, "deny": one.denied, "unknown": one.unknown},
    }


def _pairs(one: Pairs) -> dict[str, Any]:
    family, protocol, port = one.asked
    return {
        "source": one.source.ref,
        "destination": one.destination.ref,
        "family": family,
        "protocol": protocol,
        "port": port,
        "pairs": one.pairs,
        "reason": one.why,
    }


def _lines(draft: PolicyDraft) -> Iterator[str]:
    from netlab.objects.types import DIRECTIONS

    data = draft.data()
    spec = data.pop("spec")
    yield from map(_comment, draft.comments)
    yield from yaml_text.lines(data)
    yield "spec:"
    rules = {direction: spec.pop(direction) for direction in DIRECTIONS if direction in spec}
    yield from yaml_text.lines(spec, 1)
    for direction, items in rules.items():
        yield f"  {direction}:"
        for item, rule in zip(items, draft.rules(direction), strict=True):
            yield from _rule_comments(rule.comments)
            yield from yaml_text.lines([item], 1)


def _rule_comments(comments: Sequence[str]) -> Iterator[str]:
    yield from (f"  {_comment(text)}" for text in comments[:_MOST_COMMENTS])
    if len(comments) > _MOST_COMMENTS:
        yield f"  # and {len(comments) - _MOST_COMMENTS} more"


def _comment(text: str) -> str:
    """Return a comment of one line; names in it come from strangers."""
    plain = "".join(c if c.isprintable() else "?" for c in text)
    return f"# {plain if len(plain) <= _MOST_CHARACTERS else f'{plain[: _MOST_CHARACTERS - 1]}…'}"
