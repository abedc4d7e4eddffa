"""What may be said about an etcd, and what is refused in one line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from netlab.errors import HostError, UsageError
from netlab.store.etcd_client import EtcdClient
from netlab.store.etcd_settings import settings

URL = "http://127.0.0.1:2379"


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("127.0.0.1", URL),
        ("etcd.example:1", "http://etcd.example:1"),
        ("https://[::1]:7/", "https://[::1]:7"),
        ("HTTP://Host", "http://host:2379"),
    ],
)
def test_an_endpoint_is_a_url(given: str, found: str) -> None:
    """The scheme is http and the port 2379 where none is given."""

    assert (found,) == settings([given]).endpoints


def test_an_endpoint_counts_once() -> None:
    assert (URL, "http://b:2379") == settings([URL, "b", "127.0.0.1:2379"]).endpoints


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"endpoints": []}, "no endpoint"),
        ({"endpoints": [""]}, "must be as"),
        ({"endpoints": ["ftp://a"]}, "must be as"),
        ({"endpoints": ["http://a/path"]}, "must be as"),
        ({"endpoints": ["http://a?b=c"]}, "must be as"),
        ({"endpoints": ["http://a:99999"]}, "no URL"),
        ({"endpoints": ["http://[::1"]}, "no URL"),
        ({"endpoints": ["http://a b"]}, "must be as"),
        ({"endpoints": ["http://a\nb"]}, "must be as"),
        ({"endpoints": ["http://u:secret@a"]}, "has a user"),
        ({"cert": "/dev/null"}, "needs its key"),
        ({"key": "/dev/null"}, "needs its key"),
        ({"ca": "/dev/null"}, "need endpoints with https"),
        ({"endpoints": ["https://a"], "ca": "/no/such"}, "cannot read /no/such: No such file"),
        ({"endpoints": ["https://a"], "ca": "a\0b"}, "cannot read"),
        ({"password": "secret"}, "needs a user"),
        ({"prefix": ""}, "plain names"),
        ({"prefix": "/"}, "plain names"),
        ({"prefix": "netlab/"}, "plain names"),
        ({"prefix": "/netlab"}, "plain names"),
        ({"prefix": "/../x/"}, "plain names"),
        ({"prefix": "/a//b/"}, "plain names"),
        ({"prefix": "/a\n/"}, "plain names"),
        ({"prefix": f"/{'a' * 64}/"}, "plain names"),
    ],
)
def test_a_wrong_value_is_one_line(given: dict[str, Any], said: str) -> None:
    """It has exit code 2, and repeats no password."""
    with pytest.raises(UsageError, match=said) as error:
        settings(**{"endpoints": [URL], **given})

    assert 2 == error.value.exit_code
    assert "\n" not in str(error.value)
    assert "secret" not in str(error.value)


def test_a_password_is_not_shown() -> None:
    """A traceback and a log show settings."""

    assert "hush" not in repr(settings([URL], user="a", password="hush"))  # noqa: S106


def test_a_certificate_is_a_file(tmp_path: Path) -> None:
    """A folder is none."""
    with pytest.raises(UsageError, match="Is a directory"):
        settings(["https://a"], ca=str(tmp_path))


def test_without_the_package_one_line_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has exit code 3."""
    monkeypatch.setitem(sys.modules, "etcd3gw", None)
    with pytest.raises(HostError, match="install it beside netlab: pip install etcd3gw") as error:
        EtcdClient(settings([URL]))

    assert 3 == error.value.exit_code
