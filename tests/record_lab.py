"""Write the recorded answer of the lab, and golden screens: ``python -m tests.record_lab``.

No model API was at hand. The answer is written by hand, the fake server of the tests makes its
frames, and the times are those of a plausible model. The recording says so.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import reviewbot.lab
from tests.fake_anthropic import Answer
from tests.record_streams import FILES, FOUND
from tests.support.lab_studies import frames_of, screens

DEMO: Final = Path(reviewbot.lab.__file__).parent / "demo"
MODEL: Final = "claude-sonnet-5-5"
SOURCE: Final = (
    "A replay of a recorded stream about the demo. reviewbot's test server played the model: the"
    " answer is written by hand, and the times are plausible, not measured."
)
SHELL: Final = FOUND[0] | {
    "quote": '    subprocess.run(f"mv {path}.gz {target}", shell=True, check=True)',
    "line": 59,
    "end_line": 59,
    "title": "A path becomes part of a shell command",
    "scenario": "A target with a semicolon and a command runs that command.",
    "message": "Pass a list of arguments without `shell=True`.",
    "suggestion": '    subprocess.run(["mv", f"{path}.gz", target], check=True)',
}
TYPO: Final = FOUND[0] | {
    "path": "web/src/cart.ts",
    "quote": '  return typeof cart === "undefind" || quantity(cart) === 0;',
    "line": 20,
    "end_line": 20,
    "category": "bug",
    "title": "The comparison with undefined is misspelled",
    "scenario": "When cart is undefined, the comparison is false and quantity(cart) throws.",
    "message": 'Compare with `"undefined"`.',
    "suggestion": '  return typeof cart === "undefined" || quantity(cart) === 0;',
}
ENDS: Final = FOUND[0] | {
    "path": "shop/sync.py",
    "quote": '        log.warning("stock of %s: %s", sku, response.status_code)',
    "line": 18,
    "end_line": 18,
    "category": "bug",
    "confidence": 0.8,
    "title": "The function ends without a result",
    "scenario": "After five failed tries the caller gets None for a number.",
    "message": "Raise an error after the loop.",
}
REPORTED: Final[list[dict[str, Any]]] = [
    *FOUND[:2],
    SHELL,
    FOUND[2] | {"confidence": 0.8},
    ENDS,
    TYPO,
]
CHECKED: Final[list[dict[str, Any]]] = [*FOUND[:2], ENDS]
"""The findings that are verified: errors that no rule reports, by file and line."""
_RAISES: Final = '    raise RuntimeError(f"no answer for {sku}")'


def frames() -> list[dict[str, Any]]:
    """Return the frames of the answer, with plausible times."""
    thought = "I check each changed line, and what it needs from the code around it."
    answer = Answer(REPORTED, FILES, thinking=thought, delta_size=24)
    found: list[dict[str, Any]] = []
    at = 0.62
    for frame in frames_of(answer):
        found.append({"at": round(at, 3), "event": frame.event, "data": frame.data})
        at += 0.35 if "thinking_delta" in frame.data else 0.085
    return found


def verdicts() -> dict[str, Any]:
    """Return the answers about the findings that are verified."""
    answers = []
    for number, finding in enumerate(CHECKED, 1):
        is_wrong = finding is ENDS
        answers.append(
            {
                "finding": number,
                "path": finding["path"],
                "line": 20 if is_wrong else finding["line"],
                "quote": _RAISES if is_wrong else finding["quote"],
                "answer": "wrong" if is_wrong else "supported",
                "why": "After the loop it raises." if is_wrong else "This line goes wrong.",
                "title": None,
                "scenario": None,
                "message": None,
            }
        )
    return {"answers": answers}


def texts() -> dict[str, str]:
    """Return the text of each file of the recording, by name."""
    head = {"model": MODEL, "source": SOURCE}
    lines = [json.dumps(one, ensure_ascii=False) for one in (head, *frames())]
    return {
        "stream.jsonl": "\n".join(lines) + "\n",
        "verdicts.json": json.dumps(verdicts(), indent=1, ensure_ascii=False) + "\n",
    }


if __name__ == "__main__":
    for file, text in texts().items():
        (DEMO / file).write_text(text, "utf-8")
    for path, text in screens().items():
        path.write_text(text, "utf-8")
