"""Comments name as many objects as fit into what nft takes."""

import pytest

from netlab.ruleset.comments import LIMIT, listing, plain, sentence


@pytest.mark.parametrize(
    ("names", "limit", "expected"),
    [
        pytest.param([], 40, "", id="none"),
        pytest.param(["shop/web"], 40, "shop/web", id="one"),
        pytest.param(["x/a", "x/b"], 40, "x/a, x/b", id="all fit"),
        pytest.param(["x/a", "x/b", "x/c"], 13, "x/a, x/b, x/c", id="all fit where fewer and their count would not"),
        pytest.param(["x/aaaa", "x/bbbb", "x/cccc", "x/dddd"], 25, "x/aaaa, x/bbbb and 2 more", id="and more"),
        pytest.param(["x/" + "a" * 30, "x/b"], 20, "x/aaaa... and 1 more", id="first is too long"),
    ],
)
def test_listing(names, limit, expected):
    """A listing never exceeds its limit, and says how many names it leaves out."""
    assert expected == listing(names, limit)
    assert len(expected) <= limit


def test_listing_of_very_many_names_is_short():
    """The number of names that are left out is right whatever their number."""
    text = listing([f"x/pod-{n}" for n in range(100_000)])

    assert len(text) <= LIMIT
    assert text.endswith(f" and {100_000 - text.count('x/')} more")


def test_sentence_shares_the_room():
    """Three parts that do not fit whole are all shortened, so that each is still there."""
    many = [f"namespace/some-long-name-{n}" for n in range(9)]
    text = sentence(many, ("from", many), ("by", many))

    assert len(text) <= LIMIT
    assert 3 == text.count("namespace/some")


@pytest.mark.parametrize(
    "name", ['a"b', "a\nflush ruleset", "a\r", "\x1b[2J", "\x7f", "\u202eb", "\u2028", "ä", "\udcff", "\0"]
)
def test_nothing_ends_a_comment_early(name):
    """nft has no way of writing a quote within quotes."""
    text = plain(name)

    assert text.isascii()
    assert text.isprintable()
    assert '"' not in text
    assert len(text) == len(name)


def test_what_nft_takes_stays_as_it_is():
    """Names of Kubernetes have nothing else."""
    assert "shop/web.a-1 selected by x/y, z" == plain("shop/web.a-1 selected by x/y, z")
