"""Fuzz parsers by coverage: ``python -m tests.fuzz.atheris_targets diff -max_total_time=60``.

atheris changes the input so that it reaches new code. It is not in the development requirements;
``make atheris`` installs it from requirements/fuzz.txt. Arguments after the name of the target are
those of libFuzzer: https://llvm.org/docs/LibFuzzer.html#options. The corpus comes from the fixtures
unless they name a folder. An exception, or an input that takes more than 30 seconds, is a failure:
the file that repeats it is named in the output and can be given as an argument.
"""

from __future__ import annotations

import base64
import json
import lzma
import re
import sys
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

import atheris

with atheris.instrument_imports(include=["reviewbot"]):
    from reviewbot.core.diff.parse import parse_diff
    from reviewbot.core.findings.toolstream import ToolStream, ToolStreamError
    from reviewbot.core.safety.redact import redact_file, redact_text
    from reviewbot.errors import DiffError
    from reviewbot.github.state.block import Pause, StateBlock, pack, unpack
    from reviewbot.github.webhook import commands
    from reviewbot.github.webhook.parse import read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FIXTURES: Final = Path(__file__).parents[2] / "fixtures"
EVENTS: Final = (
    *("pull_request", "issue_comment", "pull_request_review_comment"),
    *("check_run", "check_suite", "installation", "ping", "merge_group"),
)
DELIVERY: Final = "72d3162e-cc78-11e3-81ab-4c9367dc0958"


def fuzz_diff(data: bytes) -> None:
    """Parse a diff, read all lines and redact them."""
    try:
        files = parse_diff(data)
    except DiffError:
        return
    for file in files:
        lines = [line for hunk in file.hunks for line in hunk.lines]
        assert file.added == sum(line.kind == "added" for line in lines)
        assert file.removed == sum(line.kind == "removed" for line in lines)
        redact_file(file)


def fuzz_stream(data: bytes) -> None:
    """Read a report whole and in pieces: the findings are the same."""
    text = data[1:].decode("utf-8", "replace")
    size = 1 + (data[0] if data else 0) % 40
    whole = read_stream([text])
    assert whole == read_stream([text[at : at + size] for at in range(0, len(text), size)])


def read_stream(pieces: list[str]) -> list[dict[str, object]]:
    """Return the findings of a report in pieces."""
    stream = ToolStream()
    try:
        for piece in pieces:
            stream.feed(piece)
    except ToolStreamError:
        pass
    stream.close()
    return stream.drain()


def fuzz_redact(data: bytes) -> None:
    """Redact a text: it keeps its lines."""
    text = data.decode("utf-8", "replace")
    assert redact_text(text).count("\n") == text.count("\n")


def fuzz_state(data: bytes) -> None:
    """Read a state block; what can be read can be written and read again."""
    for text in (
        data.decode("latin-1"),
        base64.b64encode(zlib.compress(data)).decode(),
    ):
        block = unpack(text)
        if block is not None:
            packed = pack(block)
            assert packed is None or unpack(packed) is not None


def fuzz_webhook(data: bytes) -> None:
    """Read a delivery and a comment; neither raises."""
    event = EVENTS[(data[0] if data else 0) % len(EVENTS)]
    read(event, DELIVERY, data[1:], None)
    commands.find(data[1:].decode("utf-8", "replace"), "reviewbot")


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    "diff": fuzz_diff,
    "stream": fuzz_stream,
    "redact": fuzz_redact,
    "state": fuzz_state,
    "webhook": fuzz_webhook,
}


def seeds(target: str) -> Iterator[bytes]:
    """Yield the first inputs of a target."""
    if target in {"diff", "redact"}:
        for path in sorted(FIXTURES.rglob("*.diff")):
            yield path.read_bytes()
    elif target == "stream":
        for path in sorted((FIXTURES / "wire").glob("*.sse")):
            pieces = re.findall(r'"partial_json": ?("(?:[^"\\]|\\.)*")', path.read_text("utf-8"))
            yield b"\x07" + "".join(map(json.loads, pieces)).encode()
    elif target == "state":
        pause = Pause("octocat", "2026-01-02T03:04:05Z")
        packed = pack(StateBlock("a" * 40, hunks={"b" * 16: 1}, pause=pause))
        assert packed is not None
        yield zlib.decompress(base64.b64decode(packed))
        yield packed.encode()
    else:
        payloads = lzma.decompress((FIXTURES / "github/webhooks/payloads.jsonl.xz").read_bytes())
        for line in payloads.splitlines():
            delivery = json.loads(line)
            if delivery["event"] in EVENTS:
                number = EVENTS.index(delivery["event"])
                yield bytes([number]) + json.dumps(delivery["payload"]).encode()


def main() -> None:
    """Run one target until an argument of libFuzzer ends it."""
    name, *options = sys.argv[1:]
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(seeds(name)):
            Path(corpus, str(number)).write_bytes(seed)
        limits = ["-timeout=30", "-rss_limit_mb=3000", "-max_len=20000"]
        given = [one for one in options if not one.startswith("-")]
        atheris.Setup([sys.argv[0], *limits, *options, *([] if given else [corpus])], TARGETS[name])
        atheris.Fuzz()


if __name__ == "__main__":
    main()
