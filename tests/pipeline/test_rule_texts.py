"""SARIF describes each rule of reviewbot with its own texts."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import yaml

from reviewbot.pipeline.rule_texts import render_sarif, rule_texts
from reviewbot.rules.load import rule_ids
from reviewbot.rules.meta_variables import META_VARIABLE
from tests.support.custom_rules import RULE
from tests.support.documents import report_of
from tests.support.reports import FINDING

MOST = 1_024  # characters that code scanning takes of a description


def test_every_offline_rule_has_texts_that_code_scanning_can_show() -> None:
    texts = rule_texts(rule_ids())
    assert texts.keys() == rule_ids()
    for rule, text in texts.items():
        assert 0 < len(text.title) <= MOST, rule
        assert 0 < len(text.help) <= MOST, rule
        assert not META_VARIABLE.search(text.title + text.help), rule
        assert (text.url or "").startswith("https://"), rule


def test_linters_and_secrets_have_texts_and_other_rules_have_none() -> None:
    ids = ("ruff/F811", "shellcheck/SC2086", "secrets/github-token", "bug", "custom/x", "ruff/X1")
    texts = rule_texts(ids)
    assert list(texts) == ["ruff/F811", "shellcheck/SC2086", "secrets/github-token"]
    assert texts["ruff/F811"].title.startswith("ruff/F811: A later definition replaces ")
    assert texts["shellcheck/SC2086"].url == "https://www.shellcheck.net/wiki/SC2086"
    assert texts["secrets/github-token"].severity == "error"


def test_sarif_names_the_title_and_the_link_of_a_rule() -> None:
    report = report_of(replace(FINDING, rule="python/assert-permission", category="security"))
    (rule,) = json.loads(render_sarif(report))["runs"][0]["tool"]["driver"]["rules"]
    assert rule["shortDescription"]["text"] == ("The permission check disappears with `python -O`")
    assert rule["helpUri"].startswith("https://docs.python.org/")


@pytest.mark.parametrize("url", ["https://example.com/log", "see the wiki", "https://a <b>", None])
def test_sarif_describes_a_rule_of_the_repository_with_its_own_texts(url: str | None) -> None:
    data = yaml.safe_load(RULE) | ({"url": url} if url else {})
    report = report_of(replace(FINDING, rule="custom/no-print"))
    (rule,) = json.loads(render_sarif(report, (data,)))["runs"][0]["tool"]["driver"]["rules"]
    assert rule["shortDescription"]["text"] == "Use the logger instead of print"
    assert rule["help"]["text"].startswith(
        "When the service runs, the text is lost.\n\n`print(A)` does not reach the log."
    )
    assert rule["defaultConfiguration"] == {"level": "error"}
    assert rule.get("helpUri") == (url if url == "https://example.com/log" else None)


def test_a_secret_in_a_rule_of_the_repository_is_not_in_sarif() -> None:
    token = "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"
    data = yaml.safe_load(RULE)
    data |= {"message": f"Not {token}", "note": f"Use {token}", "url": f"https://x.test/{token}"}
    report = report_of(replace(FINDING, rule="custom/no-print"))
    assert token not in render_sarif(report, (data,))
