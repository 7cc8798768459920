"""The files of the Action, and the workflows in its documentation."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]


ACTION_FILE = ROOT / "action.yml"


ACTION: dict[str, Any] = yaml.safe_load(ACTION_FILE.read_text("utf-8"))


DOCUMENT = (ROOT / "docs" / "action.md").read_text("utf-8")


VARIABLES = {
    "anthropic-api-key": "ANTHROPIC_API_KEY",
    "anthropic-base-url": "ANTHROPIC_BASE_URL",
    "github-token": "GITHUB_TOKEN",
    "model": "REVIEWBOT_ACTION_MODEL",
    "fallback-models": "REVIEWBOT_ACTION_FALLBACK_MODELS",
    "fail-on": "REVIEWBOT_ACTION_FAIL_ON",
    "if-incomplete": "REVIEWBOT_ACTION_IF_INCOMPLETE",
    "forks": "REVIEWBOT_ACTION_FORKS",
    "budget-usd": "REVIEWBOT_ACTION_BUDGET_USD",
    "config": "REVIEWBOT_ACTION_CONFIG",
    "summary-comment": "REVIEWBOT_ACTION_SUMMARY_COMMENT",
    "review-comments": "REVIEWBOT_ACTION_REVIEW_COMMENTS",
    "check-run": "REVIEWBOT_ACTION_CHECK_RUN",
    "check-name": "REVIEWBOT_ACTION_CHECK_NAME",
    "full": "REVIEWBOT_ACTION_FULL",
    "sarif-file": "REVIEWBOT_ACTION_SARIF",
    "pull-request": "REVIEWBOT_ACTION_PULL_REQUEST",
}
"""Each input, and the variable that ``reviewbot action`` reads."""


OUTPUTS = {
    *("outcome", "findings", "errors", "warnings", "notes"),
    *("cost-usd", "sarif-file", "review-url", "summary-url"),
}
"""What ``reviewbot action`` writes."""


def yaml_blocks(text: str) -> list[str]:
    """The blocks of YAML in a page."""
    return re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def documented_workflows() -> dict[str, str]:
    """Each whole workflow among the examples after the minimal one, by a name for a file."""
    blocks = yaml_blocks(DOCUMENT)[1:]
    whole = [block for block in blocks if re.search(r"^on:", block, re.MULTILINE)]
    return {f"example-{number}.yml": block for number, block in enumerate(whole, 1)}
