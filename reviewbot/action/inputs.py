"""Inputs of the Action, and the variables of its runner. Pure.

``action.yml`` passes its inputs as variables; a runner sets the others (docs.github.com, "Variables
reference"). Every value is checked here, so that a mistake is reported before any request.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, get_args

from reviewbot.config.settings import API_KEY, FailOn, IfIncomplete, SecretText
from reviewbot.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

Forks = Literal["rules", "fail"]

PREFIX: Final = "REVIEWBOT_ACTION_"
INPUT_ADVICE: Final = (
    "Remove the input github-token from the workflow: its default is the token of the job."
)
OUTPUT_FILE: Final = "GITHUB_OUTPUT"
SUMMARY_FILE: Final = "GITHUB_STEP_SUMMARY"
_TRUTH: Final = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class ActionInputs:
    """The inputs and the runner's own variables.

    Attributes:
        pull_request: number of the pull request, for events that do not contain the number.
        run_key: name of the job in this attempt of this run.
        workflow: name of the file of the workflow in this repository; None for another one.
        forks: what a job without secrets does, as of a fork: the ``rules`` review, or ``fail``.
        config: path of the configuration file in the repository; None for the default paths.
        sarif: path of the SARIF file to write.
        output: file for the outputs; None outside of a runner.
        step_summary: file for the job's summary; None outside of a runner.
    """

    token: SecretText | None
    api_url: str
    server_url: str
    repository: str
    event_name: str
    event_path: Path | None
    run_id: str
    run_key: str
    pull_request: int | None
    flags: Mapping[str, object]
    config: str | None
    check: str | None
    review_comments: bool
    summary_comment: bool
    full: bool
    sarif: Path
    workflow: str | None = None
    forks: Forks = "rules"
    workspace: Path | None = None
    temp: Path | None = None
    output: Path | None = None
    step_summary: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def page(self) -> str:
        """Address of the repository's page."""
        return f"{self.server_url.rstrip('/')}/{self.repository}"

    @property
    def signing(self) -> tuple[str, ...]:
        """Secrets that sign our markers, derived from the API key; empty without the key.

        Others can write under the same login, but lack the key. A signature reveals neither the
        secret nor the key.
        """
        key = self.env.get(API_KEY, "").strip()
        if not key:
            return ()
        return (hmac.new(key.encode(), b"reviewbot action markers", hashlib.sha256).hexdigest(),)


def read_inputs(env: Mapping[str, str]) -> ActionInputs:
    """Return the inputs of a run. An empty variable is not set.

    Raises:
        ConfigError: an input is invalid, or a variable of the runner is missing. The error names
            the input or variable.
    """
    given = _Given(env)
    number = given.input("pull-request")
    if number is not None and not (number.isascii() and number.isdigit() and int(number) > 0):
        raise _wrong("pull-request", "must be the number of a pull request", number)
    fail_on = given.choice("fail-on", get_args(FailOn))
    if_incomplete = given.choice("if-incomplete", get_args(IfIncomplete))
    check = given.input("check-name") or "reviewbot"
    return ActionInputs(
        token=SecretText(token) if (token := given.variable("GITHUB_TOKEN")) else None,
        api_url=given.variable("GITHUB_API_URL") or "https://api.github.com",
        server_url=given.variable("GITHUB_SERVER_URL") or "https://github.com",
        repository=given.needed("GITHUB_REPOSITORY"),
        event_name=given.variable("GITHUB_EVENT_NAME") or "",
        event_path=given.path("GITHUB_EVENT_PATH"),
        run_id=given.variable("GITHUB_RUN_ID") or "",
        run_key=_run_key(given),
        workflow=_workflow(given),
        pull_request=int(number) if number else None,
        flags={
            "model": given.input("model"),
            "fallback_models": _names(given.input("fallback-models")),
            "fail_on": fail_on,
            "if_incomplete": if_incomplete,
            "budget_usd": _dollars(given.input("budget-usd")),
        },
        config=(given.input("config") or "").removeprefix("./") or None,
        check=check if given.truth("check-run", default=True) else None,
        review_comments=given.truth("review-comments", default=True),
        summary_comment=given.truth("summary-comment", default=True),
        full=given.truth("full", default=False),
        forks="fail" if given.choice("forks", get_args(Forks)) == "fail" else "rules",
        sarif=Path(given.input("sarif-file") or _default_sarif(given)),
        workspace=given.path("GITHUB_WORKSPACE"),
        temp=given.path("RUNNER_TEMP"),
        output=given.path(OUTPUT_FILE),
        step_summary=given.path(SUMMARY_FILE),
        env=env,
    )


class _Given:
    """Reader of variables."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env

    def variable(self, name: str) -> str | None:
        return self._env.get(name, "").strip() or None

    def needed(self, name: str) -> str:
        if (value := self.variable(name)) is None:
            raise ConfigError(
                "is not set; a runner sets it, and outside a runner you must set it", source=name
            )
        return value

    def path(self, name: str) -> Path | None:
        value = self.variable(name)
        return Path(value) if value else None

    def input(self, name: str) -> str | None:
        """Return an input by its name in ``action.yml``."""
        short = {"sarif-file": "SARIF"}.get(name) or name.replace("-", "_").upper()
        return self.variable(PREFIX + short)

    def choice(self, name: str, choices: tuple[str, ...]) -> str | None:
        value = self.input(name)
        if value is not None and value not in choices:
            raise _wrong(name, f"must be one of {', '.join(choices)}", value)
        return value

    def truth(self, name: str, *, default: bool) -> bool:
        value = self.input(name)
        if value is None:
            return default
        if (found := _TRUTH.get(value.lower())) is None:
            raise _wrong(name, "must be true or false", value)
        return found


def _run_key(given: _Given) -> str:
    names = ("GITHUB_RUN_ID", "GITHUB_RUN_ATTEMPT", "GITHUB_JOB")
    parts = (re.sub("[^A-Za-z0-9]", "", given.variable(name) or "") for name in names)
    return "-".join(("run", *(part[:20] for part in parts if part)))


def _workflow(given: _Given) -> str | None:
    """Return the file of ``OWNER/REPO/.github/workflows/FILE@REF``."""
    path = (given.variable("GITHUB_WORKFLOW_REF") or "").partition("@refs/")[0]
    folder = f"{given.needed('GITHUB_REPOSITORY')}/.github/workflows/"
    name = path[len(folder) :]
    is_here = path.lower().startswith(folder.lower()) and name and "/" not in name
    return name if is_here else None


def _names(text: str | None) -> list[str] | None:
    names = [name.strip() for name in (text or "").split(",")]
    return [name for name in names if name] or None


def _dollars(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise _wrong("budget-usd", "must be an amount above 0, such as 0.50", text)
    return value


def _default_sarif(given: _Given) -> str:
    return str(Path(given.variable("RUNNER_TEMP") or ".") / "reviewbot.sarif")


def _wrong(name: str, what: str, value: str) -> ConfigError:
    return ConfigError(f"{what}, not {value[:60]!r}", source=f"the input {name}")
