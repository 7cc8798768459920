"""Texts of the offline rules, of the linters' rules and of a repository's rules, for SARIF."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from reviewbot import REPOSITORY
from reviewbot.core.render import sarif
from reviewbot.core.render.sarif import RuleText
from reviewbot.core.safety.redact import redact_text
from reviewbot.core.safety.shown_text import shown_line, shown_markdown
from reviewbot.models.linters.rules import find_rule
from reviewbot.pipeline import config_check
from reviewbot.rules.folders import FOLDERS
from reviewbot.rules.load import load_folder
from reviewbot.rules.meta_variables import META_VARIABLE
from reviewbot.rules.rule import parse_rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reviewbot.core.events.report import Report
    from reviewbot.rules.rule import Rule

_DOCS: Final = f"{REPOSITORY}/blob/main/docs/offline-rules.md"
_PAGES: Final = {
    "ruff": "https://docs.astral.sh/ruff/rules/",
    "oxlint": "https://oxc.rs/docs/guide/usage/linter/rules.html",
    "shellcheck": "https://www.shellcheck.net/wiki/{}",
    "hadolint": "https://github.com/hadolint/hadolint/wiki/{}",
    "zizmor": "https://docs.zizmor.sh/audits/#{}",
}
"""Pages about the rules of a linter, by its name."""
_CONFIG: Final = RuleText(
    "The configuration of reviewbot is invalid",
    "Correct the file before it is merged: it decides about the reviews of all pull requests.",
    "error",
    f"{REPOSITORY}/blob/main/docs/configuration.md#a-change-of-the-file",
)
_URL: Final = re.compile(r"https?://[^\s<>]+")


def render_sarif(report: Report, custom_rules: Iterable[Mapping[str, Any]] = ()) -> str:
    """Return the report as SARIF, with the texts of its rules.

    Args:
        report: the review.
        custom_rules: rules of the repository (:attr:`Settings.custom_rules`).

    Raises:
        ConfigError: a rule file is broken.
        ReviewbotError: the search for secrets failed.
    """
    ids = {one.rule for one in report.findings}
    own = {data["id"]: _of_repository(data) for data in custom_rules if data["id"] in ids}
    return sarif.render(report, rule_texts(ids) | own)


def rule_texts(ids: Iterable[str]) -> dict[str, RuleText]:
    """Return the texts of the rules that come with reviewbot, by id.

    Other ids are left out: categories of a model, rules of the repository, results of other tools.

    Raises:
        ConfigError: a rule file is broken.
    """
    texts: dict[str, RuleText] = {}
    for rule in ids:
        folder, _, name = rule.partition("/")
        if folder in FOLDERS:
            texts |= _of_folder(folder)
        elif folder == "secrets":
            texts[rule] = _of_secret(name)
        elif rule == config_check.RULE:
            texts[rule] = _CONFIG
        elif group := find_rule(rule):
            url = _PAGES[folder].format(name)
            severity = group.severity_for("warning")
            texts[rule] = RuleText(f"{rule}: {group.reason}", group.reason, severity, url)
    return texts


def _of_folder(folder: str) -> dict[str, RuleText]:
    return {rule.id: _of_rule(rule, rule.url or _DOCS) for rule in load_folder(folder)}


def _of_repository(data: Mapping[str, Any]) -> RuleText:
    rule = parse_rule(data, source=f"{data['id']}.yml")
    url = rule.url or ""
    is_shown = _URL.fullmatch(url) and redact_text(url) == url
    text = _of_rule(rule, url if is_shown else None)
    help_text = shown_markdown(text.help, link_hosts=())
    return replace(text, title=shown_line(text.title), help=help_text)


def _of_rule(rule: Rule, url: str | None) -> RuleText:
    help_text = _without_variables(f"{rule.scenario}\n\n{rule.message}")
    return RuleText(_without_variables(rule.title), help_text, rule.severity, url)


def _of_secret(name: str) -> RuleText:
    title = f"A secret in an added line: {name}"
    help_text = "Revoke it, then read it from the environment or a secret store."
    return RuleText(title, help_text, "error", f"{_DOCS}#secrets")


def _without_variables(text: str) -> str:
    return META_VARIABLE.sub(r"\2", text)
