"""Stores in an etcd of a test, and what the tests read and do there."""

from __future__ import annotations

from typing import Any

from etcd_members import Member

from netlab.store.etcd import EtcdStore
from netlab.store.etcd_client import below, plain
from netlab.store.etcd_settings import settings


def opened(*members: Member, patience: float = 10.0, lease: int = 2, **more: Any) -> EtcdStore:
    return EtcdStore(settings([one.url for one in members], patience=patience, lease=lease, **more))


def keys(store: EtcdStore, below_: str = "") -> list[str]:
    answer = store.client.call("kv/range", {**below(store.client.key(below_)), "keys_only": True})
    return [plain(kv["key"]).decode() for kv in answer.get("kvs", ())]


def compact(store: EtcdStore) -> None:
    revision = store.client.call("kv/range", below("/none/"))["header"]["revision"]
    store.client.call("kv/compaction", {"revision": revision, "physical": True})
