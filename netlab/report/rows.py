"""The rows of reports: a flow with its verdicts; and the tally, which counts rows by outcome."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Literal

from netlab.frozen import NamedTuple

if TYPE_CHECKING:
    from netlab.cluster.flows import Flow
    from netlab.policy.decision import Decision
    from netlab.probe import Measurement

Command = Literal["reach", "probe", "verify"]
"""The command of a report: ``reach`` has expected verdicts, ``probe`` measured ones, ``verify`` both."""

Outcome = Literal["allow", "deny", "some", "unknown", "agree", "differ", "inconclusive"]


class EndpointRow(NamedTuple):
    """One backend of a destination with backends; ``pod`` is "" for an address that no machine has."""

    pod: str
    address: str
    port: int | None
    verdict: str | None = None
    measured: str | None = None

    def __str__(self) -> str:
        return " ".join(filter(None, (self.name, self.verdicts)))

    @property
    def name(self) -> str:
        """The pod, its address and its port: ``shop/db-0 10.244.0.3:5432``."""
        ip = f"[{self.address}]" if ":" in self.address and self.port is not None else self.address
        place = ip if self.port is None else f"{ip}:{self.port}"
        return " ".join(filter(None, (self.pod, place)))

    @property
    def verdicts(self) -> str:
        """The measured verdict, or the only one; and the expected one if it is another."""
        known = [verdict for verdict in (self.measured, self.verdict) if verdict is not None]
        return f"{known[0]}, expected {known[1]}" if len(set(known)) > 1 else "".join(known[:1])

    @property
    def differs(self) -> bool:
        """Whether both verdicts are known and differ."""
        return outcome_of(self.verdict, self.measured) == "differ"

    def data(self) -> dict[str, Any]:
        """Return the backend as data for JSON, without the verdicts that the command does not have."""
        return {key: value for key, value in self._asdict().items() if value is not None or key == "port"}


class Row(NamedTuple):
    """A flow with its verdicts; ``expected`` or ``measured`` is None if the command does not have it.

    ``source`` and ``destination`` are references (``shop/web``, ``node:a``) or an address; ``port`` is None for ICMP.
    ``measured`` may be ``inconclusive`` and ``expected`` may be ``unknown``; ``reason`` then says why. A verdict is
    ``some`` if the verdicts of the destination's backends, ``endpoints``, differ.
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
    def port_text(self) -> str:
        """The port and protocol as text: ``80/TCP``, or ``ICMP``."""
        return self.protocol if self.port is None else f"{self.port}/{self.protocol}"

    @property
    def verdict(self) -> str:
        """The measured verdict if there is one, else the expected one."""
        return self.measured or self.expected or "inconclusive"

    @property
    def outcome(self) -> Outcome:
        """What a summary counts: whether both verdicts agree, or the only verdict.

        Both verdicts of each backend must agree too, as two verdicts ``some`` may be about different backends.
        """
        found = outcome_of(self.expected, self.measured)
        if found == "agree" and any(one.differs for one in self.endpoints):
            return "differ"
        return found

    def data(self) -> dict[str, Any]:
        """Return the row as data for JSON, without the verdicts that the command does not have."""
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


# The most texts that ``json_texts`` keeps.
_MOST_TEXTS = 1 << 14


def json_texts(rows: Iterable[Row]) -> Iterator[str]:
    """Yield the JSON text of the data of each row, as ``json.dumps`` writes it.

    Rows of a matrix have few names and few verdicts with a reason. Each of these is encoded once.
    """
    from json import dumps

    names: dict[str, str] = {}
    # By what a row has from its family to its reason.
    ends: dict[tuple[object, ...], str] = {}
    for row in rows:
        source, destination, *_ = row
        if row.endpoints:
            yield dumps(row.data())
            continue
        key = row[2:8]
        end = ends.get(key)
        if end is None or source not in names or destination not in names:
            if len(names) + len(ends) > _MOST_TEXTS:
                names.clear()
                ends.clear()
            names[source], names[destination] = dumps(source), dumps(destination)
            data = row.data()
            del data["source"], data["destination"]
            end = ends[key] = dumps(data)[1:]
        yield f'{{"source": {names[source]}, "destination": {names[destination]}, {end}'


_ONLY_VERDICT: dict[str, Outcome] = {"allow": "allow", "some": "some"}


def outcome_of(expected: str | None, measured: str | None) -> Outcome:
    """Return whether two verdicts agree, or the only one. An unknown one neither agrees nor differs."""
    if expected == "unknown":
        return "unknown"
    if measured == "inconclusive" or (measured is None and expected is None):
        return "inconclusive"
    if measured is None or expected is None:
        return _ONLY_VERDICT.get(measured or expected or "", "deny")
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
    """Return a row for each backend; ``expected`` has the decisions of ``Decision.endpoints``."""
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
    """Counts rows by outcome."""

    def __init__(self, command: Command) -> None:
        self.command = command
        # Counts by pair of verdicts. There are few, so outcomes are computed when they are read.
        self._by_verdicts: dict[tuple[str | None, str | None], int] = {}
        self._differ_in_backends = 0

    def count(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Yield the rows, and count each."""
        counts = self._by_verdicts
        for row in rows:
            key = (row.expected, row.measured)
            if row.endpoints and row.outcome != outcome_of(*key):
                self._differ_in_backends += 1
                yield row
                continue
            counts[key] = counts.get(key, 0) + 1
            yield row

    def add(self, expected: str, number: int) -> None:
        """Count ``number`` rows with this expected verdict and no measured one."""
        key = (expected, None)
        self._by_verdicts[key] = self._by_verdicts.get(key, 0) + number

    @property
    def pairs(self) -> int:
        """The number of rows."""
        return sum(self._by_verdicts.values()) + self._differ_in_backends

    def __getitem__(self, outcome: Outcome) -> int:
        found = sum(count for verdicts, count in self._by_verdicts.items() if outcome_of(*verdicts) == outcome)
        return found + (self._differ_in_backends if outcome == "differ" else 0)

    @property
    def as_expected(self) -> bool:
        """Whether nothing differs and nothing is inconclusive."""
        return not (self["differ"] or self["inconclusive"])

    def data(self) -> dict[str, int]:
        """Return the summary as data for JSON; commands that do not compare add the number of each verdict."""
        compared: dict[str, int] = {"pairs": self.pairs, **{o: self[o] for o in ("agree", "differ", "inconclusive")}}
        if self.command != "probe":
            compared["unknown"] = self["unknown"]
        if self.command == "verify":
            return compared
        some = {"some": self["some"]} if self["some"] else {}
        return {**compared, "allow": self["allow"], "deny": self["deny"], **some}

    def __str__(self) -> str:
        outcomes: dict[Command, tuple[Outcome, ...]] = {
            "reach": ("allow", "deny"),
            "probe": ("allow", "deny", "inconclusive"),
            "verify": ("agree", "differ", "inconclusive"),
        }
        names = list(outcomes[self.command])
        if self["some"]:
            names.append("some")
        if self["unknown"]:
            names.append("unknown")
        counts = ", ".join(f"{self[outcome]} {outcome}" for outcome in names)
        return f"{self.pairs} pair{'' if self.pairs == 1 else 's'}: {counts}"
