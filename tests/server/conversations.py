"""Conversations with look-ups about the files of :func:`tests.server.nodes.long_diff`."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from tests.fake_anthropic import Answer
from tests.server.nodes import file_of, findings_for

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.fake_anthropic import Recorded

PRIVATE: Final = "known_to_the_repository_only"
"""A word of the looked-up code that no finding quotes."""
CODE: Final = {
    "lib/rate.py": f"{PRIVATE} = 1\nRATE = None\n",
    "lib/tax.py": f"def tax(order):\n    return order * {PRIVATE}\n",
}
TURNS: Final = 4
"""Turns of a conversation; the last one completes the report."""


def reading(path: str) -> tuple[str, dict[str, Any]]:
    return "read_code", {"path": path, "first": 1, "last": 2}


def turn_of(request: Recorded) -> int:
    """The number of the turn that a request asks for, from 1."""
    roles = [message["role"] for message in request.body["messages"]]
    return 1 + roles.count("assistant")


def conversation(request: Recorded, **changes: Any) -> Answer:
    """The next turn: look-ups, interim findings with look-ups and without, and the end.

    The last turn repeats a finding, and names the looked-up code that the last finding rests on.
    """
    path = file_of(request)
    first, second, third = findings_for(path)
    rests_on = [{"path": "lib/rate.py", "quote": "RATE = None", "base": False}]
    match turn_of(request):
        case 1:
            looks = [reading("lib/rate.py")]
            turn: dict[str, Any] = {"call": False, "thinking": "Whose rate?", "lookups": looks}
        case 2:
            looks = [reading("lib/tax.py"), ("search_code", {"text": "RATE"})]
            turn = {"findings": [first], "outcome": "continuing", "lookups": looks}
        case 3:
            turn = {"findings": [second], "outcome": "continuing"}
        case _:
            turn = {"findings": [first, third | {"rests_on": rests_on}]}
    return Answer(**turn | changes)


def turns_paid_twice(requests: Iterable[Recorded]) -> int:
    """Count the requests for a turn after which the model was already asked for a later one."""
    turns: dict[str, list[int]] = {}
    for request in requests:
        turns.setdefault(file_of(request), []).append(turn_of(request))
    return sum(
        after < before
        for turns_of_file in turns.values()
        for before, after in pairwise(turns_of_file)
    )
