"""The recipes of CONTRIBUTING.md do what they say: each block is put where it belongs, and its contract run on it."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from handread.alphabet import DIGITS, NAMED
from handread.data import readers, usps
from handread.errors import DataError
from handread.evaluation import paper
from handread.evaluation.corruption import CORRUPTIONS
from handread.registry import Registry
from tests.conftest import module_at

TESTS = Path(__file__).resolve().parent
PAGE = (TESTS.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
forms = module_at(TESTS / "data/test_readers.py")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def block(containing: str) -> str:
    (found,) = [body for body in BLOCKS if containing in body]
    return found


def with_room(registry: Registry[object], monkeypatch: pytest.MonkeyPatch) -> None:
    """What is registered from here on is gone after the test."""
    monkeypatch.setattr(registry, "_entries", dict(registry._entries))


def appended(module: ModuleType, source: str) -> dict[str, object]:
    """The names of a module, with `source` as if it stood at its end."""
    names = dict(vars(module))
    exec(compile(source, "CONTRIBUTING.md", "exec"), names)
    return names


def test_every_block_is_tried() -> None:
    tried = ("@NETWORKS", "def recognise", "READERS.register", "DIGITS[", "@_listed")
    assert [sum(word in body for body in BLOCKS) for word in tried] == [1] * len(BLOCKS)


def test_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    from handread.networks import residual
    from handread.networks.base import NETWORKS

    contract = module_at(TESTS / "networks/test_networks.py")
    with_room(NETWORKS, monkeypatch)
    appended(residual, block("@NETWORKS"))
    name = "residual-narrow"
    contract.test_the_docstring_tells_the_parameters(name)
    contract.test_logits_have_their_shape_and_are_finite(name, 63)
    contract.test_every_parameter_gets_a_gradient(name)
    contract.test_items_of_a_batch_do_not_mix(name)
    contract.test_cues_matter_where_they_are_said_to(name)
    contract.test_it_exports_and_onnxruntime_agrees(name)


def make_hexadecimal(folder: Path) -> tuple[Path, Path]:
    path = folder / "set.hex"
    rows = [f"{label} {image.tobytes().hex()}\n" for label, image in zip(forms.LABELS, forms.ink_images(), strict=True)]
    path.write_bytes(b"# digits in hexadecimal\n" + "".join(rows).encode())
    return path, path


@pytest.fixture
def _hexadecimal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The form's module beside the others, registered by the page's own line."""
    written = appended(usps, block("def recognise"))
    monkeypatch.setattr(readers, "hexadecimal", SimpleNamespace(**written), raising=False)
    with_room(readers.READERS, monkeypatch)
    appended(readers, block("READERS.register"))
    monkeypatch.setitem(forms.FORMS, "hexadecimal", forms.Form(make_hexadecimal))


@pytest.mark.usefixtures("_hexadecimal")
@pytest.mark.parametrize(
    "contract",
    [
        forms.test_round_trip, forms.test_recognised_by_exactly_one_form, forms.test_truncated_file,
        forms.test_empty_file, forms.test_wrong_content, forms.test_missing_file, forms.test_a_split_that_is_not_there,
    ],
    ids=lambda contract: contract.__name__,
)  # fmt: skip
def test_a_form_of_data(contract: object, tmp_path: Path) -> None:
    contract("hexadecimal", tmp_path)  # type: ignore[operator]


@pytest.mark.usefixtures("_hexadecimal")
def test_a_line_that_is_no_image_is_named(tmp_path: Path) -> None:
    path, _ = make_hexadecimal(tmp_path)
    path.write_text(path.read_text() + "7 00ff\n")
    with pytest.raises(DataError, match="line 8: expected a digit and 36 pixels in hexadecimal"):
        readers.read_path(path)


def test_an_alphabet(monkeypatch: pytest.MonkeyPatch) -> None:
    contract = module_at(TESTS / "test_alphabet.py")
    for name, characters in eval(f"{{{block('DIGITS[')}}}", {"DIGITS": DIGITS}).items():
        monkeypatch.setitem(NAMED, name, characters)
        contract.test_a_named_alphabet_is_the_contract(name)


def test_a_corruption(monkeypatch: pytest.MonkeyPatch) -> None:
    contract = module_at(TESTS / "evaluation/test_corruptions.py")
    with_room(CORRUPTIONS, monkeypatch)
    appended(paper, block("@_listed"))
    contract.test_a_corruption_keeps_the_contract("stain")
    contract.test_each_strength_changes_more_than_the_one_before("stain")
    contract.test_pictures_of_other_sizes_and_single_ones("stain", (40, 20))
    contract.test_light_on_dark_is_as_declared_and_found_by_itself("stain")
    contract.test_strength_0("stain")
    assert CORRUPTIONS["stain"].says == "A stain over the middle, 8, 14, 20, 26 or 32 % darker."
