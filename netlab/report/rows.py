"""One question with its answers, as every report prints it, and how many of each answer there were."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from netlab.cluster.flows import Flow
    from netlab.policy.decision import Decision
    from netlab.probe import Measurement

Asked = Literal["reach", "probe", "verify"]
"""Which answers there are: expected ones, measured ones, or both to be compared."""

Outcome = Literal["allow", "deny", "some", "unknown", "agree", "differ", "inconclusive"]


class EndpointRow(NamedTuple):
    """One backend of a destination that stands for others; ``pod`` is "" for an address that no machine has."""

    pod: str
    address: str
    port: int | None
    verdict: str | None = None
    measured: str | None = None

    def data(self) -> dict[str, Any]:
        """Return the backend as JSON has it; answers that nobody asked for are left out."""
        return {key: value for key, value in self._asdict().items() if value is not None or key == "port"}


class Row(NamedTuple):
    """One question and its answers; ``expected`` or ``measured`` is None where it is not asked.

    ``source`` and ``destination`` are references (``shop/web``, ``node:a``) or a bare address; ``port`` is None for
    ICMP. ``measured`` may be ``inconclusive`` and ``expected`` may be ``unknown``; ``reason`` then says why. Both are
    ``some`` where the backends that the destination stands for, which are ``endpoints``, differ.
    """

    source: str
    destination: str
    family: int
    protocol: str
    port: int | None
    expected: str | None = None
    measured: str | None = None
    reason: str = ""
    endpoints: tuple[EndpointRow, ...] = ()

    @property
    def service(self) -> str:
        """What is asked of the destination: ``80/TCP``, or ``ICMP``."""
        return self.protocol if self.port is None else f"{self.port}/{self.protocol}"

    @property
    def verdict(self) -> str:
        """The measured verdict where there is one, else the expected one."""
        return self.measured or self.expected or "inconclusive"

    @property
    def outcome(self) -> Outcome:
        """What the row adds to a summary: whether its answers agree, or the only answer that it has."""
        return outcome_of(self.expected, self.measured)

    def data(self) -> dict[str, Any]:
        """Return the row as JSON has it; answers that are not asked are left out."""
        return {
            "source": self.source,
            "destination": self.destination,
            "family": self.family,
            "protocol": self.protocol,
            "port": self.port,
            **({} if self.expected is None else {"expected": self.expected}),
            **({} if self.measured is None else {"measured": self.measured}),
            "reason": self.reason,
            **({"endpoints": [one.data() for one in self.endpoints]} if self.endpoints else {}),
        }


_ALONE: dict[str, Outcome] = {"allow": "allow", "some": "some"}


def outcome_of(expected: str | None, measured: str | None) -> Outcome:
    """Return whether two answers agree, or the only one that there is; what is unknown neither agrees nor differs."""
    if expected == "unknown":
        return "unknown"
    if measured == "inconclusive" or (measured is None and expected is None):
        return "inconclusive"
    if measured is None or expected is None:
        return _ALONE.get(measured or expected or "", "deny")
    return "agree" if expected == measured else "differ"


def row_of(
    flow: Flow,
    expected: str | None = None,
    measured: str | None = None,
    reason: str = "",
    endpoints: tuple[EndpointRow, ...] = (),
) -> Row:
    """Return the row of a flow."""
    asked = (flow.source.ref, flow.target, flow.family, flow.protocol, flow.port)
    return Row(*asked, expected, measured, reason, endpoints)


def endpoints_of(expected: Iterable[Decision] = (), measured: Measurement | None = None) -> tuple[EndpointRow, ...]:
    """Return a row for each backend: ``expected`` are the decisions that are listed (``Decision.endpoints``)."""
    found: dict[tuple[str, str, int | None], EndpointRow] = {}
    for one in expected:
        if one.through is not None:
            backend = one.through.backend
            pod = backend.endpoint.ref if backend.endpoint is not None else ""
            row = EndpointRow(pod, str(backend.address), backend.port, one.verdict)
            found[row[:3]] = row
    for each in measured.backends if measured is not None else ():
        key = (each.pod, str(each.address), each.port)
        found[key] = found.get(key, EndpointRow(*key))._replace(measured=each.verdict)
    return tuple(found.values())


class Tally:
    """Counts rows by outcome as they pass."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        # By answers. There are few, so outcomes are counted when they are needed.
        self._answers: dict[tuple[str | None, str | None], int] = {}

    def count(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Yield the rows, counting each."""
        answers = self._answers
        for row in rows:
            key = (row.expected, row.measured)
            answers[key] = answers.get(key, 0) + 1
            yield row

    def add(self, expected: str, number: int) -> None:
        """Count rows that have only an expected answer, and all the same."""
        key = (expected, None)
        self._answers[key] = self._answers.get(key, 0) + number

    @property
    def pairs(self) -> int:
        """How many rows there were."""
        return sum(self._answers.values())

    def __getitem__(self, outcome: Outcome) -> int:
        return sum(count for answers, count in self._answers.items() if outcome_of(*answers) == outcome)

    @property
    def as_expected(self) -> bool:
        """Whether nothing differs and nothing is inconclusive."""
        return not (self["differ"] or self["inconclusive"])

    def data(self) -> dict[str, int]:
        """Return the summary as JSON has it; where nothing is compared, with the number of each verdict."""
        compared: dict[str, int] = {"pairs": self.pairs, **{o: self[o] for o in ("agree", "differ", "inconclusive")}}
        if self.asked != "probe":
            compared["unknown"] = self["unknown"]
        if self.asked == "verify":
            return compared
        some = {"some": self["some"]} if self["some"] else {}
        return {**compared, "allow": self["allow"], "deny": self["deny"], **some}

    def __str__(self) -> str:
        outcomes: dict[Asked, tuple[Outcome, ...]] = {
            "reach": ("allow", "deny"),
            "probe": ("allow", "deny", "inconclusive"),
            "verify": ("agree", "differ", "inconclusive"),
        }
        names = list(outcomes[self.asked])
        if self["some"]:
            names.append("some")
        if self["unknown"]:
            names.append("unknown")
        counts = ", ".join(f"{self[outcome]} {outcome}" for outcome in names)
        return f"{self.pairs} pair{'' if self.pairs == 1 else 's'}: {counts}"
