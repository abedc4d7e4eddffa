"""A lab's record through every store: what was decided is the same afterwards."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pytest
from store.conftest import Open

from netlab.cluster import Placement
from netlab.errors import DamagedRecord
from netlab.lab.record_text import Record, decoded, encoded
from netlab.objects.documents import read

SHOP = Path(__file__).parents[2] / "examples" / "shop"


def test_a_record_is_the_same_from_every_store(open_store: Open) -> None:
    """Documents with their lines, places and namespaces."""
    documents = tuple(read([str(SHOP)])[0])
    places = {"shop/web-0": Placement("n1", (ip_address("10.1.0.2"), ip_address("fd00::2")))}
    record = Record("shop", documents, places, ready=True)
    open_store().save("shop", encoded(record, "", True, ()))
    kept = open_store().load("shop")
    assert kept is not None
    found = decoded("shop", kept.data, "the store")

    assert (len(documents), dict(places), True) == (len(found.documents), dict(found.placement), found.ready)
    assert kept.data == encoded(found, "", True, ())
    with pytest.raises(DamagedRecord, match="another lab"):
        decoded("other", kept.data, "the store")
    with pytest.raises(DamagedRecord, match="the store is damaged"):
        decoded("shop", kept.data[:-2], "the store")
