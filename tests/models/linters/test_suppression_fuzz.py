"""Generated suppressions: what a linter accepts on an added line hides nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reviewbot.models.linters.linters import Linters
from tests.models.linters.samples import SAMPLES, Sample, need
from tests.models.linters.suppression_texts import SuppressedText, suppressed_texts
from tests.support.examples import examples

if TYPE_CHECKING:
    from collections.abc import Collection


async def reports(
    sample: Sample, text: str, line: int, added: Collection[int], *, heed_added: bool
) -> bool | None:
    """Return whether the linter reports the fault; None if it did not read the text."""
    linted = await Linters(heed_added=heed_added).lint(sample.path, text, added, reported=[line])
    if linted.problem is not None:
        return None
    return any(hit.rule == sample.rule for hit in linted.hits)


async def is_hidden_by_the_change(sample: Sample, drawn: SuppressedText) -> bool:
    """Return whether the linter itself accepts a suppression that the change adds."""
    if await reports(sample, drawn.text, drawn.line, drawn.added, heed_added=True) is not False:
        return False
    text = drawn.meaningless
    return await reports(sample, text, drawn.line, drawn.added, heed_added=True) is True


@pytest.mark.slow
@pytest.mark.sample(2)  # each example runs up to three processes
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.linter)
@settings(
    max_examples=examples(300),
    deadline=None,
)
@given(data=st.data())
async def test_a_suppression_that_the_linter_accepts_hides_nothing_on_an_added_line(
    sample: Sample, data: st.DataObject
) -> None:
    need(sample.linter)
    drawn = data.draw(suppressed_texts(sample.linter))
    if await is_hidden_by_the_change(sample, drawn):
        assert await reports(sample, drawn.text, drawn.line, drawn.added, heed_added=False)
