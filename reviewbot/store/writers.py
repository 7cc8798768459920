"""Which node works for an installation of the App: one at a time, in deliveries and publications.

GitHub takes about one write a second of an installation, and only within a node it is known when
the last one was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from reviewbot.store.tables import DELIVERIES, PUBLICATIONS

if TYPE_CHECKING:
    from collections.abc import Collection

CLAIMS: Final = "github"
"""The ``tenant`` of a write that claims. Nodes then claim one after the other, so that each sees
what the one before it took: how much is at work for an installation, where, and for what."""
GAP_MS: Final = 1000
"""As long after its last work an installation stays with its node."""


def is_free(
    installation: sa.Column[int], node: str, alive: Collection[str], at: int
) -> sa.ColumnElement[bool]:
    """Whether no other node works for an installation, or has done so within a second.

    Args:
        installation: None is nobody's, and free.
        node: who asks.
        alive: the nodes that are; what others have, nobody works on.
        at: now.
    """
    taken = [
        sa.select(table.c.installation).where(
            table.c.installation.is_not(None),
            table.c.node.in_([other for other in alive if other != node]),
            when,
        )
        for table in (DELIVERIES, PUBLICATIONS)
        for when in (table.c.state == "working", table.c.finished_at.between(at - GAP_MS, at))
    ]
    return sa.or_(installation.is_(None), installation.not_in(sa.union_all(*taken)))
