"""Checks of languages without a grammar, or whose grammar gives a script as one value.

They run in the worker process: their patterns are not all linear in the length of hostile text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reviewbot.models.offline.docker_text import check_dockerfile
from reviewbot.models.offline.messages import TextMatch
from reviewbot.models.offline.sql_text import check_sql
from reviewbot.models.offline.workflow_text import check_workflow

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_CHECKS: Final = {"dockerfile": check_dockerfile, "sql": check_sql, "yaml": check_workflow}


def check_text(language: str, hunks: Sequence[Sequence[str]]) -> Iterator[TextMatch]:
    """Yield the problems of the new sides of hunks."""
    for number, lines in enumerate(hunks):
        for rule, line, values in _CHECKS[language](lines):
            yield TextMatch(number, line, rule, values)
