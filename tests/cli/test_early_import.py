"""The SDK is imported while the diff is read and planned, if a model needs it."""

from __future__ import annotations

import gc
from threading import Event, get_ident
from typing import TYPE_CHECKING

from reviewbot.cli.early_import import import_sdk_early
from reviewbot.cli.main import main
from reviewbot.models.anthropic import messages_api
from tests.support.repositories import _alone, write
from tests.support.reviews import added
from tests.support.settings import load

if TYPE_CHECKING:
    import pytest

    from reviewbot.config.settings import Settings

__all__ = ["_alone"]

CLAUDE = "claude-sonnet-5-5"


def test_a_model_has_the_sdk_imported_in_another_thread_without_collections(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen, done = [], Event()

    def load_sdk() -> None:
        seen.append((get_ident(), gc.isenabled()))
        done.set()

    monkeypatch.setattr(messages_api, "load_sdk", load_sdk)
    import_sdk_early(load(model=CLAUDE))
    assert done.wait(10)
    ((thread, collects),) = seen
    assert thread != get_ident()
    assert not collects


def test_the_offline_rules_need_no_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reviewbot.cli.early_import.Thread", None)
    import_sdk_early(load(model="offline"))


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def test_only_a_review_on_this_machine_imports_it_before_the_plan(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Settings] = []
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-" + "unused")
    monkeypatch.setattr("reviewbot.cli.source.import_sdk_early", asked.append)
    name = write(added("app.py", "x = 1"))
    main(["review", name, "--dry-run"])
    monkeypatch.setattr("reviewbot.pipeline.remote.RemoteServer", interrupted)
    assert main(["review", name, "--server", "http://127.0.0.1:9"]) == 130
    assert asked == []

    def prepare(*_: object, **__: object) -> None:
        assert [one.model.name for one in asked] == [CLAUDE]
        raise KeyboardInterrupt

    monkeypatch.setattr("reviewbot.cli.review_run.prepare", prepare)
    assert main(["review", name]) == 130
    capsys.readouterr()
