"""Scripts in workflows."""

from __future__ import annotations

import pytest

from reviewbot.models.offline.workflow_text import INJECTION, SECRET, check_workflow
from tests.models.hunks import review

TITLE = "${{ github.event.pull_request.title }}"


def found(text: str) -> list[tuple[str, int]]:
    return [(rule, line) for rule, line, _ in check_workflow(text.split("\n"))]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"- run: echo {TITLE}", 0),
        (f'  run: "echo {TITLE}"', 0),
        (f"- name: a\n  run: |\n    make\n\n    echo {TITLE}\n  env:\n    A: b", 4),
        (f"- run: >-\n    echo {TITLE}", 1),
        (f"- uses: a\n  with:\n    script: |\n      f(`{TITLE}`)", 3),
        ("- run: git checkout ${{ github.head_ref || github.ref_name }}", 0),
        ("- run: echo ${{ github.event.commits[0].message }}", 0),
        ("- run: echo ${{ toJSON(github.event.comment.body) }}", 0),
    ],
)
def test_a_value_that_outsiders_write_is_found_in_a_script(text: str, line: int) -> None:
    assert found(text) == [(INJECTION, line)]


@pytest.mark.parametrize(
    "text",
    [
        f"- env:\n    TITLE: {TITLE}\n  run: echo $TITLE",
        f"- run: |\n    make\n  env:\n    TITLE: {TITLE}",
        f"- name: {TITLE}",
        "- run: echo ${{ github.event.pull_request.number }} ${{ github.sha }}",
        "- run: echo ${{ github.event.pull_request.title == 'a' }}",
        f"    echo {TITLE}",
    ],
)
def test_values_outside_a_script_or_without_danger_are_left_alone(text: str) -> None:
    assert found(text) == []


def test_a_secret_that_is_printed_is_found() -> None:
    assert found("- run: echo ${{ secrets.KEY }}") == [(SECRET, 0)]
    assert found("- run: |\n    printf '%s' '${{ secrets.KEY }}'") == [(SECRET, 1)]


@pytest.mark.parametrize(
    "line",
    ["deploy ${{ secrets.KEY }}", "echo ${{ secrets.KEY }} > key", "echo ${{ secrets.KEY }} | use"],
)
def test_a_secret_that_is_only_used_is_left_alone(line: str) -> None:
    assert found(f"- run: {line}") == []


def test_scripts_are_checked_in_workflows_and_actions_alone() -> None:
    text = f"+- run: echo {TITLE}"
    assert [one["rule"] for one in review(".github/workflows/a.yml", text)] == [INJECTION]
    assert [one["rule"] for one in review("action.yml", text)] == [INJECTION]
    assert review("deploy/values.yml", text) == []


def test_a_script_that_was_there_before_is_left_alone() -> None:
    text = f" - run: |\n     echo {TITLE}\n+    make\n"
    assert review(".github/workflows/a.yml", text) == []
