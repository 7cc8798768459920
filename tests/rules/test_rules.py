"""Every rule against its own examples, in ast-grep's test format (valid, invalid)."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
import yaml
from ast_grep_py import SgRoot

from reviewbot import rules as package
from reviewbot.core.plan.languages import language_of
from reviewbot.core.safety.escape import show_line
from reviewbot.errors import ConfigError
from reviewbot.rules.folders import FOLDERS, FOLDERS_OF
from reviewbot.rules.load import count_rules, load_folder, load_rules, rules_for, rules_in
from reviewbot.rules.meta_variables import META_VARIABLE
from reviewbot.rules.rule import CASES, Rule, parse_rule, read_rule
from tests.models.hunks import added, review_chunk
from tests.models.scripted import checked

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(package.__file__).parent
RULES = load_rules()
SYNTAX = [rule for rule in RULES if rule.matcher]
EXTENSIONS = {
    "any": ["py", "ts"],
    "c": ["c", "cpp"],
    "cpp": ["cpp"],
    "docker": ["dockerfile"],
    "go": ["go"],
    "java": ["java"],
    "javascript": ["js", "ts", "tsx"],
    "jsx": ["js", "tsx"],
    "php": ["php"],
    "python": ["py"],
    "ruby": ["rb"],
    "shell": ["sh"],
    "sql": ["sql"],
    "workflow": ["yml"],
    "yaml": ["yml"],
}


def folder(rule: Rule) -> str:
    return rule.id.partition("/")[0]


def path_for(rule: Rule, extension: str) -> str:
    places = ("workflows", "migrations")
    place = next((one for one in places if f"{one}/" in rule.files), "src")
    test = "test." if any(".test." in pattern for pattern in rule.files) else ""
    return f"{place}/example.{test}{extension}"


def extensions(rule: Rule) -> list[str]:
    """The extensions of the files that the rule is run on."""
    own = [
        pattern[2:] for pattern in rule.files if pattern.startswith("*.") and "*" not in pattern[2:]
    ]
    return own or EXTENSIONS[folder(rule)]


def grammar(extension: str) -> str:
    language = language_of(f"x.{extension}")
    assert language
    return language


def review(path: str, code: str) -> list[dict[str, Any]]:
    return review_chunk(added(path, code.rstrip("\n")))


@cache
def examples(rule_id: str) -> dict[str, list[str]]:
    data = yaml.safe_load((HERE / f"{rule_id}{CASES}").read_text("utf-8"))
    assert data["id"] == rule_id
    assert data["valid"]
    assert data["invalid"]
    assert data.keys() == {"id", "valid", "invalid"}
    return {"valid": data["valid"], "invalid": data["invalid"]}


def cases(kind: str) -> Iterator[Any]:
    for rule in RULES:
        for extension in extensions(rule):
            for number, code in enumerate(examples(rule.id)[kind]):
                yield pytest.param(rule, extension, code, id=f"{rule.id}-{number}.{extension}")


@pytest.mark.parametrize(("rule", "extension", "code"), list(cases("invalid")))
def test_a_rule_finds_its_invalid_examples(rule: Rule, extension: str, code: str) -> None:
    found = [item for item in review(path_for(rule, extension), code) if item["rule"] == rule.id]
    assert found
    for item in found:
        draft = checked(item)
        assert draft.rule == rule.id
        quoted = code.split("\n")[draft.line - 1 : draft.end_line]
        assert draft.quote == "\n".join(show_line(text) for text in quoted)
        assert not META_VARIABLE.search(f"{draft.title} {draft.message} {draft.scenario}")
        assert "``" not in f"{draft.title} {draft.message} {draft.scenario}"


@pytest.mark.parametrize(("rule", "extension", "code"), list(cases("valid")))
def test_a_rule_leaves_its_valid_examples_alone(rule: Rule, extension: str, code: str) -> None:
    assert rule.id not in {item["rule"] for item in review(path_for(rule, extension), code)}


@pytest.mark.parametrize(
    ("rule", "extension", "code"), [p for p in cases("invalid") if p.values[0].fix]
)
def test_a_suggestion_fixes_the_finding_and_parses(rule: Rule, extension: str, code: str) -> None:
    item = next(i for i in review(path_for(rule, extension), code) if i["rule"] == rule.id)
    lines = code.rstrip("\n").split("\n")
    lines[item["line"] - 1 : item["end_line"]] = item["suggestion"].split("\n")
    fixed = "\n".join(lines)
    assert rule.id not in {i["rule"] for i in review(path_for(rule, extension), fixed)}
    assert SgRoot(fixed, grammar(extension)).root().find(kind="ERROR") is None


@pytest.mark.parametrize("rule", SYNTAX, ids=lambda rule: rule.id)
def test_the_examples_are_code_that_parses(rule: Rule) -> None:
    for extension in extensions(rule):
        for code in (text for texts in examples(rule.id).values() for text in texts):
            root = SgRoot(code, grammar(extension)).root()
            assert root.find(kind="ERROR") is None, code


def test_every_example_file_belongs_to_a_rule() -> None:
    files = {str(path.relative_to(HERE)) for path in HERE.glob(f"*/*{CASES}")}
    assert files == {f"{rule.id}{CASES}" for rule in RULES}


@pytest.mark.parametrize("language", list(FOLDERS_OF))
def test_the_rules_in_a_text_are_those_with_a_word_in_it(language: str) -> None:
    rules = rules_for(language)
    assert count_rules(language) == len(rules)
    for word in {word for rule in rules for word in rule.words}:
        assert rules_in(language, f"a {word} b") == tuple(
            rule for rule in rules if any(other in f"a {word} b" for other in rule.words)
        )


@pytest.mark.parametrize("rule", SYNTAX, ids=lambda rule: rule.id)
def test_every_invalid_example_holds_one_of_the_rules_words(rule: Rule) -> None:
    for code in examples(rule.id)["invalid"]:
        assert any(word in code for word in rule.words)


def test_rules_for_a_language_are_those_of_its_grammar() -> None:
    assert {folder(rule) for rule in rules_for("python")} == {"python"}
    assert {folder(rule) for rule in rules_for("tsx")} == {"javascript", "jsx"}
    assert {folder(rule) for rule in rules_for("typescript")} == {"javascript"}
    assert {folder(rule) for rule in rules_for("c")} == {"c"}
    assert {folder(rule) for rule in rules_for("cpp")} == {"c", "cpp"}


def test_rules_for_a_language_include_those_without_a_grammar() -> None:
    assert {folder(rule) for rule in rules_for("sql")} == {"sql"}
    assert {folder(rule) for rule in rules_for("yaml")} == {"workflow", "yaml"}
    assert rules_for("rust") == rules_for(None) == ()


def test_all_rules_are_listed_once_and_sorted() -> None:
    ids = [rule.id for rule in RULES]
    assert ids == sorted(set(ids))
    assert {folder(rule) for rule in RULES} == set(FOLDERS)


def test_a_rule_is_plain_text_in_its_listing() -> None:
    for rule in RULES:
        assert "\n" not in f"{rule.title}{rule.message}{rule.scenario}"
        assert len(rule.title) < 90


GOOD: dict[str, Any] = {
    "id": "python/x",
    "language": "Python",
    "severity": "warning",
    "message": "A title",
    "note": "What to do about `$A`.",
    "metadata": {"category": "bug", "confidence": 0.9, "scenario": "When.", "words": ["f("]},
    "rule": {"pattern": "f($A)"},
}


def test_a_good_rule_is_read() -> None:
    rule = parse_rule(GOOD, source="python/x.yml")
    assert (rule.id, rule.severity, rule.title) == ("python/x", "warning", "A title")
    assert rule.matcher == {"rule": {"pattern": "f($A)"}}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"id": "python/y"}, "id"),
        ({"id": 3}, "id"),
        ({"language": "Rust"}, "language"),
        ({"severity": "fatal"}, "severity"),
        ({"severity": []}, "severity"),
        ({"message": ""}, "message"),
        ({"note": ["x"]}, "note"),
        ({"note": "About `$B`."}, "B"),
        ({"fix": "g($$$C)"}, "C"),
        ({"labels": {"D": {"style": "primary"}}}, "D"),
        ({"labels": {"A": {"style": "secondary"}}}, "labels"),
        ({"labels": []}, "labels"),
        ({"ignores": "tests/"}, "ignores"),
        ({"files": ["a[z-a]"]}, "files"),
        ({"surprise": 1}, "surprise"),
        ({"metadata": None}, "metadata"),
        ({"metadata": GOOD["metadata"] | {"confidence": 0.8}}, "metadata.confidence"),
        ({"metadata": GOOD["metadata"] | {"category": "style"}}, "metadata.category"),
        ({"metadata": GOOD["metadata"] | {"words": []}}, "words"),
        ({"metadata": GOOD["metadata"] | {"more": 1}}, "metadata.more"),
        ({"metadata": {"category": "bug", "confidence": 0.9, "words": ["f"]}}, "metadata.scenario"),
    ],
)
def test_a_broken_rule_is_refused_with_the_key_named(change: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=rf"python/x\.yml: {named}: ") as caught:
        parse_rule(GOOD | change, source="python/x.yml")
    assert caught.value.key == named


def test_a_missing_key_is_named() -> None:
    with pytest.raises(ConfigError, match="rule: "):
        parse_rule({key: GOOD[key] for key in GOOD if key != "rule"}, source="python/x.yml")
    with pytest.raises(ConfigError, match="must be a mapping"):
        parse_rule(cast("Any", ["no"]), source="python/x.yml")


def test_a_file_that_is_no_yaml_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.yml"
    path.write_text("id: [", "utf-8")
    path.with_name("x-test.yml").touch()
    with pytest.raises(ConfigError, match=r"x\.yml: not YAML"):
        read_rule(path)


def test_a_rule_without_a_file_of_cases_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "python" / "x.yml"
    path.parent.mkdir()
    path.write_text(json.dumps(GOOD), "utf-8")
    with pytest.raises(ConfigError, match=r"^python/x\.yml: needs x-test\.yml beside it"):
        read_rule(path)
    path.with_name("x-test.yml").touch()
    assert read_rule(path).id == "python/x"


def test_a_file_of_cases_is_no_rule() -> None:
    rules = [rule.id for rule in load_folder("javascript")]
    assert "javascript/focused-tests" in rules
    assert not [name for name in rules if name.endswith("-test")]
