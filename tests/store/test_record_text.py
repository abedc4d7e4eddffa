"""A lab's record through every store: what was decided is the same afterwards."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pytest
from store.conftest import Open

from netlab.cluster import Placement
from netlab.errors import DamagedRecord
from netlab.lab.record_text import Decoder, Record, decoded, encoded
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


def test_a_decoder_keeps_what_did_not_change() -> None:
    """Equal lines are the same documents, an equal start is the same placement; each record is what it is alone."""
    documents = tuple(read([str(SHOP)])[0])
    places = {"shop/web-0": Placement("n1", (ip_address("10.1.0.2"),))}
    other = {"shop/web-0": Placement("n2", (ip_address("10.1.0.3"),))}
    decoder, before = Decoder("shop"), None
    for record in (
        Record("shop", documents, places, ready=True),
        Record("shop", documents[1:], places, ready=True),
        Record("shop", (*documents, documents[0]), other, ready=True),
        Record("shop", (), other, ready=True),
        Record("shop", documents, places, ready=True),
    ):
        text = encoded(record, "", True, ())
        found = decoder.record(text, "the store")

        assert decoded("shop", text, "the store") == found
        if before is not None and before.placement == found.placement:
            assert before.placement is found.placement
        before = found
        with pytest.raises(DamagedRecord):
            decoder.record(text[:-2], "the store")
    first = decoder.record(encoded(Record("shop", documents, places, ready=True), "", True, ()), "the store")
    assert all(a is b for a, b in zip(first.documents, found.documents, strict=True))
