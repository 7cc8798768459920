"""The number of look-ups in the App: a repository may lower that of the server."""

from __future__ import annotations

from functools import partial

import pytest

from reviewbot.config.settings import Settings, load_settings
from reviewbot.github.app.repository_config import RepositoryConfig


def load(of_server: str, options: dict[str, object]) -> Settings:
    return load_settings(flags=options, env={}, config_text=of_server)


@pytest.mark.parametrize(
    ("of_server", "of_repository", "effective"),
    [(24, 10, 10), (24, 0, 0), (10, 24, 10), (0, 24, 0)],
)
def test_a_repository_may_lower_the_number_of_look_ups(
    of_server: int, of_repository: int, effective: int
) -> None:
    config = RepositoryConfig(partial(load, f"lookups: {of_server}\n"))
    settings = config.settings((".reviewbot.yml", f"lookups: {of_repository}\n"))
    assert settings.lookups == effective
    assert config.options["lookups"] == effective  # as it is stored with the review
