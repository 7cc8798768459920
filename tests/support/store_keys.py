"""A key of stored source for the tests."""

from __future__ import annotations

import base64
from typing import Final

from reviewbot.store.encryption import KEY_BYTES, StoreCipher

KEY: Final = bytes(range(KEY_BYTES))
KEY_TEXT: Final = base64.b64encode(KEY).decode()
"""The key as ``REVIEWBOT_STORE_KEY`` has it."""
OTHER: Final = b"k" * KEY_BYTES
"""Another key."""
OTHER_TEXT: Final = base64.b64encode(OTHER).decode()
CIPHER: Final = StoreCipher([KEY])
