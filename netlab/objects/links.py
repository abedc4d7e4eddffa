"""The impairment of a link between machines: delay, jitter, loss and rate, in the units of iproute2's netem."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from types import MappingProxyType

from netlab.frozen import frozen

MOST_DELAY = 60_000_000
"""The longest delay, in microseconds."""
LEAST_RATE, MOST_RATE = 1_000, 1_000_000_000_000
"""The lowest and the highest rate, in bits a second."""
WHOLE = 1_000_000
"""All packets, in parts per million."""

_NUMBER = r"(?P<number>[0-9]{1,12}(?:\.[0-9]{1,6})?)"
_TIMES: Mapping[str, int] = MappingProxyType({"us": 1, "ms": 1_000, "s": 1_000_000})
_RATES: Mapping[str, int] = MappingProxyType({"bit": 1, "kbit": 10**3, "mbit": 10**6, "gbit": 10**9, "tbit": 10**12})
_PERCENT = 10_000

SHARES = ("loss", "duplicate", "corrupt", "reorder")
"""The fields of ``Netem`` that are shares of packets."""


@frozen
class Netem:
    """What the queueing discipline netem does with packets.

    Args:
      delay: how long each packet waits, in microseconds.
      jitter: the most by which a delay is longer or shorter, in microseconds.
      loss: the share of packets that are lost, in parts per million; so are the next three.
      duplicate: the share of packets that are sent twice.
      corrupt: the share of packets with a wrong bit.
      reorder: the share of packets that do not wait.
      rate: bits a second, 0 for no limit.
    """

    delay: int = 0
    jitter: int = 0
    loss: int = 0
    duplicate: int = 0
    corrupt: int = 0
    reorder: int = 0
    rate: int = 0

    @property
    def limit(self) -> int:
        """The most packets that wait: those that arrive during the delay, and 1,000 more; 10,000 at most.

        1,000 is netem's own default. Without a rate it is 10,000.
        """
        most = 10_000
        if not self.rate:
            return most
        return min(most, 1_000 + self.rate * (self.delay + self.jitter) // (8 * 1_500 * 1_000_000))

    def words(self) -> dict[str, str]:
        """Return the values that are set, by the names of their fields, as iproute2 writes them."""
        return {one.name: written(one.name, value) for one in fields(self) if (value := getattr(self, one.name))}

    def __str__(self) -> str:
        words = self.words()
        jitter = words.pop("jitter", "")
        if jitter:
            words["delay"] += f" {jitter}"
        return " ".join(f"{name} {value}" for name, value in words.items())


def written(name: str, value: int) -> str:
    """Return a value of a field of ``Netem`` as iproute2 writes it: ``20ms``, ``0.1%``, ``100mbit``."""
    if name in SHARES:
        return f"{_decimal(value, _PERCENT)}%"
    units = _RATES if name == "rate" else _TIMES
    unit = max((unit for unit in units if value >= units[unit]), key=units.__getitem__, default=next(iter(units)))
    return f"{_decimal(value, units[unit])}{unit}"


def _decimal(value: int, unit: int) -> str:
    whole, rest = divmod(value, unit)
    digits = str(unit + rest)[1:].rstrip("0") if rest else ""
    return f"{whole}.{digits}" if digits else str(whole)


def read(name: str, text: str) -> int:
    """Return the value of a field of ``Netem`` from its text; raises ValueError with what is wrong."""
    if name in SHARES:
        return _share(text)
    if name == "rate":
        return _rate(text)
    found = _scaled(text, _TIMES)
    if found is None:
        raise ValueError("must be a time of at least 1us, such as 20ms, 1.5s or 500us")
    if found > MOST_DELAY:
        raise ValueError(f"must be at most {written('delay', MOST_DELAY)}")
    return found


def _share(text: str) -> int:
    found = _scaled(text, {"%": _PERCENT})
    if found is None:
        raise ValueError("must be a share of packets, such as 0.1% or 30%, of at most four decimals")
    if found > WHOLE:
        raise ValueError("must be at most 100%")
    return found


def _rate(text: str) -> int:
    found = _scaled(text.lower(), _RATES)
    if found is None:
        raise ValueError("must be a rate in bits a second, such as 100mbit, 64kbit or 1gbit")
    if not LEAST_RATE <= found <= MOST_RATE:
        raise ValueError(f"must be from {written('rate', LEAST_RATE)} to {written('rate', MOST_RATE)}")
    # netem counts bytes.
    return found // 8 * 8


def _scaled(text: str, units: Mapping[str, int]) -> int | None:
    """Return a decimal number with a unit in the smallest of the units, None where it is none or has a smaller part."""
    match = re.fullmatch(rf"{_NUMBER}(?P<unit>{'|'.join(units)})", text, re.ASCII)
    if match is None:
        return None
    whole, _, digits = match["number"].partition(".")
    scaled, rest = divmod(int(whole + digits) * units[match["unit"]], 10 ** len(digits))
    return None if rest else scaled


def contradictions(netem: Netem) -> Iterator[tuple[str, str]]:
    """Yield what does not go together, as the name of a field and a message."""
    if netem.jitter > netem.delay:
        yield "jitter", "must be at most the delay"
    if netem.reorder and not netem.delay:
        yield "reorder", "needs a delay: packets that do not wait overtake the others"


@frozen
class TopologyLink:
    """One link of a Topology: between two machines, or that of one machine or pod; ``path`` is the field's path."""

    between: tuple[str, ...]
    netem: Netem
    path: str = ""
