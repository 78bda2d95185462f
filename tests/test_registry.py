"""The registry: one name, one builder, and help with typos."""

from __future__ import annotations

import pytest

from handread.errors import UnknownNameError
from handread.registry import Registry, unknown


@pytest.fixture
def shapes() -> Registry[int]:
    registry = Registry[int]("shape")
    registry.register("square")(4)
    registry.register("circle")(1)
    return registry


def test_a_name_leads_to_its_entry(shapes: Registry[int]) -> None:
    assert shapes["square"] == 4
    assert list(shapes) == ["circle", "square"]
    assert len(shapes) == 2
    assert "circle" in shapes
    assert "line" not in shapes
    assert 3 not in shapes


def test_registering_gives_the_entry_back() -> None:
    registry = Registry[object]("thing")

    @registry.register("f")
    def f() -> None: ...

    assert registry["f"] is f


def test_a_taken_name_is_refused(shapes: Registry[int]) -> None:
    with pytest.raises(ValueError, match="shape 'square' is registered already; choose another name"):
        shapes.register("square")(5)
    assert shapes["square"] == 4


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("squar", r"there is no shape called 'squar'; did you mean square\?"),
        ("xyz", "there is no shape called 'xyz'; there are circle, square"),
    ],
)
def test_a_typo_gets_a_suggestion(shapes: Registry[int], name: str, words: str) -> None:
    with pytest.raises(UnknownNameError, match=words):
        shapes[name]


def test_two_near_names_are_both_named() -> None:
    assert unknown("net", "tiny", ["tiny-a", "tiny-b", "huge"]) in (
        "there is no net called 'tiny'; did you mean tiny-a or tiny-b?",
        "there is no net called 'tiny'; did you mean tiny-b or tiny-a?",
    )
