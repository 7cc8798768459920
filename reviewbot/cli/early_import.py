"""Import of the SDK while the diff is read and planned."""

from __future__ import annotations

import gc
from threading import Thread
from typing import TYPE_CHECKING

from reviewbot.config.settings import OFFLINE

if TYPE_CHECKING:
    from reviewbot.config.settings import Settings


def import_sdk_early(settings: Settings) -> None:
    """Start to import the SDK, which takes a second, if a model of ``settings`` needs it.

    A command that ends early does not wait for the import.
    """
    if any(choice.name != OFFLINE for choice in settings.choices):
        Thread(target=_import_sdk, daemon=True).start()


def _import_sdk() -> None:
    from reviewbot.models.anthropic.messages_api import load_sdk

    gc.disable()  # an import makes many objects, and all of them stay
    try:
        load_sdk()
    finally:
        gc.enable()
