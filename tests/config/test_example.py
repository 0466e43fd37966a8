"""The example file: current, complete, and the same as no file at all."""

import re
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from spreadlake.config import Settings, load_settings
from spreadlake.config.alerting import ONLY_ON_PAIRS, ONLY_ON_SCREENS
from spreadlake.config.example import example_toml

EXAMPLE = Path(__file__).parent.parent.parent / "spreadlake.example.toml"


def test_it_is_what_the_generator_writes() -> None:
    remedy = "python -m spreadlake.config.example > spreadlake.example.toml"
    assert EXAMPLE.read_text(encoding="utf-8") == example_toml(), remedy


def test_it_loads_to_the_defaults() -> None:
    assert load_settings(EXAMPLE) == load_settings(None)


def test_it_loads_with_every_optional_key_as_well(tmp_path: Path) -> None:
    text = re.sub(r"^#(\w+ = )", r"\1", example_toml(), flags=re.MULTILINE)
    on_pairs = without(text, ONLY_ON_SCREENS)
    rule = loaded(tmp_path, on_pairs).alerts[0]
    assert None not in rule.model_dump(exclude=set(ONLY_ON_SCREENS)).values()
    on_screens = without(text, ONLY_ON_PAIRS).replace('on = "pair"', 'on = "screen"')
    rule = loaded(tmp_path, on_screens.replace("enabled = false", "enabled = true")).alerts[0]
    assert None not in rule.model_dump(exclude=set(ONLY_ON_PAIRS)).values()


def without(text: str, keys: Sequence[str]) -> str:
    """The example's text where its rule has none of the keys."""
    before, rule = text.split("[[alerts]]")
    kept = [line for line in rule.splitlines() if line.partition(" = ")[0] not in keys]
    return "[[alerts]]".join([before, "\n".join(kept)])


def loaded(folder: Path, text: str) -> Settings:
    full = folder / "full.toml"
    full.write_text(text, encoding="utf-8")
    return load_settings(full)


def test_every_key_is_in_it_with_its_description() -> None:
    text = example_toml()
    shown = tomllib.loads(re.sub(r"^#(\w+ = )", r"\1", text, flags=re.MULTILINE))
    assert set(keys_of(shown)) == set(keys_of_settings())
    prose = " ".join(line.removeprefix("# ") for line in text.splitlines())
    for description in descriptions(Settings):
        assert " ".join(description.split()) in prose


def keys_of(table: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in table.items():
        item = (
            value[0] if isinstance(value, list) and value and isinstance(value[0], dict) else value
        )
        if isinstance(item, dict) and key not in ("analytics_hours", "keep_days", "cold_keep_days"):
            yield from keys_of(item, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def keys_of_settings() -> Iterator[str]:
    for name, section in sections():
        yield from (f"{name}.{field}" for field in section.model_fields)
    named = {name for name, _ in sections()}
    yield from (name for name in Settings.model_fields if name not in named)


def sections() -> Iterator[tuple[str, type[BaseModel]]]:
    for name, field in Settings.model_fields.items():
        default = field.default[0] if isinstance(field.default, list) else field.default
        if isinstance(default, BaseModel):
            yield name, type(default)


def descriptions(model: type[BaseModel]) -> Iterator[str]:
    for _, section in sections():
        for field in section.model_fields.values():
            assert field.description, f"{section.__name__}.{field}"
            yield field.description
    named = {name for name, _ in sections()}
    yield from (f.description or "?" for n, f in model.model_fields.items() if n not in named)
