"""How many tokens a text is: tiktoken with the shipped encoding, corrected per model.

tiktoken's own loader downloads an encoding on first use and writes it to a cache folder; here it
is built from the file in the package, which nothing replaces without failing the hash.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import tempfile
from binascii import a2b_base64
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reviewbot.errors import ReviewbotError

if TYPE_CHECKING:
    import tiktoken

ENCODING_SHA256 = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"
"""As pinned by tiktoken 0.14 (``tiktoken_ext/openai_public.py``, ``o200k_base``)."""

# The pattern and the special tokens are o200k_base's, from the same place.
_PATTERN = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n/]*"
    r"|\s*[\r\n]+"
    r"|\s+(?!\S)"
    r"|\s+"
)
_SPECIAL_TOKENS = {"<|endoftext|>": 199999, "<|endofprompt|>": 200018}

PIECE = 20_000
"""Characters given to tiktoken at once. It panics (a BaseException) on a run of a million spaces;
pieces also bound the list of tokens. A border costs at most a token or two."""

BYTES_PER_TOKEN = 2.0
"""For text that is not tokenized. Current Claude models have 2.0 to 2.7 characters a token on
code and diffs (measured with ``ctok`` 1.3.0), so this is on the safe side by up to a third."""

CORRECTION_BOUNDS = (0.5, 3.0)
"""What a learned correction can be; a server that reports nonsense does no more harm than this."""

LEARNING_RATE = 0.2
"""Weight of one request in the moving average: about ten requests to settle."""

MIN_LEARNED = 500
"""Estimated tokens below which a request teaches nothing: it is mostly fixed overhead."""


@functools.cache
def encoding() -> tiktoken.Encoding:
    """Return the shipped ``o200k_base``; about 0.3 s on first use, then at hand.

    Raises:
        ReviewbotError: the file in the package is not the one that was shipped.
    """
    import tiktoken  # lazy, as the ranks below: most reviews never need them

    data = _encoding_file().read_bytes()
    if hashlib.sha256(data).hexdigest() != ENCODING_SHA256:
        raise ReviewbotError(
            "the token encoding in this installation is damaged; install reviewbot again"
        )
    words = data.split()
    ranks = dict(zip(map(a2b_base64, words[::2]), map(int, words[1::2]), strict=True))
    return tiktoken.Encoding(
        "o200k_base", pat_str=_PATTERN, mergeable_ranks=ranks, special_tokens=_SPECIAL_TOKENS
    )


def _encoding_file() -> Path:
    return Path(__file__).parents[1] / "data" / "o200k_base.tiktoken"


@dataclass(frozen=True, slots=True)
class TokenCounter:
    """Estimates tokens of one model; a :class:`reviewbot.core.plan.chunks.TokenCount`.

    Args:
        factor: the model's tokens per o200k token (``ModelInfo.token_factor``).
        correction: what earlier reviews taught (:meth:`Calibration.correction`).
    """

    factor: float
    correction: float = 1.0

    @property
    def per_byte(self) -> float:
        """Tokens a byte of UTF-8 counts for where text is not tokenized. Loads nothing."""
        return self.correction / BYTES_PER_TOKEN

    def count(self, text: str) -> int:
        """Tokens of ``text``, rounded up. Linear, whatever the text; any ``str`` is taken.

        Lone surrogates count as the replacement character; special tokens as ordinary text.
        """
        encode = encoding().encode_ordinary
        total = sum(
            len(encode(text[start : start + PIECE])) for start in range(0, len(text), PIECE)
        )
        # What was learned comes mostly from estimates by bytes, which are high on purpose: it may
        # raise an exact count, never lower it.
        return math.ceil(total * self.factor * max(1.0, self.correction))


@dataclass(slots=True)
class Calibration:
    """Correction per model, learned from what servers said a request took.

    What a review learns is for later reviews: :meth:`correction` answers from the file as it was
    when this object was made, so that a plan does not change while it is carried out.

    Args:
        path: the state file; None keeps nothing.
    """

    path: Path | None
    _known: dict[str, float] = field(init=False)
    _samples: list[tuple[str, float]] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self._known = _read_corrections(self.path)

    def correction(self, model: str) -> float:
        """What to multiply estimates for ``model`` by; 1.0 for one not seen before."""
        return self._known.get(model, 1.0)

    def learn(self, model: str, *, estimated: int, actual: int) -> None:
        """Remember how far one request was off.

        Args:
            model: its name.
            estimated: tokens as estimated with :meth:`correction` applied.
            actual: ``usage`` input tokens, cache reads and writes included.
        """
        if estimated >= MIN_LEARNED and actual > 0:
            ratio = min(actual, 10 * estimated) / estimated
            self._samples.append((model, self.correction(model) * ratio))

    def save(self) -> None:
        """Write what was learned, on top of what other processes saved meanwhile.

        The file is replaced as a whole: readers see the old or the new one. Of two processes that
        save in the same instant, one may lose its lesson, never the file.

        Raises:
            OSError: the state folder cannot be written.
        """
        if self.path is None or not self._samples:
            return
        known = _read_corrections(self.path)
        for model, sample in self._samples:
            before = known.get(model, 1.0)
            known[model] = _bounded(before + LEARNING_RATE * (_bounded(sample) - before))
        self._samples.clear()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"version": 1, "corrections": known}, indent=2, sort_keys=True)
        _replace_file(self.path, text)


def _replace_file(path: Path, text: str) -> None:
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, prefix=path.name, suffix=".tmp", delete=False
    ) as file:
        temporary = Path(file.name)
        try:
            file.write(text + "\n")
            file.close()
            temporary.replace(path)
        except BaseException:
            file.close()
            temporary.unlink(missing_ok=True)
            raise


def _read_corrections(path: Path | None) -> dict[str, float]:
    """Return the corrections in ``path``; none where it is missing, unreadable or not ours.

    They are a cache of what the next requests teach again, so that a broken file is no error.
    """
    if path is None:
        return {}
    try:
        data: Any = json.loads(path.read_text(encoding="utf-8"))
        items = data["corrections"].items() if data["version"] == 1 else ()
        return {str(model): _bounded(float(value)) for model, value in items}
    except (
        OSError,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        OverflowError,
        RecursionError,
    ):
        return {}


def _bounded(correction: float) -> float:
    low, high = CORRECTION_BOUNDS
    if not math.isfinite(correction):
        raise ValueError(f"{correction} is no correction")
    return min(max(correction, low), high)
