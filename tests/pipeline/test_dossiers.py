"""The room that requests without look-ups have for code beside the change."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from reviewbot.code.quotable_code import QuotableCode
from reviewbot.core.diff.parse import parse_diff
from reviewbot.core.plan.policy import Policy
from reviewbot.core.prompt.numbered import chunk_lines
from reviewbot.core.prompt.request import ModelRequest
from reviewbot.models.catalog import lookup
from reviewbot.models.offline.messages import Enclosing
from reviewbot.pipeline.batch_requests import LOOKUP_TOKENS
from reviewbot.pipeline.dossiers import COMPACT_TOKENS, DOSSIER_TOKENS, Dossiers
from tests.support.reviews import numbered
from tests.support.views import hunk, view

if TYPE_CHECKING:
    from collections.abc import Sequence

WHOLE = 8_000
"""Lines of a changed file that is one function, with more tokens than any dossier."""


class OneFunction:
    """A parser to which every file is one function."""

    def __init__(self, *, fails: bool = False) -> None:
        self.calls, self._fails = 0, fails

    async def enclosing(
        self, _path: str, _text: str, lines: Sequence[int]
    ) -> tuple[Enclosing | None, ...]:
        self.calls += 1
        if self._fails:
            raise OSError
        return (Enclosing(1, WHOLE, "def all():"),) * len(lines)


async def compiled(
    tokens: int, parser: OneFunction, *, model: str = "claude-sonnet-5-5", **settings: int
) -> ModelRequest:
    code = QuotableCode(parse_diff(numbered("a.py", WHOLE).encode()), Policy())
    changed = view(hunk("+line_5 = 5", old=5, new=5), path="a.py")
    chunk = replace(changed, tokens=tokens)
    request = ModelRequest((chunk,), (), tokens=tokens + 5_000, lookups=24)
    compiler = Dossiers(code, parser, settings.get("batch_tokens"))
    return await compiler(request, lookup(model))


def tokens_of(request: ModelRequest) -> int:
    return sum(len(line) + 1 for one in request.dossier for line in chunk_lines(one)) // 2


@pytest.mark.parametrize(
    ("model", "most"), [("claude-sonnet-5-5", DOSSIER_TOKENS), ("local", COMPACT_TOKENS)]
)
async def test_a_dossier_has_a_limit_that_depends_on_the_prompt(model: str, most: int) -> None:
    request = await compiled(100, OneFunction(), model=model)
    assert most * 0.9 < tokens_of(request) <= most
    assert request.tokens == 5_100 - LOOKUP_TOKENS + tokens_of(request)
    assert not request.lookups


async def test_a_dossier_fills_only_the_room_of_a_batch() -> None:
    request = await compiled(3_000, OneFunction(), batch_tokens=4_000)
    assert 500 < tokens_of(request) <= 1_000


@pytest.mark.parametrize(("model", "tokens"), [("local", 12_000), ("offline", 100)])
async def test_nothing_is_compiled_without_room_or_for_the_offline_rules(
    model: str, tokens: int
) -> None:
    parser = OneFunction()
    request = await compiled(tokens, parser, model=model)
    assert not request.dossier
    assert not parser.calls


async def test_a_request_goes_out_without_a_dossier_that_fails() -> None:
    parser = OneFunction(fails=True)
    request = await compiled(100, parser)
    assert parser.calls
    assert not request.dossier
