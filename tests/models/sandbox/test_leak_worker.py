"""The process of betterleaks reaches no file of others, no network, no program and no secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reviewbot.core.safety import leak_process
from reviewbot.core.safety.leak_process import LeakProcess
from tests.models.sandbox.canaries import need_sandbox

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

HOSTILE = """
import json, os, socket, subprocess, sys, threading, types
sys.path[:] = json.loads(sys.argv[1])
def tried(action):
    try:
        action()
    except OSError:
        return False
    return True
def attempts(path):
    return {
        "read": tried(lambda: open(path).close()),
        "write": tried(lambda: open(path + ".new", "w").close()),
        "connect": tried(socket.socket),
        "run": tried(lambda: subprocess.run(["/bin/true"])),
        "environment": sorted(os.environ),
    }
def scan_string(path):
    found = {}
    thread = threading.Thread(target=lambda: found.update(attempts(path)))
    thread.start()
    thread.join()
    return [types.SimpleNamespace(raw=found)] if path else []
library = types.ModuleType("betterleaks")
library.scan_string, library.__version__, library.BetterleaksError = scan_string, "0", ValueError
sys.modules["betterleaks"] = library
CONFINE
main()
"""
CONFINED = "from reviewbot.models.sandbox.leak_worker import main"
LOOSE = """
from reviewbot.models.sandbox import leak_worker
leak_worker.restrict_thread = lambda allowed: None
leak_worker._limit = lambda: None
main = leak_worker.main
"""


def tried(monkeypatch: pytest.MonkeyPatch, start: str, path: Path) -> dict[str, Any]:
    monkeypatch.setattr(leak_process, "_START", HOSTILE.replace("CONFINE", start))
    monkeypatch.setenv("ANTHROPIC_API_KEY", "unused")
    process = LeakProcess()
    try:
        (result,) = process.scan(str(path))
    finally:
        process.close()
    assert "ANTHROPIC_API_KEY" not in result.pop("environment")
    return result


def test_a_hostile_library_reaches_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    need_sandbox()
    path = tmp_path / "secret"
    path.write_text("x")
    assert set(tried(monkeypatch, LOOSE, path).values()) == {True}, "it could without a sandbox"
    assert set(tried(monkeypatch, CONFINED, path).values()) == {False}
