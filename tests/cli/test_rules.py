"""``reviewbot rules``: what can be found offline, and how each rule is set here."""

import json
from pathlib import Path

import pytest

from reviewbot.cli.main import main
from reviewbot.models.linters.programs import describe_programs
from reviewbot.rules.load import load_rules
from reviewbot.rules.rule import Rule
from tests.support.custom_rules import CASES_PATH, FILES


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["rules", *arguments]) == 0
    return capsys.readouterr().out


def test_every_rule_is_a_line_of_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    table, _, linters = shown(capsys).partition("\n\n")
    assert linters == f"Linters: {describe_programs()}\n"
    heading, *lines = table.splitlines()
    assert heading.split() == ["ID", "SEVERITY", "LANGUAGE", "TITLE"]
    assert [line.split()[0] for line in lines] == [rule.id for rule in load_rules()]
    assert {line.index(rule.title) for line, rule in zip(lines, load_rules(), strict=True)} == {
        heading.index("TITLE")
    }


def test_json_has_every_field_and_what_the_settings_make_of_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / ".reviewbot.yml").write_text("rules: {python/eval: note, tests: off}")
    records = {record["id"]: record for record in json.loads(shown(capsys, "--format", "json"))}
    assert records.keys() == {rule.id for rule in load_rules()}
    assert records["python/eval"]["level"] == "note"
    assert records["python/eval"]["severity"] != "note"
    assert records["python/assert-tuple"]["category"] == "tests"
    assert records["python/assert-tuple"]["level"] == "off"


@pytest.mark.parametrize("rule", load_rules(), ids=lambda rule: rule.id)
def test_a_rule_is_explained_in_full(rule: Rule, capsys: pytest.CaptureFixture[str]) -> None:
    out = shown(capsys, rule.id)
    for text in (rule.title, rule.message, rule.scenario, rule.severity, rule.category):
        assert text in out
    assert ("ast-grep rule" in out) == bool(rule.matcher)


def test_the_short_name_is_enough_where_it_is_unique(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, "assert-tuple") == shown(capsys, "python/assert-tuple")


def test_an_unknown_rule_is_a_usage_error_with_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "python/asert-tuple"]) == 2
    assert "did you mean python/assert-tuple" in capsys.readouterr().err
    assert main(["rules", "zzzzzzzz"]) == 2
    assert "`reviewbot rules` lists them" in capsys.readouterr().err


def test_a_changed_severity_is_shown_beside_the_rules_own(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / ".reviewbot.yml").write_text("rules: {python/eval: off}")
    assert "(here: off)" in shown(capsys, "python/eval")


def test_the_rule_of_a_linter_is_explained(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / ".reviewbot.yml").write_text("rules: {error-handling: note}")
    out = shown(capsys, "ruff/F821")
    assert "ruff/F821\n\nerror · bug\n" in out
    assert "NameError" in out
    assert "Not in tests" not in out
    out = shown(capsys, "ruff/B012")
    assert "warning (here: note) · error-handling" in out
    assert "Not in tests, examples, documentation and migrations." in out
    assert "\n\nerror or warning · bug\n" in shown(capsys, "shellcheck/SC2115")
    (record,) = json.loads(shown(capsys, "oxlint/rules-of-hooks", "--format", "json"))
    assert (record["id"], record["severity"]) == ("oxlint/rules-of-hooks", "warning")


def test_a_rule_that_a_linter_has_and_we_do_not_report_is_unknown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["rules", "ruff/E501"]) == 2
    assert "there is no rule ruff/E501" in capsys.readouterr().err


def test_rules_of_the_working_tree_are_listed_and_explained(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path, text in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    (folder / ".reviewbot.yml").write_text("rules: {custom/no-print: note}")
    (line,) = [one for one in shown(capsys).splitlines() if one.startswith("custom/")]
    assert line.split()[:3] == ["custom/no-print", "note", "Python"]
    assert "Use the logger instead of print" in shown(capsys, "no-print")


def test_a_rule_of_the_working_tree_whose_cases_do_not_hold_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path, text in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text.replace("- print(x)", "- printed(x)"))
    assert main(["rules"]) == 2
    assert f"{CASES_PATH}:5: invalid[0]: the rule does not find" in capsys.readouterr().err
