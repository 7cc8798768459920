"""Heartbeats of nodes, by the clock of the shared database."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from reviewbot.store.reviews import now_ms
from reviewbot.store.tables import NODES

TTL_MS: Final = 10_000
"""Milliseconds since the last heartbeat after which a node counts as dead."""
FORGET_MS: Final = 24 * 3600 * 1000


def heartbeat(connection: sa.Connection, node: str) -> None:
    """Store a heartbeat of ``node``."""
    now = clock(connection)
    if not connection.execute(sa.update(NODES).where(NODES.c.id == node).values(beat=now)).rowcount:
        connection.execute(sa.insert(NODES).values(id=node, beat=now))
        connection.execute(sa.delete(NODES).where(NODES.c.beat < now - FORGET_MS))


def alive(connection: sa.Connection) -> frozenset[str]:
    """Return the nodes with a recent heartbeat."""
    since = clock(connection) - TTL_MS
    return frozenset(connection.scalars(sa.select(NODES.c.id).where(NODES.c.beat >= since)))


def leave(connection: sa.Connection, node: str) -> None:
    """Delete the heartbeat of ``node``."""
    connection.execute(sa.delete(NODES).where(NODES.c.id == node))


def leave_all(connection: sa.Connection) -> None:
    """Delete all heartbeats, for a node that locks the database exclusively."""
    connection.execute(sa.delete(NODES))


def clock(connection: sa.Connection) -> int:
    """Return Unix milliseconds by the database, since the clocks of nodes differ."""
    if connection.dialect.name != "postgresql":
        return now_ms()
    return int(connection.scalar(sa.text("SELECT extract(epoch FROM clock_timestamp()) * 1000")))
