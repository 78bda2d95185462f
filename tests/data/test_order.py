"""Names in the order in which people count."""

from __future__ import annotations

from itertools import permutations

from handread.data.order import natural


def test_numbers_in_names_count_as_numbers() -> None:
    names = ["b2", "a10", "a9", "a", "10", "9", "a9b10", "a9b9"]
    assert sorted(names, key=natural) == ["9", "10", "a", "a9", "a9b9", "a9b10", "a10", "b2"]


def test_every_name_has_one_place() -> None:
    names = ("01.png", "1.png", "1²3.png", "²", "٣.png")  # the last is a three in Arabic
    assert {tuple(sorted(mixed, key=natural)) for mixed in permutations(names)} == {
        ("01.png", "1.png", "1²3.png", "٣.png", "²")
    }
