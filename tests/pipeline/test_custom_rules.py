"""Rules of a repository: which are loaded, and what is wrong with those that are not."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.code.git_repository import open_repository
from reviewbot.config.settings import load_settings
from reviewbot.errors import ConfigError
from reviewbot.pipeline import custom_rules
from reviewbot.pipeline.custom_rules import (
    MOST_BYTES,
    MOST_RULES,
    load_custom_rules,
    read_from_folder,
    read_from_git,
)
from reviewbot.pipeline.prepare import prepare
from reviewbot.pipeline.review import review
from reviewbot.pipeline.run_context import RunContext, context_from_json, context_to_json
from reviewbot.pipeline.workers import workers
from tests.in_process import parser
from tests.support.custom_rules import CASES, CASES_PATH, FILES, PATH, RULE
from tests.support.repositories import _alone, git
from tests.support.reviews import added

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["_alone"]

PLAIN = RULE.replace("`print($A)`", "print")
"""The rule with a text that names no meta variable."""


def load(**changes: str | None) -> tuple[dict[str, Any], ...]:
    """Load the rule; ``rule`` and ``cases`` replace its files."""
    files = {PATH: changes.get("rule", RULE), CASES_PATH: changes.get("cases", CASES)}
    return loaded({path: text for path, text in files.items() if text is not None})


def loaded(files: dict[str, str]) -> tuple[dict[str, Any], ...]:
    data = {path: text.encode() for path, text in files.items()}
    return asyncio.run(load_custom_rules(data, parser(), name_of="{} of main".format))


def refusal(**changes: str | None) -> str:
    with pytest.raises(ConfigError) as caught:
        load(**changes)
    return str(caught.value)


def test_a_rule_whose_cases_hold_is_loaded_as_plain_data() -> None:
    (rule,) = load()
    assert rule["id"] == "custom/no-print"
    assert rule["rule"] == {"pattern": "print($A)"}


def test_no_files_are_no_rules() -> None:
    assert loaded({}) == ()


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("custom/no-print", "python/no-print", ":1: id: must be the file's name"),
        ("Python", "Cobol", ":2: language: must be of ["),
        ("Python", "Any", ":2: language: must be of ["),
        ("severity: error", "severity: fatal", ":3: severity: must be of"),
        ("confidence: 0.9", "confidence: 0.8", ":8: metadata.confidence: must be"),
        ('  words: ["print("]\n', "", ":6: metadata.words: is missing"),
        ("note:", "nota:", ":1: note: is missing"),
        (
            "rule:\n",
            "files: ['a[z-a]']\nrule:\n",
            ":11: files: 'a[z-a]' is not a gitignore pattern",
        ),
        ("print($A)` does", "print($B)` does", "B: is not a meta variable of the rule"),
        ("message: Use", "message: &x Use", ":4: message: anchors and aliases are not supported"),
        ("message: Use", "message: !!python/name Use", ":4: message: the tag"),
        ("id: custom", "id: [custom", ": is not valid YAML"),
    ],
)
def test_a_bad_rule_is_refused_with_its_file_and_line(old: str, new: str, problem: str) -> None:
    assert old in RULE
    found = refusal(rule=RULE.replace(old, new))
    assert found.startswith(f"{PATH} of main")
    assert problem in found


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("pattern: print($A)", "kind: no_such_kind", "Kind `no_such_kind` is invalid."),
        ("pattern: print($A)", "regex: '('", "regex parse error"),
        ("pattern: print($A)", "patern: print($A)", "unknown field `patern`"),
        ("pattern: print($A)", "matches: helper", "Rule `helper` is not defined."),
    ],
)
def test_a_rule_that_ast_grep_refuses_is_refused_with_the_reason(
    old: str, new: str, problem: str
) -> None:
    found = refusal(rule=PLAIN.replace(old, new))
    assert found.startswith(f"{PATH} of main:11: rule: ast-grep cannot run it on python: ")
    assert problem in found
    assert "backtrace" not in found


@pytest.mark.parametrize(
    ("cases", "problem"),
    [
        (
            CASES.replace("log.info(x)", "print(x)"),
            ":3: valid[0]: the rule finds this case, which it must leave alone",
        ),
        (
            CASES.replace("print(x)", "print(x, y)"),
            ":5: invalid[0]: the rule does not find this case, which it must find",
        ),
        (
            CASES.replace("- print(x)", "- print(x)\n  - print (x)"),
            ":6: invalid[1]: the rule does not find this case: it holds none of metadata.words",
        ),
        (CASES.replace("no-print", "other"), ":1: id: must be custom/no-print"),
        (
            CASES.replace("valid:\n  - log.info(x)\nin", "valid: []\nin"),
            ":2: valid: must be a list",
        ),
        (CASES.replace("- print(x)", "- 3"), ":4: invalid: must be a list of one or more texts"),
        (CASES.replace("valid:\n  - log.info(x)\nin", "in"), ": must have id, valid and invalid"),
        (CASES + "more: 1\n", ": must have id, valid and invalid, and no other key"),
        ("", ": must have id, valid and invalid"),
    ],
)
def test_cases_that_do_not_hold_are_refused_with_their_file_and_line(
    cases: str, problem: str
) -> None:
    assert refusal(cases=cases).startswith(f"{CASES_PATH} of main{problem}")


def test_a_rule_without_cases_is_refused() -> None:
    assert refusal(cases=None) == f"{PATH} of main: needs {CASES_PATH} with valid and invalid cases"


def test_cases_without_a_rule_are_refused() -> None:
    found = refusal(rule=None)
    assert found == f"{CASES_PATH} of main: has the cases of a rule that does not exist"


@pytest.mark.parametrize("name", ["no-print.yaml", "No.yml", "a b.yml", "x" * 61 + ".yml"])
def test_a_file_name_that_cannot_be_an_id_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="must have a name of a-z"):
        loaded(FILES | {f".reviewbot/rules/{name}": RULE})


def test_a_file_that_is_too_large_is_refused() -> None:
    assert load(rule=f"{RULE}#{'x' * (MOST_BYTES - len(RULE) - 1)}")
    assert refusal(rule=f"{RULE}#{'x' * MOST_BYTES}") == (
        f"{PATH} of main: is larger than {MOST_BYTES} bytes"
    )


def test_a_secret_in_a_rule_is_not_quoted() -> None:
    token = "ghp_" + "1a2B3c4D5e6F7g8H9i0J" * 2
    assert token[:36] not in refusal(rule=RULE.replace("pattern: print($A)", f"{token[:40]}: x"))


def test_a_rule_must_be_valid_for_each_grammar_that_it_runs_on() -> None:
    rule = PLAIN.replace("Python", "JavaScript").replace(
        "pattern: print($A)", "kind: type_annotation"
    )
    assert "ast-grep cannot run it on javascript: " in refusal(rule=rule)


async def test_a_rule_runs_in_a_review_and_a_review_of_other_files_is_not_affected() -> None:
    (rule,) = await load_custom_rules({path: text.encode() for path, text in FILES.items()})
    settings = load_settings(flags={"model": "offline"}, env={})
    data = (added("a.py", "print(x)") + added("a.js", "print(x)")).encode()
    prepared = prepare(data, settings, context=RunContext(custom_rules=(rule,)))
    async with workers(prepared, settings) as able:
        events = [event async for event in review(prepared.job, able.run_batch)]
    found = [event.finding for event in events if event.type == "finding"]
    assert [(one.path, one.rule, one.severity) for one in found] == [
        ("a.py", "custom/no-print", "error")
    ]
    assert found[0].message == "`print(x)` does not reach the log."


@pytest.mark.parametrize(("files", "paths"), [("[src/]", 1), ("['*.txt']", 0), ("['src/*.py']", 1)])
async def test_a_rule_keeps_to_the_paths_of_its_patterns(files: str, paths: int) -> None:
    rules = {PATH: f"{RULE}files: {files}\n", CASES_PATH: CASES}
    data = {path: text.encode() for path, text in rules.items()}
    (rule,) = await load_custom_rules(data, parser())
    settings = load_settings(flags={"model": "offline"}, env={})
    context = RunContext(custom_rules=(rule,))
    prepared = prepare(added("src/a.py", "print(x)").encode(), settings, context=context)
    async with workers(prepared, settings, parser=parser()) as able:
        events = [event async for event in review(prepared.job, able.run_batch)]
    assert sum(event.type == "finding" for event in events) == paths


def write(root: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, "utf-8")


def test_rules_come_from_the_base_commit_and_not_from_the_working_tree(tmp_path: Path) -> None:
    git("init")
    write(tmp_path, FILES | {".reviewbot/rules/README.md": "no rule"})
    git("add", ".")
    git("commit", "-m", "one")
    write(tmp_path, {PATH: "changed", ".reviewbot/rules/more.yml": "added"})
    git("add", ".")
    found = read_from_git(open_repository(tmp_path))
    assert found == {path: text.encode() for path, text in FILES.items()}


def test_a_repository_without_rules_has_none(tmp_path: Path) -> None:
    git("init")
    assert read_from_git(open_repository(tmp_path)) == {}
    assert read_from_folder(tmp_path) == {}


def test_symbolic_links_are_no_rules(tmp_path: Path) -> None:
    git("init")
    write(tmp_path, {"elsewhere.yml": RULE} | FILES)
    (tmp_path / ".reviewbot/rules/link.yml").symlink_to(tmp_path / "elsewhere.yml")
    git("add", ".")
    git("commit", "-m", "one")
    assert read_from_folder(tmp_path).keys() == FILES.keys()
    assert read_from_git(open_repository(tmp_path)).keys() == FILES.keys()


def test_too_many_rules_are_refused_before_they_are_read(tmp_path: Path) -> None:
    write(tmp_path, {f".reviewbot/rules/r{n}.yml": "" for n in range(MOST_RULES + 1)})
    with pytest.raises(
        ConfigError, match=rf"^\.reviewbot/rules: holds more than {MOST_RULES} rules"
    ):
        read_from_folder(tmp_path)


async def test_cases_that_take_too_long_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(custom_rules, "CHECK_S", 0.0)
    data = {path: text.encode() for path, text in FILES.items()}
    with pytest.raises(ConfigError) as caught:
        await load_custom_rules(data)
    assert str(caught.value) == (
        f"{PATH}: its cases were not checked: the cases of all rules took longer than 0 s."
    )


def test_the_context_of_a_stored_review_keeps_the_rules() -> None:
    context = RunContext(custom_rules=load())
    assert context_from_json(json.loads(json.dumps(context_to_json(context)))) == context
