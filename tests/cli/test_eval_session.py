"""The question before an evaluation spends money."""

from __future__ import annotations

import asyncio
import io
import signal
import sys

import pytest

from reviewbot.cli.eval_session import confirm


class _Terminal(io.StringIO):
    """Standard input at which Ctrl-C is pressed instead of an answer."""

    def isatty(self) -> bool:
        return True

    still_waits = False

    def readline(self, _: int = -1, /) -> str:  # type: ignore[override]  # of _IOBase, as in StringIO
        signal.raise_signal(signal.SIGINT)
        self.still_waits = True
        return "y\n"


def test_ctrl_c_at_the_question_ends_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGINT)
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stdin", terminal)

    async def ask() -> None:
        confirm("3 reviews to make", 1.0, confirmed=False)

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(ask())
    assert not terminal.still_waits
    assert signal.getsignal(signal.SIGINT) is before
