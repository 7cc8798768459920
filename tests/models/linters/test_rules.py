"""The rule list: complete, of the pinned versions, and with a reason for each rule."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from reviewbot.core.findings.finding import CATEGORIES
from reviewbot.models.linters.programs import LINTERS, find_programs
from reviewbot.models.linters.rules import (
    codes_of,
    find_rule,
    group_of,
    rule_groups,
    wanted_versions,
)
from tests.models.linters.samples import need

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
NAMES = [one.name for one in LINTERS]


def run(linter: str, *arguments: str) -> str:
    need(linter)
    program = next(one.path for one in find_programs() if one.linter.name == linter)
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=True).stdout


def test_the_versions_are_those_that_the_extra_pins() -> None:
    pinned = dict(
        re.match(r"([\w-]+)==([\w.]+)", text).groups()  # type: ignore[union-attr, misc]
        for text in PROJECT["project"]["optional-dependencies"]["linters"]
    )
    assert pinned == {one.package: wanted_versions()[one.name] for one in LINTERS}


def test_the_image_contains_a_notice_of_the_gpl_programs() -> None:
    notice = (ROOT / "deploy" / "NOTICE").read_text("utf-8")
    for linter in ("shellcheck", "hadolint"):
        program = ".".join(wanted_versions()[linter].split(".")[:3])  # the wheel may count on
        assert re.search(rf"{linter} +{program} +https://\S+/v{program}(?: \(.+\))?\n", notice)
    assert "COPY deploy/NOTICE" in (ROOT / "deploy" / "Dockerfile").read_text("utf-8")


def test_the_action_and_the_image_install_the_linters() -> None:
    for lock in ("action.txt", "server.txt"):
        text = (ROOT / "requirements" / lock).read_text("utf-8")
        for one in LINTERS:
            assert f"\n{one.package}=={wanted_versions()[one.name]} " in text


def test_each_group_is_of_a_linter_and_has_a_reason() -> None:
    for group in rule_groups():
        assert group.linter in NAMES
        assert group.category in CATEGORIES
        assert group.codes
        assert re.fullmatch(r"[A-Z].*\.", group.reason), group.codes


@pytest.mark.parametrize("linter", NAMES)
def test_no_code_is_in_two_groups(linter: str) -> None:
    codes = codes_of(linter)
    every = [*codes.reported, *codes.off]
    assert len(every) == len(set(every))


def test_the_list_selects_175_stable_rules_of_ruff() -> None:
    known = json.loads(run("ruff", "rule", "--all", "--output-format=json"))
    stable = {one["code"] for one in known if not one["preview"] and "Stable" in one["status"]}
    selected = {code for code in stable - {None} if group_of("ruff", code)}
    assert len(selected) == 175
    for code in codes_of("ruff").reported:
        assert any(one.startswith(code) for one in selected), code


def test_the_list_has_92_rules_of_oxlint_that_exist() -> None:
    known = {
        f"{one['scope']}/{one['value']}" for one in json.loads(run("oxlint", "--rules", "-f=json"))
    }
    codes = codes_of("oxlint").reported
    assert len(codes) == 92
    assert {*codes} <= known


@pytest.mark.parametrize(
    ("rule", "severity"),
    [
        ("ruff/F821", "error"),
        ("ruff/PLE0100", "error"),
        ("ruff/PLE0704", None),
        ("ruff/B023", None),
        ("ruff/B006", None),
        ("ruff/S324", "note"),
        ("ruff/E501", None),
        ("ruff/F", None),
        ("oxlint/no-eval", "note"),
        ("oxlint/jsx-key", "note"),
        ("oxlint/no-unused-vars", None),
        ("shellcheck/SC2086", "note"),
        ("shellcheck/SC2115", "own"),
        ("shellcheck/SC2155", None),
        ("hadolint/DL3004", "warning"),
        ("hadolint/DL3008", None),
        ("hadolint/SC2046", None),
        ("zizmor/template-injection", "own"),
        ("zizmor/unpinned-uses", None),
        ("pylint/E0602", None),
        ("ruff", None),
    ],
)
def test_the_longest_code_decides(rule: str, severity: str | None) -> None:
    group = find_rule(rule)
    assert (group.severity if group else None) == severity


def test_the_severity_is_that_of_the_list_or_the_linters_own() -> None:
    ours, own = find_rule("ruff/F821"), find_rule("shellcheck/SC2115")
    assert ours is not None
    assert own is not None
    assert ours.severity_for("note") == "error"
    assert own.severity_for("warning") == "warning"
