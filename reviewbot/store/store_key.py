"""The key of stored source: from the environment, or from a private file of one SQLite server.

With Postgres, several nodes share the database, so the key must be given. A node records the id of
its key, and refuses to start beside nodes that have another key.
"""

from __future__ import annotations

import base64
import binascii
import logging
import os
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from reviewbot.config.variables import STORE_KEY
from reviewbot.errors import ConfigError
from reviewbot.store import nodes
from reviewbot.store.connect import is_postgres
from reviewbot.store.encryption import KEY_BYTES, StoreCipher, cipher_of
from reviewbot.store.private_files import create_file, read_file
from reviewbot.store.tables import STORE_KEYS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FILE: Final = "store.key"
"""Name of the file in the state folder."""
HOW_TO: Final = "make one with: openssl rand -base64 32"

log = logging.getLogger(__name__)


def read_cipher(
    variables: Callable[[str], str | None], state_folder: Path, database_url: str
) -> StoreCipher:
    """Return the cipher of stored source. A missing file of the key is created.

    Args:
        variables: returns a variable of the real environment. The variable may hold several keys,
            separated by commas: the first encrypts, all decrypt.
        state_folder: the folder of the file, unless the variable is set.
        database_url: URL of the database. Other nodes may use a Postgres, so a file would not do.

    Raises:
        ConfigError: the key is required and missing, invalid, or readable by other users; or its
            file cannot be written.
    """
    if text := (variables(STORE_KEY) or "").strip():
        return StoreCipher([_key(part, STORE_KEY) for part in text.split(",")])
    if is_postgres(database_url):
        raise ConfigError(
            "is not set; with Postgres, stored source is encrypted with a key that all nodes"
            f" share; {HOW_TO}",
            source=STORE_KEY,
        )
    path = state_folder / FILE
    if not os.path.lexists(path):
        _make(path)
    return StoreCipher([_key(read_file(path, str(path), private=True), str(path))])


def _make(path: Path) -> None:
    """Create the file of a new key.

    Raises:
        ConfigError: the file cannot be written.
    """
    try:
        create_file(path, base64.b64encode(os.urandom(KEY_BYTES)).decode() + "\n")
    except ConfigError as error:
        raise ConfigError(
            f"{error.message}; make the folder writable, or set {STORE_KEY}", source=error.source
        ) from error


def _key(text: str, source: str) -> bytes:
    """Return the key in base64 ``text``. Error messages never contain the text.

    Raises:
        ConfigError: the text is not such a key.
    """
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise ConfigError(f"must be {KEY_BYTES} bytes in base64; {HOW_TO}", source=source)
    return key


def register(connection: sa.Connection) -> None:
    """Record the key of this node. With Postgres, refuse a key that live nodes do not have.

    If no node is alive that has the recorded key, the key counts as replaced: the database remains
    usable after the loss of a key.

    Raises:
        ConfigError: another node runs, or started just now, with another key.
    """
    key_ids, now = cipher_of(connection).key_ids, nodes.clock(connection)
    is_postgres = connection.dialect.name == "postgresql"
    if is_postgres:  # nodes that start at once must see each other's record
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(7283)"))
    latest = connection.execute(sa.select(STORE_KEYS.c.key, STORE_KEYS.c.at)).first()
    if latest is not None and latest.key not in key_ids:
        is_recent = latest.at > now - nodes.TTL_MS
        if is_postgres and (is_recent or nodes.alive(connection)):
            raise ConfigError(
                f"is the key {key_ids[0]}, but the nodes of this database use the key {latest.key};"
                " give all nodes the same key (to replace a lost key, stop all nodes, wait"
                f" {nodes.TTL_MS // 1000} seconds, and start one)",
                source=STORE_KEY,
            )
        log.warning(
            "the key of stored source was replaced: reviews that were stored with the key %s and"
            " are not finished end as incomplete",
            latest.key,
        )
    connection.execute(sa.delete(STORE_KEYS))
    connection.execute(sa.insert(STORE_KEYS).values(key=key_ids[0], at=now))
