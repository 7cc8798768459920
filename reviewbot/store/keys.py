"""API keys: shown once, kept as digests.

A key is 256 random bits, so a plain SHA-256 is as safe at rest as a slow hash would be. There is no
dictionary to try (OWASP, "Password Storage", is about passwords that people choose).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final, Literal

import sqlalchemy as sa

from reviewbot.store.database import rows_changed
from reviewbot.store.reviews import now_ms
from reviewbot.store.tables import KEYS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

Scope = Literal["reviews", "metrics"]
"""Scope of a key: the calls of ``/v1``, or ``/metrics``."""
LOCAL: Final = "local"
"""The tenant of callers without a key."""
PREFIX: Final = "rb_"
USED_EVERY_MS: Final = 60_000
"""Precision of the time of a key's last use."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a key; None is unlimited. Days are in UTC."""

    tokens_per_request: int | None = None
    tokens_per_day: int | None = None
    usd_per_day: float | None = None
    requests_per_minute: int | None = None
    reviews_at_once: int | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """A key without its secret. Times are Unix milliseconds."""

    id: str
    name: str
    scope: Scope
    limits: Limits
    created_at: int
    used_at: int | None
    revoked_at: int | None


def add(
    connection: sa.Connection, name: str, limits: Limits, *, scope: Scope = "reviews"
) -> tuple[Key, str]:
    """Store and return a new key, with its secret, which cannot be retrieved later."""
    secret = PREFIX + secrets.token_urlsafe(32)
    values = {
        "id": secrets.token_hex(6),
        "name": name,
        "digest": _digest(secret),
        "limits": json.dumps(asdict(limits)),
        "created_at": now_ms(),
        "scope": scope,
    }
    found = connection.execute(sa.insert(KEYS).values(values).returning(KEYS)).mappings().one()
    return _key(found), secret


def known(connection: sa.Connection, secret: str) -> Key | None:
    """Return the key of ``secret``; None if it is unknown or revoked.

    The lookup uses the digest, so its duration does not reveal the secret.
    """
    digest = _digest(secret)
    found = connection.execute(sa.select(KEYS).where(KEYS.c.digest == digest)).mappings().first()
    if found is None or not hmac.compare_digest(found["digest"], digest):
        return None
    return None if found["revoked_at"] is not None else _key(found)


def due(key: Key) -> bool:
    """Return whether the stored time of a key's last use must be updated."""
    return key.used_at is None or now_ms() - key.used_at > USED_EVERY_MS


def used(connection: sa.Connection, key_id: str) -> None:
    """Store the current time as the last use of a key."""
    connection.execute(sa.update(KEYS).where(KEYS.c.id == key_id).values(used_at=now_ms()))


def everyone(connection: sa.Connection) -> list[Key]:
    """Return all keys, including revoked keys, oldest first."""
    query = sa.select(KEYS).order_by(KEYS.c.created_at, KEYS.c.id)
    return [_key(found) for found in connection.execute(query).mappings()]


def exist(connection: sa.Connection) -> bool:
    """Return whether there is a key that was not revoked."""
    query = sa.select(KEYS.c.id).where(KEYS.c.revoked_at.is_(None)).limit(1)
    return connection.scalar(query) is not None


def revoke(connection: sa.Connection, key_id: str) -> bool:
    """Revoke a key; return False if no valid key has that id."""
    return bool(
        rows_changed(
            connection.execute(
                sa.update(KEYS)
                .where(KEYS.c.id == key_id, KEYS.c.revoked_at.is_(None))
                .values(revoked_at=now_ms())
            )
        )
    )


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _key(found: Mapping[Any, Any]) -> Key:
    return Key(
        id=found["id"],
        name=found["name"],
        scope=found["scope"],
        limits=Limits(**json.loads(found["limits"])),
        created_at=found["created_at"],
        used_at=found["used_at"],
        revoked_at=found["revoked_at"],
    )
