"""Configuration and ignore files, and variables, that must not change what a linter reports.

The plants are beside the copy, above the private folder, in the home and XDG folders of the user,
and in the environment. A control proves that they would work without the flags.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.models.linters import process
from reviewbot.models.linters.linters import Linters
from reviewbot.models.linters.programs import find_programs
from tests.models.linters.samples import SAMPLES, Sample, found, need

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

OF = {sample.linter: sample for sample in SAMPLES}
RUFF = 'builtins = ["undefined_name"]\n[lint.per-file-ignores]\n"*" = ["ALL"]\n'
OXLINT = '{"ignorePatterns": ["**"], "rules": {"no-debugger": "off"}, "categories": {}}'
OXLINT_TS = 'export default {ignorePatterns: ["**"], rules: {"no-debugger": "off"}};\n'
ESLINT = '{"ignorePatterns": ["**"], "rules": {"no-debugger": "off"}}'
HADOLINT = "ignored: [DL3004]\nno-fail: true\nformat: tty\n"
ZIZMOR = "rules:\n  template-injection:\n    disable: true\n"
ALL = "*\n"
PLANTS: dict[str, dict[str, str]] = {
    "ruff": {
        ".ruff.toml": RUFF,
        "ruff.toml": RUFF,
        "ruff/ruff.toml": RUFF,
        "pyproject.toml": '[tool.ruff]\nbuiltins = ["undefined_name"]\n',
        "setup.cfg": "[flake8]\nignore = F821\n",
    },
    "oxlint": {
        ".oxlintrc.json": OXLINT,
        ".oxlintrc.jsonc": OXLINT,
        "oxlint.config.ts": OXLINT_TS,
        ".eslintignore": ALL,
        ".eslintrc.json": ESLINT,
        "package.json": '{"eslintIgnore": ["*"], "eslintConfig": ' + ESLINT + "}",
        "tsconfig.json": '{"exclude": ["**"], "compilerOptions": {"allowJs": false}}',
    },
    "shellcheck": {".shellcheckrc": "disable=all\n", "shellcheckrc": "disable=all\n"},
    "hadolint": {
        ".hadolint.yaml": HADOLINT,
        ".hadolint.yml": HADOLINT,
        "hadolint.yaml": HADOLINT,
        ".dockerignore": ALL,
    },
    "zizmor": {
        "zizmor.yml": ZIZMOR,
        "zizmor.yaml": ZIZMOR,
        ".github/zizmor.yml": ZIZMOR,
        ".github/zizmor.yaml": ZIZMOR,
    },
}
IGNORES = {
    ".gitignore": ALL,
    ".ignore": ALL,
    ".git/info/exclude": ALL,
    ".editorconfig": "root = true\n",
}
VARIABLES = {
    "ruff": {"RUFF_CONFIG": "/nowhere", "RUFF_NO_CACHE": "x", "RUFF_OUTPUT_FORMAT": "grouped"},
    "oxlint": {
        "OXLINT_CONFIG": "/nowhere",
        "OXC_LOG": "trace",
        "NODE_OPTIONS": "--require=/nowhere",
    },
    "shellcheck": {"SHELLCHECK_OPTS": "-e SC2164"},
    "hadolint": {
        "HADOLINT_IGNORE": "DL3004",
        "HADOLINT_FORMAT": "tty",
        "HADOLINT_NOFAIL": "true",
        "HADOLINT_CONFIG": "/nowhere",
    },
    "zizmor": {"ZIZMOR_CONFIG": "/nowhere", "ZIZMOR_FORMAT": "plain", "GH_TOKEN": "x"},
}
CASES = [
    pytest.param(OF[linter], name, text, id=f"{linter}-{name}")
    for linter, plants in PLANTS.items()
    for name, text in {**plants, **IGNORES}.items()
]


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder that private folders are made in; it is the home and the working folder, too."""
    monkeypatch.setattr(tempfile, "tempdir", os.fspath(tmp_path))
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "XDG_CONFIG_HOME", "USERPROFILE"):
        monkeypatch.setenv(name, os.fspath(tmp_path))
    yield tmp_path
    left = [one.name for one in tmp_path.glob("reviewbot-lint-*")]
    assert not left, "a private folder was left behind"


def plant(folder: Path, name: str, text: str) -> None:
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)


@pytest.mark.parametrize(("sample", "name", "text"), CASES)
async def test_a_planted_file_changes_nothing(
    sample: Sample, name: str, text: str, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need(sample.linter)
    plant(outside, name, text)
    run = process._run

    def beside(command: list[str], root: Path, *rest: Any) -> int:
        for folder in (root / "work", root, root / "home"):
            plant(folder, name, text)
        return run(command, root, *rest)

    monkeypatch.setattr(process, "_run", beside)
    linted = await Linters(heed_added=False).lint(sample.path, sample.text, sample.lines)
    assert found(linted) == [(sample.line, sample.rule)]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda one: one.linter)
async def test_the_environment_changes_nothing(
    sample: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    need(sample.linter)
    for name, value in VARIABLES[sample.linter].items():
        monkeypatch.setenv(name, value)
    linted = await Linters(heed_added=False).lint(sample.path, sample.text, sample.lines)
    assert found(linted) == [(sample.line, sample.rule)]


# --- The control: without the flags the plants work.

UNGUARDED = {
    "ruff": (".ruff.toml", ("check", "--no-cache")),
    "oxlint": (".eslintignore", ("--format=json",)),
    "shellcheck": (".shellcheckrc", ()),
    "hadolint": (".hadolint.yaml", ()),
    "zizmor": (".github/zizmor.yml", ("--offline", "--quiet")),
}


def output_of(linter: str, arguments: Sequence[str], folder: Path) -> str:
    """Run a linter without its flags on its sample in a folder."""
    program = next(one.path for one in find_programs() if one.linter.name == linter)
    target = folder / OF[linter].path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(OF[linter].text)
    environment = {"HOME": os.fspath(folder), "LC_ALL": "C.UTF-8"}
    return subprocess.run(
        [program, *arguments, target.relative_to(folder)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    ).stdout


@pytest.mark.parametrize("linter", UNGUARDED)
def test_without_the_flags_a_plant_hides_the_fault(linter: str, tmp_path: Path) -> None:
    need(linter)
    name, arguments = UNGUARDED[linter]
    rule = OF[linter].rule.partition("/")[2]
    assert rule in output_of(linter, arguments, tmp_path / "clean")
    plant(tmp_path / "planted", name, PLANTS[linter][name])
    assert rule not in output_of(linter, arguments, tmp_path / "planted")
