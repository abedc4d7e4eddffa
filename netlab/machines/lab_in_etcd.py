"""``LabInEtcd``: what one process knows of a lab in etcd: the decided lab, and the one that a command proposes.

A process reads both in one transaction, or takes one of them from the event of a watch. If the decided value equals the
proposed one, it is not decoded again.
"""

from __future__ import annotations

import time
from typing import Any

from netlab.errors import DamagedRecord, printable
from netlab.frozen import frozen
from netlab.lab.record_text import Decoder
from netlab.machines.etcd import Etcd, Known
from netlab.machines.spec import Spec, decoded_spec
from netlab.store.etcd_client import b64, plain, revision_of

_DECIDED, _PROPOSED = "labs", "next"


@frozen
class Event:
    """A change of what etcd has of a lab.

    Args:
      proposed: whether it is about the proposal.
      at: the revision of etcd that it made.
      value: the new value; None where the key was removed.
    """

    proposed: bool
    at: int
    value: bytes | None

    def to_bytes(self) -> bytes:
        """Return the message of it."""
        name, put = _PROPOSED if self.proposed else _DECIDED, "-" if self.value is None else "+"
        return f"{name} {put} {self.at}\n".encode() + (self.value or b"")

    @classmethod
    def from_bytes(cls, message: bytes) -> Event:
        """Return the event of a message; raises ValueError."""
        line, _, value = message.partition(b"\n")
        name, put, at = line.decode().split(" ")
        return cls(name == _PROPOSED, int(at), value if put == "+" else None)


class LabInEtcd:
    """What etcd has of a lab. ``decided`` and ``proposed`` are None where there is none.

    Args:
      etcd: the etcd.
      lab: the lab.
    """

    def __init__(self, etcd: Etcd, lab: str) -> None:
        self._etcd, self._lab = etcd, lab
        self._decoder = Decoder(lab)
        # The revision of etcd at which each was known last, and the last proposal with its value.
        self._at = {False: 0, True: 0}
        self._last: tuple[bytes, Spec] | None = None
        self.id = ""
        """What tells this etcd from others, and the prefix; "" until it was read."""
        self.decided: Known | None = None
        self.proposed: Known | None = None

    def read(self) -> None:
        """Read both; raises DamagedRecord where the decided one is damaged, HostError."""
        if self._same():
            return
        until = time.monotonic() + self._etcd.settings.patience
        while True:
            try:
                self._read()
                return
            except _Replaced:
                if time.monotonic() > until:
                    raise DamagedRecord(self._lab, "its record in etcd has not all its parts") from None

    def note(self, event: Event) -> None:
        """Take what an event says, if it is newer than what is known; raises as ``read`` does."""
        if event.at <= self._at[event.proposed]:
            return
        try:
            self._set(event.proposed, event.at, event.value, str(event.at))
        except _Replaced:
            self.read()

    def _same(self) -> bool:
        """Return whether etcd has what is known; it sends no values for that, as one may have half a megabyte."""
        if self.decided is None and self.proposed is None:
            return False
        at, found = self._ranges(keys_only=True)
        known = [one.revision if one else "" for one in (self.decided, self.proposed)]
        if known != [str(int(kv["mod_revision"])) if kv else "" for kv in found]:
            return False
        self._at = {False: at, True: at}
        return True

    def _read(self) -> None:
        at, found = self._ranges(keys_only=False)
        for proposed in (True, False):
            kv = found[proposed]
            if kv is None:
                self._set(proposed, at, None, "")
            else:
                self._set(proposed, at, plain(kv.get("value", "")), str(int(kv["mod_revision"])))

    def _ranges(self, *, keys_only: bool) -> tuple[int, list[dict[str, Any] | None]]:
        """Return the revision of etcd, and the keys and values of the decided and the proposed lab at that."""
        keys = [store.head(self._lab) for store in (self._etcd.store, self._etcd.proposals)]
        ranges = [{"request_range": {"key": b64(key), "keys_only": keys_only}} for key in keys]
        answer = self._etcd.client.call("kv/txn", {"success": ranges})
        self.id = f"{printable(str(answer['header'].get('cluster_id', '')))[:40]} {self._etcd.settings.prefix}"
        found = [one.get("response_range", {}).get("kvs", ()) for one in answer["responses"]]
        return revision_of(answer), [kvs[0] if kvs else None for kvs in found]

    def _set(self, proposed: bool, at: int, value: bytes | None, revision: str) -> None:
        known = self.proposed if proposed else self.decided
        if value is None:
            known = None
        elif known is None or known.revision != revision:
            known = self._known(proposed, value, revision)
        if proposed:
            self.proposed = known
        else:
            self.decided = known
        self._at[proposed] = at

    def _known(self, proposed: bool, value: bytes, revision: str) -> Known | None:
        if self._last is not None and value == self._last[0]:
            # The head has another id after each save, also where the record is in parts.
            return Known(self._last[1], revision)
        store = self._etcd.proposals if proposed else self._etcd.store
        try:
            data = store.data(self._lab, value)
            if data is None:
                raise _Replaced
            spec = decoded_spec(self._lab, data, self._decoder)
            if proposed:
                self._last = value, spec
            return Known(spec, revision)
        except DamagedRecord:
            if proposed:
                # Its command learns that no machine prepares it.
                return None
            raise


class _Replaced(Exception):
    """Another save removed the parts of a record after its head was read."""
