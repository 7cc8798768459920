"""The checks of the injection corpus can fail: each sees what it is there for, and nothing else."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_args

import pytest

from tests.fake_anthropic import Answer, finding
from tests.github import injection_checks as checks
from tests.github import injection_runs as runs
from tests.github.injection_checks import Violation, in_markdown, violations
from tests.github.injection_corpus import (
    ENTRIES,
    FOLDER,
    PROPERTIES,
    SECRETS,
    Case,
    Property,
    Scene,
    cases,
    written,
)
from tests.github.injection_runs import by_action, by_app, planted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

HARMLESS = Case("nothing", "model message", "Check it first.", ("mention",))
TEXT = "**error: A title**\n\nWords, `@code`, [a place](https://github.com/octo/other).\n\n"
AS_SHOWN = ("{}", "**error: {}**\n\nx", "> {}", "| Severity | Where | Finding |\n|-|-|-|\n| x | {} | y |")


def found(some: Iterable[Violation]) -> set[Property]:
    return {one.property for one in some}
