"""Patterns for strangers' text take linear time, or run in the parser's limited process."""

from __future__ import annotations

import re
import time
from typing import Any, Final

import pytest

from reviewbot.code.definitions import _LINE_CHARS
from reviewbot.core.plan.globs import read_pattern
from reviewbot.core.safety.personal_data import _LOCAL_MAX
from reviewbot.models.anthropic.dialect import _COMPLAINT
from reviewbot.models.linters.imported import MESSAGE_LENGTH
from tests.patterns.attacks import Shape, shapes_of
from tests.patterns.registry import (
    LATE,
    RegisteredPattern,
    calls_in_functions,
    imported_modules,
    imported_names,
    modules_with_patterns,
    registered_patterns,
    syntax_trees,
)

WORKER: Final = frozenset(
    f"models/offline/{name}.py"
    for name in (
        *("assignments", "brace_contexts", "brackets", "constant_conditions", "docker_text"),
        *("flow", "fragments", "left_out", "line_contexts", "php_markup"),
        *("sql_conditions", "sql_logic", "sql_text", "stitching"),
        *("structure", "syntax", "text_checks", "unreachable", "worker", "workflow_text"),
    )
)
"""Modules whose code runs in the parser's process alone, which has limits of time and memory."""
SHORT: Final = {
    "core/safety/assigned_secrets.py:_NO_VALUE": 256,
    "core/safety/personal_data.py:_WORD_END": _LOCAL_MAX,
    "models/anthropic/dialect.py:_REFUSALS": _COMPLAINT,
    "models/linters/imported.py:_LINK": 2 * MESSAGE_LENGTH,
    "code/definitions.py:_DEFINITIONS": _LINE_CHARS,
}
"""Patterns that only read texts up to a length, in characters: their time at this length counts."""
USED_BY: Final = {
    "core/diff/git_header.py:_VALUES": frozenset({"fullmatch"}),
    "core/plan/lockfiles.py:_shape": frozenset({"fullmatch"}),
    "core/safety/assigned_secrets.py:_patterns": frozenset({"match"}),
}
"""What patterns are used by, where the name alone does not show it."""
OURS: Final = {
    "models/sandbox/launcher.py:_LISTED": "the libraries of a linter, as the system lists them",
    "code/git_command.py:_version": "the output of git --version",
}
"""Patterns that read text of this installation alone, and which."""
PUT_TOGETHER: Final = {
    "core/plan/globs.py:read_pattern": "of the base's files; the form of each part is tested below",
    "core/plan/lockfiles.py:_shape": "at import: each result is in the registry",
    "core/prompt/guideline_tiers.py:_words": "at import: each result is in the registry",
    "core/safety/assigned_secrets.py:_patterns": "each result is in the registry",
    "core/safety/secret_rules.py:_compiled": "each result is in the registry",
    "models/linters/hits.py:_check": "of rules.toml: in the registry",
    "models/linters/hits.py:line": "of rules.toml: in the registry",
    "code/changed_definitions.py:_name_in": "a name of 3 to 64 letters, in 400 characters",
    "code/definitions.py:_forms": "a name of 3 to 64 letters, in 400 characters",
    "code/definitions.py:use_lines": "a name of 3 to 64 letters, in 400 characters",
    "code/lookups.py:line_pattern": "a name of at most 200 letters that begins and ends as a word",
}
"""Functions outside of :data:`WORKER` that put a pattern together, and why they may."""
WORST: Final = {
    "DL3002.contains": [
        Shape("USER a\n" * 2_000, "USER root\n", "USER a"),
        Shape("USER a\n", "USER root\n", "USER a"),
        Shape("", "useradd ", ""),
    ],
    "DL4006.contains": [
        Shape("", "curl ", ""),
        Shape("", "curl x\n", ""),
        Shape("", "curl | ", ""),
    ],
    "DL3025.contains": [Shape("ENTRYPOINT a\n", "\n", ""), Shape("CMD", " ", "")],
    "F82.lacks": [Shape("", "\nImport", ""), Shape("# ", "p", "")],
    "SC2088.line": [Shape("[", " ", ""), Shape("", "[ ! ", "")],
    "_TOKEN": [Shape("", "eyJa", ""), Shape("", "-----BEGIN PRIVATE KEY", "")],
    "cell": [Shape("", "\\", "")],
}
"""Shapes that were slow once, by the name of the pattern, or are likely to be."""

SCREENED: Final = 1_000
LEAST: Final = 8_000
NOISE_S: Final = 0.002
CATASTROPHE_S: Final = 0.05
MODULES: Final = ("models/linters/rules.toml", *modules_with_patterns())


def seconds(registered: RegisteredPattern, text: str) -> float:
    """Return the processor time of all uses of a pattern on a text."""
    compiled: re.Pattern[Any] = re.compile(registered.pattern, registered.flags)
    read = text.encode("ascii", "replace") if isinstance(registered.pattern, bytes) else text
    methods = USED_BY.get(registered.key, registered.methods)
    started = time.thread_time()
    if "match" in methods:
        compiled.match(read)
    if "fullmatch" in methods:
        compiled.fullmatch(read)
    if "search" in methods:
        for _ in compiled.finditer(read):
            pass
    return time.thread_time() - started


def slowest(registered: RegisteredPattern) -> Shape | None:
    """Return the worst shape of a pattern; None if it has none.

    Raises:
        AssertionError: a short text takes very long.
    """
    shapes = [*shapes_of(registered.pattern, registered.flags), *WORST.get(registered.name, ())]
    for size in (50, 200):  # an exponential pattern would never end at full size
        for shape in shapes:
            text = shape.text(size)
            assert seconds(registered, text) < CATASTROPHE_S, (registered.key, text)
    return max(shapes, key=lambda it: seconds(registered, it.text(SCREENED)), default=None)


@pytest.mark.slow
def test_each_module_with_a_pattern_is_measured() -> None:
    assert {registered.module for registered in registered_patterns()} <= {*MODULES, LATE}


@pytest.mark.slow
@pytest.mark.parametrize("module", [module for module in MODULES if module not in WORKER])
def test_the_time_of_each_pattern_is_linear_on_its_worst_shape(module: str) -> None:
    for registered in registered_patterns():
        if registered.module != module or registered.key in OURS:
            continue
        shape = slowest(registered)
        if shape is None:
            continue
        if (most := SHORT.get(registered.key)) is not None:
            text = shape.text(most)[:most]
            assert min(seconds(registered, text) for _ in range(3)) < CATASTROPHE_S, registered
            continue
        took = [
            min(seconds(registered, shape.text(size)) for _ in range(3))
            for size in (LEAST, 2 * LEAST, 4 * LEAST)
        ]
        # Four times the size: four times the time if it is linear, sixteen times if quadratic.
        assert took[2] < 8 * max(took[0], NOISE_S), (registered, shape, took)


def test_a_function_puts_a_pattern_together_only_for_a_reason() -> None:
    found = {
        call.key
        for call in calls_in_functions()
        if call.pattern is None and call.module not in WORKER
    }
    assert found == PUT_TOGETHER.keys()


@pytest.mark.slow
def test_patterns_are_compiled_and_used_by_the_module_re_alone() -> None:
    for module, tree in syntax_trees().items():
        assert not imported_modules(tree) & {"regex", "re2", "sre_compile"}, module
        assert not [name for source, name in imported_names(tree) if source == "re"], module


def test_code_of_the_worker_process_runs_nowhere_else() -> None:
    own = {f"reviewbot.{path.removesuffix('.py').replace('/', '.')}" for path in WORKER}
    for module, tree in syntax_trees().items():
        if module not in WORKER:
            assert not [name for source, name in imported_names(tree) if source in own], module
            assert not imported_modules(tree) & own, module


@pytest.mark.parametrize("glob", ["*a*a*a*a*a*b", "**/*a*a/**/*a*b", "a?*a?*a?*b", "[a-b]*[a-b]*c"])
def test_a_glob_takes_linear_time(glob: str) -> None:
    pattern = read_pattern(glob)
    assert pattern is not None
    for unit in ("a", "a/", "ab", "a/a"):
        path = (unit * 4_096)[:4_096]  # the longest path of Linux
        started = time.thread_time()
        pattern.match(path)
        assert time.thread_time() - started < CATASTROPHE_S, (glob, unit)
