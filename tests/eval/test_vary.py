"""``--vary``: every combination of settings, checked as a configuration file is."""

from __future__ import annotations

import pytest

from reviewbot.errors import ConfigError
from reviewbot.eval.vary import combinations


def test_every_combination_has_a_name_and_settings() -> None:
    assert combinations(["context=0,10", "verify=on,off"]) == {
        "context=0 verify=on": {"context_lines": 0, "verify": True},
        "context=0 verify=off": {"context_lines": 0, "verify": False},
        "context=10 verify=on": {"context_lines": 10, "verify": True},
        "context=10 verify=off": {"context_lines": 10, "verify": False},
    }


def test_examples_can_vary() -> None:
    assert [*combinations(["examples=0,3"]).values()] == [{"examples": 0}, {"examples": 3}]


def test_without_anything_to_vary_there_is_one_contestant() -> None:
    assert combinations([]) == {"": {}}


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["context"], "must be a setting with values"),
        (["context="], "must be a setting with values"),
        (["colour=red"], "colour"),
        (["context=many"], "context_lines"),
        (["verify=on", "verify=off"], "each setting only once"),
        (["context=0", "context_lines=10"], "each setting only once"),
        (["confidence=0.7,0.7"], "not confidence=0.7 twice"),
        (["jobs=1,2,3,4,5", "max_notes=1,2,3,4,5", "confidence=0.1,0.2,0.3"], "more than 64"),
    ],
)
def test_a_wrong_setting_is_an_error(texts: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        combinations(texts)
