"""Rules that a configuration file names: which are known, and where an unknown one is reported."""

from __future__ import annotations

import pytest

from reviewbot.config.file import parse_config
from reviewbot.errors import ConfigError


def refusal(text: str, custom: list[str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, name="x.yml", trusted=False, custom_ids=custom)
    return str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "python/eval",
        "any/bidi-control",
        "security",
        "secrets/github-pat",
        "ruff/F821",
        "oxlint/no-eval",
        "shellcheck/SC2086",
        "hadolint/DL3000",
        "zizmor/template-injection",
        "custom/of-a-repository-that-is-not-known",
    ],
)
def test_rules_categories_and_rules_of_linters_are_known(name: str) -> None:
    text = f"rules: {{{name}: off}}\npath_rules: [{{paths: [a/], rules: {{{name}: note}}}}]"
    assert parse_config(text, name="x.yml", trusted=False).values["rules"] == {name: "off"}


def test_an_unknown_rule_is_reported_with_its_line_and_a_suggestion() -> None:
    text = "jobs: 3\nrules:\n  python/eval: off\n  python/evil: off\n"
    assert refusal(text) == (
        "x.yml:4: rules.python/evil: there is no rule python/evil; did you mean python/eval?"
    )


def test_an_unknown_rule_of_a_path_is_reported_with_its_line() -> None:
    text = "path_rules:\n  - paths: [a/]\n    rules:\n      secret/x: off\n"
    problem = refusal(text)
    assert problem.startswith("x.yml:4: path_rules[0].rules.secret/x: there is no rule secret/x;")


def test_the_first_of_several_unknown_rules_is_reported() -> None:
    text = "path_rules:\n  - {paths: [a/], rules: {b/b: off}}\nrules: {a/a: off}\n"
    assert refusal(text).startswith("x.yml:2: ")


def test_a_rule_of_the_repository_must_exist_if_its_rules_are_known() -> None:
    text = "rules: {custom/no-print: off}"
    config = parse_config(text, name="x.yml", trusted=False, custom_ids=["custom/no-print"])
    assert config.values["rules"] == {"custom/no-print": "off"}
    assert refusal(text, ["custom/no-prints"]) == (
        "x.yml:1: rules.custom/no-print: there is no rule custom/no-print;"
        " did you mean custom/no-prints?"
    )
    assert "there is no rule custom/no-print" in refusal(text, [])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("path_rules: {a: off}", "x.yml:1: path_rules: must be a list, not a mapping"),
        ("path_rules: [{paths: [a]}]", "x.yml:1: path_rules[0]: needs rules"),
        ("path_rules: [{rules: {}}]", "x.yml:1: path_rules[0]: needs paths"),
        (
            "path_rules: [{paths: [a], rules: {bug: loud}}]",
            "x.yml:1: path_rules[0].rules.bug: must be one of off, error, warning, note,"
            ' not "loud"',
        ),
    ],
)
def test_levels_of_a_path_have_the_form_of_the_schema(text: str, problem: str) -> None:
    assert refusal(text) == problem
