"""Reads the state block of a pull request of the fake GitHub."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reviewbot.github.state.block import unpack

if TYPE_CHECKING:
    from reviewbot.github.state.block import Record, StateBlock
    from tests.fake_github import PullRequest

_STATE = re.compile(r"^<!-- reviewbot .* state=(\S+)", re.MULTILINE)


def state_of(pull: PullRequest) -> StateBlock:
    """Return the state that the summary comment carries."""
    [text] = [found for one in pull.comments for found in _STATE.findall(one.body)]
    block = unpack(text)
    assert block
    return block


def records_in(summary: str) -> tuple[Record, ...]:
    """Return the findings in the state that a summary comment carries; none without a state."""
    blocks = [unpack(text) for text in _STATE.findall(summary)]
    return tuple(record for block in blocks if block for record in block.records)
