"""The models that a server offers: those that it can use, and what they cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reviewbot.config.load import read_settings
from reviewbot.jobs.model_list import list_models
from reviewbot.models.catalog import known_models

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from reviewbot.config.settings import Settings
    from reviewbot.jobs.model_list import ModelList

KEY = {"ANTHROPIC_API_KEY": "sk-ant-test"}


def listed(folder: Path, config: str = "", **env: str) -> ModelList:
    """The models of a server with a configuration file and an environment."""
    file = folder / "config.yml"
    file.write_text(config or "{}", "utf-8")

    def load(options: Mapping[str, object]) -> Settings:
        return read_settings(dict(options), cwd=folder, env=env, config=file)

    return list_models(load)


def names(found: ModelList) -> list[str]:
    return [info.name for info in found.models]


def test_without_a_key_the_rules_are_the_only_model_and_the_list_says_why(tmp_path: Path) -> None:
    found = listed(tmp_path)
    assert (found.default, names(found)) == ("offline", ["offline"])
    assert found.offline_reason == "no ANTHROPIC_API_KEY is set, so the offline rules review"


def test_rules_that_were_chosen_need_no_reason(tmp_path: Path) -> None:
    assert listed(tmp_path, "model: offline").offline_reason is None


def test_with_a_key_all_models_of_the_catalogue_are_listed_the_default_first(
    tmp_path: Path,
) -> None:
    found = listed(tmp_path, "model: claude-haiku-5-5\nbudget_usd: 0.5", **KEY)
    assert found.default == names(found)[0] == "claude-haiku-5-5"
    assert set(names(found)) == set(known_models())
    assert len(names(found)) == len(known_models())
    assert found.budget_usd == 0.5
    assert found.models[0].prices is not None


def test_another_server_has_its_configured_models_and_none_of_the_catalogue(
    tmp_path: Path,
) -> None:
    config = "model: qwen\nfallback_models: [llama]\nmodels: {phi: {context: 8000}}"
    found = listed(tmp_path, config, ANTHROPIC_BASE_URL="http://127.0.0.1:8080")
    assert names(found) == ["qwen", "llama", "phi", "offline"]
    assert found.models[0].prices is None


def test_models_that_review_some_files_are_named(tmp_path: Path) -> None:
    config = """
model: claude-sonnet-5-5
routes:
  - {paths: ["*.md"], model: claude-haiku-5-5}
  - {paths: ["*.sql"], model: claude-sonnet-5-5}
"""
    found = listed(tmp_path, config, **KEY)
    assert found.others == ("claude-haiku-5-5",)
