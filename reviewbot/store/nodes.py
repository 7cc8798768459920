"""Which nodes are alive, by the clock of the database that they share."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from reviewbot.store.reviews import now_ms
from reviewbot.store.tables import NODES

TTL_MS: Final = 10_000
"""A node whose last beat is older is dead."""
FORGET_MS: Final = 24 * 3600 * 1000


def beat(connection: sa.Connection, node: str) -> None:
    """Say that ``node`` is alive."""
    now = clock(connection)
    if not connection.execute(sa.update(NODES).where(NODES.c.id == node).values(beat=now)).rowcount:
        connection.execute(sa.insert(NODES).values(id=node, beat=now))
        connection.execute(sa.delete(NODES).where(NODES.c.beat < now - FORGET_MS))


def alive(connection: sa.Connection) -> frozenset[str]:
    """Return the nodes that have said so lately."""
    since = clock(connection) - TTL_MS
    return frozenset(connection.scalars(sa.select(NODES.c.id).where(NODES.c.beat >= since)))


def leave(connection: sa.Connection, node: str) -> None:
    """Say that ``node`` is no more."""
    connection.execute(sa.delete(NODES).where(NODES.c.id == node))


def leave_all(connection: sa.Connection) -> None:
    """No node is alive: this one is the first on a database that it alone can use."""
    connection.execute(sa.delete(NODES))


def clock(connection: sa.Connection) -> int:
    """Unix milliseconds by the database: the clocks of nodes differ."""
    if connection.dialect.name != "postgresql":
        return now_ms()
    return int(connection.scalar(sa.text("SELECT extract(epoch FROM clock_timestamp()) * 1000")))
