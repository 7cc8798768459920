"""Settings of a run, from the inputs and the configuration file of the base. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reviewbot.config.settings import API_KEY, OFFLINE, load_settings
from reviewbot.errors import ConfigError

if TYPE_CHECKING:
    from reviewbot.action.inputs import ActionInputs
    from reviewbot.config.settings import Settings
    from reviewbot.github.api.pulls import PullRequest

_KEY_HINT: Final = (
    "no model is available: pass anthropic-api-key: ${{ secrets.ANTHROPIC_API_KEY }}, or model:"
    " offline to review with the offline rules only"
)
_FORK_HINT: Final = (
    "this pull request comes from a fork, and GitHub gives its workflows no secrets, so no model is"
    " available: set model: offline for forks, or install reviewbot as an App, which reviews them"
    " like all others"
)
_DEPENDABOT: Final = "dependabot[bot]"
_DEPENDABOT_HINT: Final = (
    "no model is available: GitHub gives workflows of Dependabot only their own secrets; add"
    " ANTHROPIC_API_KEY to these (Settings, Secrets and variables, Dependabot), or set model:"
    " offline for Dependabot"
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


def check_key(inputs: ActionInputs, settings: Settings, pull: PullRequest) -> None:
    """Check that a key is set, so that a missing key does not cause a green check.

    Raises:
        ConfigError: the offline rules were not chosen, and a model has no key.
    """
    chosen = "model" in settings.origins
    keyless = [one for one in settings.choices if one.problem and one.api_key_env == API_KEY]
    offline = settings.model.name == OFFLINE and not chosen
    if settings.model.problem or keyless or offline:
        on_push = inputs.event_name == "pull_request"
        hint = _FORK_HINT if on_push and pull.is_fork else _KEY_HINT
        if on_push and pull.author.login == _DEPENDABOT:
            hint = _DEPENDABOT_HINT
        raise ConfigError(hint, source=API_KEY)
