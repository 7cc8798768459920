"""Search of everything that a server has stored: the bytes of files, and inflated values."""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from reviewbot.store.connect import psycopg_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def token(name: str) -> str:
    """A token in the form of GitHub's, another for each name."""
    digits = hashlib.sha512(name.encode()).digest()
    return "gh" + "p_" + "".join(_LETTERS[digit % len(_LETTERS)] for digit in digits[:36])


def places_of(secrets: Mapping[str, str], folders: Iterable[Path], urls: Iterable[str]) -> set[str]:
    """Return where a secret was found: the name of the secret, and the file or the column.

    Args:
        secrets: secrets by name.
        folders: folders whose files are read, logs and SQLite's files included.
        urls: databases of which every value of every table is read and inflated.
    """
    found = set()
    for place, data in (*_files(folders), *_values(urls)):
        for form in _forms(data):
            found |= {f"{name}: {place}" for name, text in secrets.items() if text.encode() in form}
    return found


def _files(folders: Iterable[Path]) -> Iterator[tuple[str, bytes]]:
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                yield path.name, path.read_bytes()


def _values(urls: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    for url in urls:
        engine = sa.create_engine(psycopg_url(url))
        inspector = sa.inspect(engine)
        with engine.connect() as connection:
            for schema in inspector.get_schema_names():
                if schema in ("information_schema", "pg_catalog"):
                    continue
                for name in inspector.get_table_names(schema):
                    query = sa.select(sa.text("*")).select_from(sa.table(name, schema=schema))
                    for row in connection.execute(query).mappings():
                        for column, value in row.items():
                            yield f"{name}.{column}", _bytes(value)
        engine.dispose()


def _bytes(value: Any) -> bytes:
    return bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()


def _forms(data: bytes) -> Iterator[bytes]:
    """Yield the data, and the data decoded and inflated as far as it can be."""
    if not data:
        return
    yield data
    for window in (47, -15):  # zlib and gzip; a stream without a header
        with suppress(zlib.error):
            yield zlib.decompressobj(window).decompress(data)
    with suppress(binascii.Error, ValueError):
        yield from _forms(base64.b64decode(data, validate=True))
