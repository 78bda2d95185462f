"""Recipes: what is read, what is refused, and that the shipped ones are whole."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from handread.errors import ConfigError
from handread.training.config import AugmentConfig, SourceConfig, TrainConfig, config_from, config_to, load_recipe

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.toml"))


def written(folder: Path, text: str) -> Path:
    path = folder / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_nothing_written_is_the_defaults(tmp_path: Path) -> None:
    assert load_recipe(written(tmp_path, "")) == TrainConfig()


def test_every_table_is_read(tmp_path: Path) -> None:
    text = (
        'epochs = 3\nlearning_rate = 1\n[augment]\nnoise = 0.25\n[[sources]]\ndata = "mnist"\n[[validation]]\ndata="v"'
    )
    config = load_recipe(written(tmp_path, text))
    assert config.epochs == 3
    assert config.learning_rate == 1.0
    assert type(config.learning_rate) is float
    assert config.augment == AugmentConfig(noise=0.25)
    assert config.sources == (SourceConfig(data="mnist"),)
    assert config.validation == (SourceConfig(data="v"),)


def test_a_configuration_survives_json() -> None:
    config = TrainConfig(
        epochs=7, augment=AugmentConfig(gamma=0.5), sources=(SourceConfig(data="a", repeat=2.5), SourceConfig(data="b"))
    )
    assert config_from(json.loads(json.dumps(config_to(config)))) == config


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("epoch = 3", r"no option called 'epoch'; did you mean epochs"),
        ("[augment]\nnoize = 1", "did you mean augment.noise"),
        ('[[sources]]\ndate = "x"', r"sources\[0\].date.*did you mean sources\[0\].data"),
        ("epochs = 3.5", "epochs is 3.5 .float.; expected int"),
        ('epochs = "3"', "expected int"),
        ("epochs = true", "epochs is True .bool.; expected int"),
        ("bf16 = 1", "bf16 is 1 .int.; expected bool"),
        ("name = 3", "expected str"),
        ("epochs = 0", "epochs is 0; expected 1 to 10000"),
        ("learning_rate = -1", "expected 1e-07 to 10"),
        ("learning_rate = nan", "expected a finite number"),
        ("learning_rate = inf", "expected a finite number"),
        ("[augment]\nnoise = 1.5", "augment.noise is 1.5; expected 0 to 1"),
        ("augment = 3", "augment is 3; expected a table"),
        ("sources = 3", r"expected tables written \[\[sources\]\]"),
        ("sources = [3]", r"sources\[0\] is 3; expected a table"),
        ("[sources]\ndata = 'x'", r"expected tables written \[\[sources\]\]"),
        ("epochs = ", "cannot be read"),
        ("epochs = 1\nepochs = 2", "cannot be read"),
    ],
)
def test_a_wrong_recipe_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        load_recipe(written(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_files_that_are_no_recipes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        load_recipe(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_recipe(tmp_path)
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_recipe(tmp_path / "bytes.toml")


def test_overrides_are_typed_values_or_words(tmp_path: Path) -> None:
    path = written(tmp_path, "epochs = 3\n[augment]\nnoise = 0.5")
    config = load_recipe(
        path, ["epochs=5", "augment.noise=0", "augment.light = 0.25", "network=plain-tiny", "bf16=false"]
    )
    assert config.epochs == 5
    assert config.augment == AugmentConfig(light=0.25)
    assert config.network == "plain-tiny"
    assert config.bf16 is False


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("epochs", "not of the form key=value"),
        ("=3", "not of the form key=value"),
        ("epochs.x=3", "'epochs' has no options below it"),
        ("epoch=3", "did you mean epochs"),
        ("epochs=many", "expected int"),
        ("augment.noise=2", "expected 0 to 1"),
        ("augment=3", "expected a table"),
        ("epochs=1\nseed=2", "expected int"),
    ],
)
def test_a_wrong_override_is_refused(tmp_path: Path, override: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load_recipe(written(tmp_path, "epochs = 3"), [override])


@pytest.mark.parametrize("kind", [TrainConfig, AugmentConfig, SourceConfig])
def test_defaults_lie_in_their_ranges(kind: type[Any]) -> None:
    for field in dataclasses.fields(kind):
        low, high = field.metadata.get("low"), field.metadata.get("high")
        if low is not None:
            assert low <= field.default <= high, field.name


def test_amounts_of_augmentation_default_to_identity() -> None:
    assert set(dataclasses.asdict(AugmentConfig()).values()) == {0.0}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
def test_the_recipes_that_ship_are_whole(path: Path) -> None:
    config = load_recipe(path)
    assert config.sources
    assert all(source.licence and source.origin for source in config.sources if source.data)
    assert config_from(config_to(config)) == config
