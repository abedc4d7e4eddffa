"""nft runs inside a namespace, as one transaction, and its listing shows whether a ruleset is the wanted one."""

from __future__ import annotations

import pytest

from netlab.errors import HostError, KernelError
from netlab.kernel import nft

SCRIPT = """
table inet t {
	set s {
		type ipv4_addr . inet_service
		elements = { 198.18.0.1 . 80 comment "one", 198.18.0.2 . 81 comment "two" }
	}
	chain c {
		type filter hook forward priority filter; policy accept;
		ip saddr . tcp dport @s counter drop
	}
}
"""


def test_a_ruleset_holds_after_it_was_loaded_and_not_after_an_element_is_gone(spaces):
    """One element deleted by hand is a difference; handles, order and counters are none."""
    (name,) = spaces("a")
    nft.run(name, SCRIPT)
    loaded = nft.holds(name, SCRIPT)
    nft.run(name, 'delete element inet t s { 198.18.0.2 . 81 }\nadd element inet t s { 198.18.0.2 . 81 comment "two" }')
    put_back = nft.holds(name, SCRIPT)
    nft.run(name, "delete element inet t s { 198.18.0.2 . 81 }")

    assert loaded
    assert put_back
    assert not nft.holds(name, SCRIPT)


def test_a_refused_script_leaves_nothing_in_force(spaces):
    """A script is one transaction: an error in its last line undoes its first."""
    (name,) = spaces("a")
    with pytest.raises(KernelError, match=name):
        nft.run(name, SCRIPT + "\nadd rule inet t nowhere accept\n")

    assert "" == nft.run(name, "list ruleset")


def test_without_nft_the_message_says_what_to_install(monkeypatch):
    """The missing program is named with the command that installs it."""
    nft.program.cache_clear()
    monkeypatch.setattr(nft, "_SEARCH", "/nonexistent")
    with pytest.raises(HostError, match="apt-get install nftables"):
        nft.program()
    nft.program.cache_clear()


FAKES = {
    "hangs": ("sleep 100", "did not end in 0.3 seconds"),
    "hangs and leaves a child": ("sleep 2 & wait", "did not end in 0.3 seconds"),
    "is killed": ("kill -SEGV $$", "SIGSEGV"),
    "does nothing": ("exit 0", "loaded no rules"),
    "prints junk": ("echo junk", "loaded no rules"),
    "fails without a word": ("exit 7", "exit code 7"),
}


@pytest.mark.parametrize("what", FAKES)
def test_a_program_that_is_not_nft_is_an_error(spaces, monkeypatch, tmp_path, what):
    """Whatever it does, its rules do not count as loaded."""
    script, message = FAKES[what]
    fake = tmp_path / "nft"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    (name,) = spaces("a")
    monkeypatch.setattr(nft, "program", lambda: str(fake))
    monkeypatch.setattr(nft, "SECONDS", 0.3)
    with pytest.raises((HostError, KernelError), match=message):
        nft.load(name, SCRIPT)


@pytest.mark.parametrize(("content", "mode"), [("\x7fELF", 0o755), ("#!/nonexistent\n", 0o755), ("", 0o644)])
def test_an_nft_that_cannot_be_started_is_an_error(spaces, monkeypatch, tmp_path, content, mode):
    """A program of another architecture, one without its interpreter, and a file that is no program."""
    fake = tmp_path / "nft"
    fake.write_text(content)
    fake.chmod(mode)
    (name,) = spaces("a")
    monkeypatch.setattr(nft, "program", lambda: str(fake))
    with pytest.raises(HostError, match="cannot run"):
        nft.load(name, SCRIPT)


@pytest.mark.parametrize("listing", ["junk", "{}", "[]", '{"nftables": 7}', "\x00"])
def test_a_listing_that_is_not_json_is_an_error(listing):
    """A ruleset is compared only with what nft prints."""
    with pytest.raises(HostError, match="lists no ruleset"):
        nft._comparable(listing)
