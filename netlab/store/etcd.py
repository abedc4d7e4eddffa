"""The records of labs on many machines, in etcd. A change is one transaction, and no history is kept.

Below the prefix are ``labs/LAB``, the head of a record, ``parts/LAB/ID/NUMBER``, its parts, and ``locks/LAB/LEASE``.
Parts are written first, under a lease; the transaction that writes the head gives them a life of their own and removes
those of before. So a reader sees a record whole, and nothing stays of a writer that was killed.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import Any

from netlab.errors import DamagedRecord, HostError
from netlab.objects.names import LabName, is_lab
from netlab.store import etcd_values
from netlab.store.etcd_client import EtcdClient, Refused, Unreachable, after, b64, below, plain, revision_of
from netlab.store.etcd_lease import Lease
from netlab.store.etcd_lock import EtcdLock
from netlab.store.etcd_settings import EtcdSettings
from netlab.store.etcd_watch import Ended, Stream
from netlab.store.protocol import StoreLock
from netlab.store.values import ABSENT, MOST, Changed, Conflict, Kept, LockLost

# Saves of one lab after which etcd forgets what was before; after a record with parts it does so at once.
_HISTORY = 16
_TRIES = 5
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0


class EtcdStore:
    """The records of labs below a prefix of etcd; a revision is etcd's own."""

    def __init__(self, settings: EtcdSettings) -> None:
        self.client = EtcdClient(settings)

    def labs(self) -> list[str]:
        return sorted(self._revisions()[0])

    def load(self, lab: str) -> Kept | None:
        """Return a record; raises as ``Store.load`` does."""
        until = time.monotonic() + self.client.settings.patience
        key = self.head(lab)
        while True:
            kv = next(iter(self.client.call("kv/range", {"key": b64(key)}).get("kvs", ())), None)
            if kv is None:
                return None
            data = self.data(lab, plain(kv.get("value", "")))
            if data is not None:
                return Kept(data, str(int(kv["mod_revision"])))
            # Another save removed the parts after the head was read.
            if time.monotonic() > until:
                raise DamagedRecord(lab, f"{key} of etcd has not all its parts")

    def data(self, lab: str, value: bytes) -> bytes | None:
        """Return the record of a head's value; None where another save removed its parts.

        Raises:
          DamagedRecord: if the value is no head.
          HostError: if etcd is not reached.
        """
        try:
            head = etcd_values.head(value)
            text = self._text(lab, head)
            return None if text is None else etcd_values.unpacked(head, text)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise DamagedRecord(lab, f"{self.head(lab)} of etcd is damaged") from error

    def save(self, lab: str, data: bytes, revision: str | None = None, lock: StoreLock | None = None) -> str:
        if len(data) > MOST:
            raise HostError(f"a record of {len(data)} bytes is too large")
        for _ in range(_TRIES):
            found = self.save_packed(lab, etcd_values.packed(data), revision, lock)
            if found is not None:
                return found
            # Another save removed the parts of this one before its transaction.
            if revision is not None:
                break
        raise Conflict(lab)

    def remove(
        self,
        lab: str,
        revision: str | None = None,
        lock: StoreLock | None = None,
        also: Sequence[dict[str, Any]] = (),
    ) -> None:
        """Remove a record; ``also`` has further operations of the transaction. See ``Store.remove``."""
        answer = self._decide(lab, revision, lock, [*self.removal(lab), *also])
        if not answer.get("succeeded"):
            _check_lock(lab, answer)
            if _kv(answer) is not None:
                raise Conflict(lab)
        self._forget(revision_of(answer))

    def lock(self, lab: str) -> EtcdLock:
        return EtcdLock(self.client, LabName(lab))

    def watch(self, pulse: float = 1.0, patience: float = 60.0) -> Iterator[Changed | None]:
        """Yield changes; see ``Store.watch``. After every break it reads all revisions and yields what differs."""
        known: dict[str, str] = {}
        reached, pause = time.monotonic(), _FIRST_PAUSE
        while True:
            try:
                found, revision = self._revisions(pulse)
                stream = Stream(self.client, self.client.key("labs", ""), revision + 1)
            except Unreachable:
                if time.monotonic() - reached > patience:
                    raise
                yield None
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
                continue
            try:
                for lab in sorted(known.keys() | found.keys()):
                    if known.get(lab) != found.get(lab):
                        yield Changed(lab, found.get(lab, ABSENT))
                known = found
                yield from self._follow(stream, known, pulse)
            finally:
                stream.close()
            # A member that is stopping accepts a stream and ends it at once.
            pause = _FIRST_PAUSE if time.monotonic() - reached > 2 * _LONGEST_PAUSE else min(2 * pause, _LONGEST_PAUSE)
            reached = time.monotonic()
            time.sleep(pause)

    def close(self) -> None:
        self.client.close()

    # --- reading ------------------------------------------------------------------------------------------------

    def head(self, lab: str) -> str:
        """Return the key of a record's head."""
        return self.client.key("labs", LabName(lab))

    def _parts(self, lab: str, id_: str | None = None) -> str:
        return self.client.key("parts", LabName(lab), *(() if id_ is None else (id_,)), "")

    def _text(self, lab: str, head: etcd_values.Head) -> bytes | None:
        """Return the compressed text of a record; None where a part is missing."""
        if not head.parts:
            return head.inline
        found = []
        for number in range(head.parts):
            key = f"{self._parts(lab, head.id)}{number:03}"
            kvs = self.client.call("kv/range", {"key": b64(key)}).get("kvs", ())
            if not kvs:
                return None
            found.append(plain(kvs[0]["value"]))
        return b"".join(found)

    def _revisions(self, patience: float | None = None) -> tuple[dict[str, str], int]:
        """Return the revision of each record, and that of etcd."""
        prefix = self.client.key("labs", "")
        answer = self.client.call("kv/range", {**below(prefix), "keys_only": True}, patience)
        found = {}
        for kv in answer.get("kvs", ()):
            lab = plain(kv["key"]).decode(errors="replace").removeprefix(prefix)
            if is_lab(lab):
                found[lab] = str(int(kv["mod_revision"]))
        return found, revision_of(answer)

    def _follow(self, stream: Stream, known: dict[str, str], pulse: float) -> Iterator[Changed | None]:
        """Yield the changes of a stream until it ends, and note them."""
        prefix = self.client.key("labs", "")
        while True:
            try:
                events = stream.next(pulse)
            except Ended:
                return
            for event in events:
                lab = event.key.removeprefix(prefix)
                if is_lab(lab):
                    known[lab] = str(event.revision)
                    if not event.put:
                        del known[lab]
                    yield Changed(lab, known.get(lab, ABSENT), event.revision, event.value)
            if not events:
                yield None

    # --- writing ------------------------------------------------------------------------------------------------

    def removal(self, lab: str) -> list[dict[str, Any]]:
        """Return the operations of a transaction that remove a record."""
        parts = {"request_delete_range": below(self._parts(lab))}
        return [{"request_delete_range": {"key": b64(self.head(lab))}}, parts]

    def save_packed(
        self,
        lab: str,
        packed: etcd_values.Packed,
        revision: str | None = None,
        lock: StoreLock | None = None,
        also: Sequence[dict[str, Any]] = (),
    ) -> str | None:
        """Save a record once; return its revision, None where its parts were removed meanwhile.

        ``also`` has further operations of the transaction. The other arguments and errors are those of ``save``.
        """
        key = self.head(lab)
        id_, head, parts = packed
        lease = self._write_parts(lab, id_, parts) if parts else None
        try:
            answer = self._decide(lab, revision, lock, [*self._commit(lab, key, id_, head, len(parts)), *also])
        except Refused as error:
            if parts and error.not_found:
                return None
            raise
        finally:
            if lease is not None:
                lease.revoke()
        if answer.get("succeeded"):
            kv, now = _kv(answer), revision_of(answer)
            if parts or (kv is not None and int(kv.get("version", 0)) % _HISTORY == 0):
                self._forget(now)
            return str(now)
        kv = _kv(answer)
        with contextlib.suppress(ValueError):
            # The first try of the request had its effect, but its answer was lost.
            if kv is not None and etcd_values.head(plain(kv["value"])).id == id_:
                return str(int(kv["mod_revision"]))
        _check_lock(lab, answer)
        raise Conflict(lab)

    def _write_parts(self, lab: str, id_: str, parts: Sequence[bytes]) -> Lease:
        lease = Lease(self.client, self.client.settings.lease)
        try:
            for number, part in enumerate(parts):
                key = f"{self._parts(lab, id_)}{number:03}"
                self.client.call("kv/put", {"key": b64(key), "value": b64(part), "lease": str(lease.number)})
        except BaseException:
            lease.revoke()
            raise
        return lease

    def _commit(self, lab: str, key: str, id_: str, head: bytes, parts: int) -> list[dict[str, Any]]:
        """Return what the transaction of a save does."""
        mine = self._parts(lab, id_)
        keep = [{"key": b64(f"{mine}{number:03}"), "ignore_value": True, "lease": "0"} for number in range(parts)]
        whole = self._parts(lab)
        # No range has a key that is put, as etcd refuses such a transaction.
        gone = [
            {"key": b64(whole), "range_end": b64(mine)},
            {"key": b64(after(mine)), "range_end": b64(after(whole))},
        ]
        return [
            {"request_put": {"key": b64(key), "value": b64(head)}},
            *({"request_put": one} for one in keep),
            *({"request_delete_range": one} for one in gone),
            {"request_range": {"key": b64(key), "keys_only": True}},
        ]

    def _decide(
        self, lab: str, revision: str | None, lock: StoreLock | None, success: Sequence[dict[str, Any]]
    ) -> dict[str, Any]:
        """Do a transaction if the record has a revision and the lock is held; else read the head and the lock."""
        key = self.head(lab)
        compare: list[dict[str, Any]] = []
        failure: list[dict[str, Any]] = [{"request_range": {"key": b64(key)}}]
        if isinstance(lock, EtcdLock):
            compare.append(lock.guard())
            failure.append({"request_range": {"key": compare[0]["key"], "keys_only": True}})
        elif lock is not None and not lock.held:
            raise LockLost(lab)
        if revision is not None:
            number = revision or "0"
            if not number.isascii() or not number.isdigit() or len(number) > 18:
                raise Conflict(lab)
            compare.append({"key": b64(key), "target": "MOD", "result": "EQUAL", "mod_revision": number})
        return self.client.call("kv/txn", {"compare": compare, "success": list(success), "failure": failure})

    def _forget(self, revision: int) -> None:
        """Have etcd forget the history before a revision; another client may have done so."""
        with contextlib.suppress(HostError):
            self.client.call("kv/compaction", {"revision": str(revision)}, 0)


def _check_lock(lab: str, answer: dict[str, Any]) -> None:
    """Raise LockLost where a transaction did nothing as the lock's key is gone."""
    found = answer.get("responses", ())
    if len(found) > 1 and not found[1].get("response_range", {}).get("kvs"):
        raise LockLost(lab)


def _kv(answer: dict[str, Any]) -> dict[str, Any] | None:
    """Return the head that a transaction read; None where there is none."""
    found = [one["response_range"] for one in answer.get("responses", ()) if "response_range" in one]
    kvs = found[0].get("kvs", ()) if found else ()
    return kvs[0] if kvs else None
