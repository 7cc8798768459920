"""Encryption of stored source: AES-256-GCM (NIST SP 800-38D), one random nonce for each value.

A stored value is a header and the ciphertext. The header names the version of the form and the key,
so that a missing key is distinguished from damaged data. The place of a value, such as
``rb_reviews.diff`` and the id of its row, is authenticated: a value that was copied to another
place cannot be decrypted. Values without a header were stored before encryption existed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import zlib
from typing import TYPE_CHECKING, Final, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from reviewbot.config.variables import STORE_KEY
from reviewbot.errors import ReviewbotError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import sqlalchemy as sa

KEY_BYTES: Final = 32
ID_BYTES: Final = 4
NONCE_BYTES: Final = 12
VERSION: Final = b"\0rb1"
"""Start of an encrypted value. A zlib stream (RFC 1950) starts with ``x``."""
TEXT_VERSION: Final = "rb1:"
"""Start of an encrypted value in a column of text; base64 follows."""
CIPHER_OPTION: Final = "rb_cipher"
"""Execution option of an engine that holds its cipher."""
_HEADER_BYTES: Final = len(VERSION) + ID_BYTES + NONCE_BYTES


class UnreadableError(ReviewbotError):
    """A stored value that cannot be decrypted: its key is missing, or the value is damaged."""


class StoreCipher:
    """Encryption of stored values. The first key encrypts; every key decrypts.

    Args:
        keys: keys of :data:`KEY_BYTES` bytes. Without keys, nothing can be encrypted.
    """

    def __init__(self, keys: Sequence[bytes] = ()) -> None:
        self._keys = {key_id(key): AESGCM(key) for key in keys}

    @property
    def key_ids(self) -> tuple[str, ...]:
        """Ids of the keys, the id of the encrypting key first."""
        return tuple(id_.hex() for id_ in self._keys)

    def encrypt(self, data: bytes, place: str) -> bytes:
        """Return ``data`` encrypted for ``place``.

        Raises:
            RuntimeError: there is no key.
        """
        if not self._keys:
            raise RuntimeError("this process has no key for stored source")
        name, key = next(iter(self._keys.items()))
        nonce = os.urandom(NONCE_BYTES)
        return VERSION + name + nonce + key.encrypt(nonce, data, place.encode())

    def decrypt(self, data: bytes, place: str) -> bytes:
        """Return the data that :meth:`encrypt` got; data without a header is returned unchanged.

        Raises:
            UnreadableError: the key is missing, or the data is damaged.
        """
        if not data.startswith(VERSION):
            return data
        name = data[len(VERSION) : len(VERSION) + ID_BYTES]
        key = self._keys.get(name)
        if key is None:
            raise UnreadableError(
                f"its stored source was encrypted with the key {name.hex()}, which this server"
                f" does not have ({STORE_KEY})"
            )
        try:
            nonce = data[_HEADER_BYTES - NONCE_BYTES : _HEADER_BYTES]
            return key.decrypt(nonce, data[_HEADER_BYTES:], place.encode())
        except (InvalidTag, ValueError):
            raise UnreadableError("its stored source is damaged") from None

    def encrypt_text(self, text: str, place: str) -> str:
        """Return ``text`` compressed and encrypted for ``place``, as ASCII.

        Raises:
            RuntimeError: there is no key.
        """
        data = zlib.compress(text.encode("utf-8", "surrogatepass"), 1)
        return TEXT_VERSION + base64.b64encode(self.encrypt(data, place)).decode()

    def decrypt_text(self, text: str, place: str) -> str:
        """Return the text that :meth:`encrypt_text` got; other text is returned unchanged.

        Raises:
            UnreadableError: the key is missing, or the text is damaged.
        """
        if not text.startswith(TEXT_VERSION):
            return text
        try:
            data = base64.b64decode(text.removeprefix(TEXT_VERSION), validate=True)
        except (binascii.Error, ValueError):
            raise UnreadableError("its stored source is damaged") from None
        return zlib.decompress(self.decrypt(data, place)).decode("utf-8", "surrogatepass")


def key_id(key: bytes) -> bytes:
    """Return the public name of a random key: the start of its digest."""
    return hashlib.sha256(b"reviewbot store key\0" + key).digest()[:ID_BYTES]


def place_of(column: sa.Column[str] | sa.Column[bytes], row: str) -> str:
    """Return the place of a value: table, column and id of the row."""
    return f"{column.table.name}.{column.name} {row}"


def cipher_of(connection: sa.Connection) -> StoreCipher:
    """Return the cipher with which the database of ``connection`` was opened."""
    return cast("StoreCipher", connection.get_execution_options()[CIPHER_OPTION])
