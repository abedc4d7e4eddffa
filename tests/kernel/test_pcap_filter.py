"""What is refused before libpcap sees it; tests/capture compiles filters."""

from __future__ import annotations

import re

import pytest

from netlab.errors import HostError, UsageError
from netlab.kernel import pcap_filter


@pytest.mark.parametrize(
    ("expression", "word"),
    [
        ("host www.example.com", "www.example.com"),
        ("host 1and1.example", "1and1.example"),
        ("host 1a.de", "1a.de"),
        ("src db", "db"),
        ("port http or https", "https"),
        ("port -x or $(reboot)", "x"),
        ("host 1.2.3.4.5", "1.2.3.4.5"),
        ("host 1..2", "1..2"),
        ("host 1-2", "1-2"),
        ("host fade.de:1", "fade.de:1"),
        ("host vxlan", "vxlan"),
        (r"host \tcp", "\\"),
        (r"net \-", "\\"),
    ],
)
def test_a_name_is_refused(expression: str, word: str) -> None:
    """libpcap would ask the host's DNS for it."""
    with pytest.raises(UsageError, match=re.escape(f"{word!r} is no word")):
        pcap_filter.compiled(expression, 100)


@pytest.mark.parametrize(
    "expression",
    [
        *("net 10.1 and ether[6:4] = 1", "portrange 1-2", "portrange http-https", r"ip proto \tcp"),
        *(
            "host ::1 or host ::ffff:1.2.3.4",
            "net fd00::/8",
            "ether host aa:bb:cc:dd:ee:ff",
            "tcp[tcpflags] & 0x2 != 0",
        ),
    ],
)
def test_numbers_addresses_and_escaped_protocols_are_no_names(expression: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """libpcap gets these: the test has none."""
    monkeypatch.setattr(pcap_filter, "_LIBRARIES", ())

    with pytest.raises(HostError, match="needs libpcap"):
        pcap_filter.compiled(expression, 100)


@pytest.mark.parametrize(("expression", "what"), [("tcp or " * 1000, "4,096"), ("tcp\0", "ASCII"), ("tcp ü", "ASCII")])
def test_a_text_that_is_no_filter_is_refused(expression: str, what: str) -> None:
    """It is one line in the message."""
    with pytest.raises(UsageError, match=what) as raised:
        pcap_filter.compiled(expression, 100)

    assert 1 == len(str(raised.value).splitlines())


def test_without_libpcap_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 3. No filter needs no library."""
    monkeypatch.setattr(pcap_filter, "_LIBRARIES", ("libnosuch.so.1",))

    assert 8 == len(pcap_filter.compiled(" ", 100))
    with pytest.raises(HostError, match=r"apt-get install libpcap0\.8"):
        pcap_filter.compiled("tcp", 100)
