"""Texts of the offline rules and of the linters' rules, for SARIF."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reviewbot import REPOSITORY
from reviewbot.core.render import sarif
from reviewbot.core.render.sarif import RuleText
from reviewbot.models.linters.rules import find_rule
from reviewbot.rules import FOLDERS, META_VARIABLE, load_folder

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reviewbot.core.events.report import Report

_DOCS: Final = f"{REPOSITORY}/blob/main/docs/offline-rules.md"
_PAGES: Final = {
    "ruff": "https://docs.astral.sh/ruff/rules/",
    "oxlint": "https://oxc.rs/docs/guide/usage/linter/rules.html",
    "shellcheck": "https://www.shellcheck.net/wiki/{}",
    "hadolint": "https://github.com/hadolint/hadolint/wiki/{}",
    "zizmor": "https://docs.zizmor.sh/audits/#{}",
}
"""Pages about the rules of a linter, by its name."""


def render_sarif(report: Report) -> str:
    """Return the report as SARIF, with the texts of its rules.

    Raises:
        ConfigError: a rule file is broken.
    """
    return sarif.render(report, rule_texts({one.rule for one in report.findings}))


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
        elif group := find_rule(rule):
            url = _PAGES[folder].format(name)
            severity = group.severity_for("warning")
            texts[rule] = RuleText(f"{rule}: {group.reason}", group.reason, severity, url)
    return texts


def _of_folder(folder: str) -> dict[str, RuleText]:
    return {
        rule.id: RuleText(
            _without_variables(rule.title),
            _without_variables(f"{rule.scenario}\n\n{rule.message}"),
            rule.severity,
            rule.url or _DOCS,
        )
        for rule in load_folder(folder)
    }


def _of_secret(name: str) -> RuleText:
    title = f"A secret in an added line: {name}"
    help_text = "Revoke it, then read it from the environment or a secret store."
    return RuleText(title, help_text, "error", f"{_DOCS}#secrets")


def _without_variables(text: str) -> str:
    return META_VARIABLE.sub(r"\2", text)
