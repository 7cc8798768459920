"""Settings of a run, from the inputs and the configuration file of the base. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reviewbot.config.settings import API_KEY, OFFLINE, load_settings
from reviewbot.errors import ConfigError

if TYPE_CHECKING:
    from reviewbot.action.event import RequestedReview
    from reviewbot.action.inputs import ActionInputs
    from reviewbot.config.settings import Settings

_KEY_HINT: Final = (
    "no model is available: pass anthropic-api-key: ${{ secrets.ANTHROPIC_API_KEY }}, or model:"
    " offline to review with the offline rules only"
)
NO_SECRETS: Final = (
    "GitHub gives no secrets to workflows for pull requests from forks and from Dependabot, so this"
    " job has no key for a model."
)
"""Reason why rules and linters alone review."""
_FAIL_HINT: Final = (
    "GitHub gives no secrets to workflows for pull requests from forks and from Dependabot, and the"
    " input forks is fail: have a model review them, as docs/action.md says, or set forks: rules"
)


def settings_of(inputs: ActionInputs, config: tuple[str, str] | None) -> Settings:
    """Return the settings of a run.

    ``config`` has name and text of the base's configuration file; None without a file.

    Raises:
        ConfigError: a setting is invalid.
    """
    name, text = config or (".reviewbot.yml", None)
    settings = load_settings(
        flags=inputs.flags,
        env=inputs.env,
        config_text=text,
        config_name=name,
        flag_prefix="the input ",
    )
    # In a workflow, findings fail the check only if configured.
    return settings if "fail_on" in settings.origins else replace(settings, fail_on="never")


def lacks_key(settings: Settings) -> bool:
    """Return whether a model has no key, and the offline rules were not chosen."""
    keyless = any(choice.problem and choice.api_key_env == API_KEY for choice in settings.choices)
    is_offline = settings.model.name == OFFLINE and "model" not in settings.origins
    return bool(settings.model.problem) or keyless or is_offline


def without_key(inputs: ActionInputs, wanted: RequestedReview, settings: Settings) -> str:
    """Return why rules and linters alone review, in a sentence; empty if models review.

    Only a job to which GitHub gives no secrets is reviewed without its key. Any other missing key
    is a mistake, which must not cause a green check.

    Raises:
        ConfigError: a model has no key, and the rules must not take its place.
    """
    if not lacks_key(settings):
        return ""
    if wanted.has_secrets:
        raise ConfigError(_KEY_HINT, source=API_KEY)
    if inputs.forks == "fail":
        raise ConfigError(_FAIL_HINT, source=API_KEY)
    return NO_SECRETS
