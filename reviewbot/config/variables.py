"""Names of the environment variables, and those that a ``.env`` file may set. Pure.

A ``.env`` file is part of the working folder, which may be an untrusted checkout. The file may
choose models and hold keys. It may not choose where and how this machine stores its data, or its
GitHub App.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reviewbot.config.model_choice import API_KEY
from reviewbot.core.wording import count, listed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

PREFIX: Final = "REVIEWBOT_"
DOTENV_NAME: Final = ".env"
MOST_NAMES: Final = 10
"""Maximum number of names of untrusted variables that a message lists."""
LONGEST_NAME: Final = 60
"""Maximum characters of an untrusted name that a message shows."""

BASE_URL: Final = "ANTHROPIC_BASE_URL"
MODEL: Final = "REVIEWBOT_MODEL"
FALLBACK_MODELS: Final = "REVIEWBOT_FALLBACK_MODELS"
ROUTES: Final = "REVIEWBOT_ROUTES"
AB_SPLIT: Final = "REVIEWBOT_AB_SPLIT"
SERVER_KEY: Final = "REVIEWBOT_API_KEY"
TOKENS: Final = ("GITHUB_TOKEN", "GH_TOKEN")
GITHUB_ADDRESS: Final = "GITHUB_API_URL"

DOTENV: Final = frozenset(
    {
        *(API_KEY, BASE_URL, MODEL, FALLBACK_MODELS, ROUTES, AB_SPLIT, SERVER_KEY),
        *(*TOKENS, GITHUB_ADDRESS),
    }
)
"""Variables that a ``.env`` file may set, besides keys that a trusted file names."""

STATE_DIR: Final = "REVIEWBOT_STATE_DIR"
PROMPTS_DIR: Final = "REVIEWBOT_PROMPTS_DIR"
DATABASE_URL: Final = "REVIEWBOT_DATABASE_URL"
STORE_KEY: Final = "REVIEWBOT_STORE_KEY"
APP_ID: Final = "REVIEWBOT_GITHUB_APP_ID"
PRIVATE_KEY: Final = "REVIEWBOT_GITHUB_PRIVATE_KEY"
PRIVATE_KEY_FILE: Final = "REVIEWBOT_GITHUB_PRIVATE_KEY_FILE"
WEBHOOK_SECRET: Final = "REVIEWBOT_GITHUB_WEBHOOK_SECRET"  # noqa: S105 - the variable's name
APP: Final = (APP_ID, PRIVATE_KEY, PRIVATE_KEY_FILE, WEBHOOK_SECRET)

MACHINE: Final = frozenset(
    {STATE_DIR, PROMPTS_DIR, DATABASE_URL, STORE_KEY, *APP, "REVIEWBOT_DEBUG"}
)
"""Variables that reviewbot reads from the real environment only."""


def not_read(name: str) -> str:
    """Return the sentence about a variable that ``.env`` may not set."""
    return f"{name} in {DOTENV_NAME} is ignored: set it in the environment."


def ignored(dotenv: Mapping[str, str], keys: Collection[str]) -> Iterator[str]:
    """Yield sentences about variables of reviewbot that ``.env`` sets but may not set.

    Args:
        dotenv: variables of the file.
        keys: names of variables that hold keys of models; these are read.
    """
    names = [name for name, value in dotenv.items() if value.strip()]
    yield from map(not_read, sorted(MACHINE.intersection(names)))
    known = {*MACHINE, *DOTENV, *keys}
    unknown = [name for name in names if name.startswith(PREFIX) and name not in known]
    shown = [name[:LONGEST_NAME] for name in unknown[:MOST_NAMES]]
    if others := unknown[MOST_NAMES:]:
        shown.append(count(len(others), "more variable"))
    if len(unknown) == 1:
        yield f"{shown[0]} in {DOTENV_NAME} is ignored: it is not a setting of reviewbot."
    elif unknown:
        where = f"in {DOTENV_NAME} are ignored: they are not settings of reviewbot."
        yield f"{listed(shown)} {where}"
