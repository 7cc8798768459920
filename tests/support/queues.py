"""Work in the queues of the tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from reviewbot.store import deliveries, publications
from reviewbot.store.tables import RATES

if TYPE_CHECKING:
    from reviewbot.store.queue import Queue

OWN: Final[dict[Queue, dict[str, Any]]] = {
    deliveries.QUEUE: {"event": "push", "subject": None},
    publications.QUEUE: {"target": "{}"},
}


def record(connection: sa.Connection) -> None:
    """Do the work: it fails if it was done."""
    connection.execute(sa.insert(RATES).values(tenant="work", minute=1))
