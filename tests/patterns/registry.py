"""The registry of the patterns that reviewbot matches: every one, with its place and its use.

It is computed, so that no pattern can be missing. Importing a module compiles the patterns of its
top level, those of ``late_pattern`` as well: :func:`registered_patterns` imports all modules in a
process of its own and records each compilation, and those of secrets that are otherwise made on
first use. It adds the patterns of ``rules.toml``, and the literals in calls of ``re`` within
functions. :func:`calls_in_functions` lists those calls, so that patterns that a function puts
together can be refused.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reviewbot.models.linters.rules import rule_groups

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[2]
PACKAGE: Final = ROOT / "reviewbot"
_ANCHORED: Final = frozenset({"match", "fullmatch"})
_FUNCTIONS: Final = frozenset(
    {"compile", "search", "match", "fullmatch", "split", "findall", "finditer", "sub", "subn"}
)

LATE: Final = "core/late_pattern.py"
"""Module that compiles patterns when they are first used."""
_RECORDER: Final = """
import importlib, json, pkgutil, re, sys
package = sys.argv[1]
found = []
original = re._compile

def record(pattern, flags):
    compiled = original(pattern, flags)
    frame = sys._getframe(1)
    while frame and not frame.f_code.co_filename.startswith(package):
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            frame = None  # a library compiles its own pattern
            break
        frame = frame.f_back
    if frame:
        text, binary = compiled.pattern, isinstance(compiled.pattern, bytes)
        text = text.decode("latin-1") if binary else text
        found.append((frame.f_code.co_filename, frame.f_lineno, text, compiled.flags, binary))
    return compiled

re._compile = record
import reviewbot.core.late_pattern
reviewbot.core.late_pattern.late_pattern = re.compile
for module in pkgutil.walk_packages(reviewbot.__path__, "reviewbot."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
from reviewbot.core.safety import assigned_secrets, secret_rules
assigned_secrets._patterns()
for rule in secret_rules._RULES:
    secret_rules._compiled(rule.pattern)
print(json.dumps(found))
"""


@dataclass(frozen=True, slots=True)
class RegisteredPattern:
    """A pattern.

    ``module`` is the path of its module in the package, ``name`` the name that it is assigned to,
    and ``methods`` what it is used by: ``match``, ``fullmatch``, or ``search`` for all others.
    """

    module: str
    name: str
    pattern: str | bytes
    flags: int
    methods: frozenset[str]

    @property
    def key(self) -> str:
        """Return the module and the name, without the line."""
        return f"{self.module}:{self.name}"


@cache
def syntax_trees() -> dict[str, ast.Module]:
    """Return the syntax tree of each module, by its path in the package."""
    return {
        path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text("utf-8"))
        for path in sorted(PACKAGE.rglob("*.py"))
    }


def modules_with_patterns() -> Iterator[str]:
    """Yield the modules that may compile patterns, in order, without parsing them."""
    for path in sorted(PACKAGE.rglob("*.py")):
        text, module = path.read_text("utf-8"), path.relative_to(PACKAGE).as_posix()
        if module != LATE and ("import re\n" in text or "late_pattern" in text):
            yield module


def imported_modules(tree: ast.Module) -> set[str]:
    """Return the modules that ``import`` statements name."""
    return {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }


def imported_names(tree: ast.Module) -> set[tuple[str, str]]:
    """Return the modules and names of ``from ... import`` statements."""
    return {
        (node.module or "", alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


@cache
def registered_patterns() -> tuple[RegisteredPattern, ...]:
    """Return all patterns, those of one module together."""
    done = subprocess.run(
        [sys.executable, "-c", _RECORDER, str(PACKAGE)],
        capture_output=True,
        check=True,
        cwd=ROOT,
    )
    found: dict[tuple[str, str, str | bytes, int], RegisteredPattern] = {}
    for file, line, text, flags, binary in json.loads(done.stdout):
        module = Path(file).relative_to(PACKAGE).as_posix()
        name = _assigned_name(module, line)
        pattern = text.encode("latin-1") if binary else text
        registered = RegisteredPattern(module, name, pattern, flags, _methods(module, name))
        found[module, name, pattern, flags] = registered
    literals = (
        RegisteredPattern(
            call.module, call.function, call.pattern, re.compile(call.pattern).flags, call.methods
        )
        for call in calls_in_functions()
        if call.pattern is not None
    )
    return (*found.values(), *_rules_of_linters(), *literals)


def _rules_of_linters() -> Iterator[RegisteredPattern]:
    for group in rule_groups():
        for field, pattern in (
            ("contains", group.contains),
            ("lacks", group.lacks),
            ("line", group.line),
        ):
            if pattern is not None:
                name = f"{group.codes[0]}.{field}"
                yield RegisteredPattern(
                    "models/linters/rules.toml",
                    name,
                    pattern,
                    re.compile(pattern).flags,
                    frozenset({"search"}),
                )


def _assigned_name(module: str, line: int) -> str:
    """Return the name that the statement on a line assigns to."""
    for node in syntax_trees()[module].body:
        if node.lineno <= line <= (node.end_lineno or line):
            targets = node.targets if isinstance(node, ast.Assign) else [node]
            for target in targets:
                it = target.target if isinstance(target, ast.AnnAssign) else target
                if isinstance(it, ast.Name):
                    return it.id
            return getattr(node, "name", f"line {line}")
    return f"line {line}"


@cache
def _uses() -> dict[tuple[str, str], set[str]]:
    """Return the methods used of each name in each module; another use of the name is ``value``."""
    uses: dict[tuple[str, str], set[str]] = {}
    for module, tree in syntax_trees().items():
        owners = set()
        for node in ast.walk(tree):  # parents come before their children
            if isinstance(node, ast.Attribute):
                owners.add(node.value)
                if isinstance(node.value, ast.Name):
                    uses.setdefault((module, node.value.id), set()).add(node.attr)
            elif (
                isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node not in owners
            ):
                uses.setdefault((module, node.id), set()).add("value")
    return uses


def _methods(module: str, name: str) -> frozenset[str]:
    """Return the methods that a pattern is used by: ``search`` if that is not known."""
    modules = [module] if name.startswith("_") else syntax_trees()
    uses = {method for one in modules for method in _uses().get((one, name), ())}
    return frozenset(uses) if uses and uses <= _ANCHORED else frozenset({"search"})


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A call of a function of ``re`` inside of a function of the package.

    ``pattern`` is None if it is not a literal.
    """

    module: str
    function: str
    line: int
    pattern: str | bytes | None
    methods: frozenset[str]

    @property
    def key(self) -> str:
        """Return the module and the name of the function."""
        return f"{self.module}:{self.function}"


@cache
def calls_in_functions() -> tuple[FunctionCall, ...]:
    """Return the calls of functions of ``re`` inside of functions."""
    return tuple(call for module, tree in syntax_trees().items() for call in _calls(module, tree))


def _calls(module: str, tree: ast.Module) -> Iterator[FunctionCall]:
    for outer in ast.walk(tree):
        if not isinstance(outer, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        for node in ast.walk(outer):
            if (
                isinstance(node, ast.Call)
                and (used := _used_function(node.func))
                and module != LATE
            ):
                first = node.args[0]
                literal = first.value if isinstance(first, ast.Constant) else None
                pattern = literal if isinstance(literal, (str, bytes)) else None
                methods = frozenset({used}) & _ANCHORED or frozenset({"search"})
                yield FunctionCall(module, outer.name, node.lineno, pattern, methods)


def _used_function(called: ast.expr) -> str | None:
    """Return the function of ``re`` that is called; ``compile`` for a late pattern."""
    if isinstance(called, ast.Name) and called.id == "late_pattern":
        return "compile"
    of_module = (
        isinstance(called, ast.Attribute)
        and isinstance(called.value, ast.Name)
        and called.value.id == "re"
    )
    if isinstance(called, ast.Attribute) and of_module and called.attr in _FUNCTIONS:
        return called.attr
    return None
