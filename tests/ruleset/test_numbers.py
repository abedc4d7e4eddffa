"""Numbers are hashes of what they mean."""

from netlab.ruleset.elements import writer
from netlab.ruleset.numbers import numbers


def test_number_does_not_depend_on_the_other_texts():
    """A text has the same number whatever else is numbered with it."""
    alone = numbers(["pods app=web in namespace shop"], 31)
    together = numbers(["a", "pods app=web in namespace shop", "z"], 31)

    assert alone["pods app=web in namespace shop"] == together["pods app=web in namespace shop"]


def test_texts_that_hash_alike_get_numbers_of_their_own():
    """With three bits for seven texts there are collisions, and yet no number is given twice, nor 0."""
    given = numbers("abcdefg", 3)

    assert set(range(1, 8)) == set(given.values())
    assert given == numbers("gfedcba", 3)


def test_numbers_read_as_nft_lists_them():
    """Marks have eight digits; classids are MAJOR:MINOR without leading zeros."""
    assert "0x00000101" == writer(("mark",))((0x101,))
    assert "1a:b . 80" == writer(("classid", "inet_service"))((0x001A000B, 80))
