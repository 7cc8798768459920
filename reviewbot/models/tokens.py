"""Estimate tokens with tiktoken and the shipped encoding, corrected per model.

tiktoken's own loader downloads an encoding on first use and writes it to a cache folder. Here the
encoding is built from a file in the package, and a hash detects a changed file.
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
"""Hash that tiktoken 0.14 pins (``tiktoken_ext/openai_public.py``, ``o200k_base``)."""

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
"""Estimate for text that is not tokenized. Current Claude models have 2.0 to 2.7 characters per
token on code and diffs (measured with ``ctok`` 1.3.0), so the estimate is high by up to a third."""

CORRECTION_BOUNDS = (0.5, 2.0)
"""Limits of a learned correction. A count of a server beyond them teaches nothing: it cannot be the
tokens of the prompt that the server got."""

LEARNING_RATE = 0.2
"""Weight of one request in the moving average: about ten requests to settle."""

_VERSION = 2
"""Version of the state file. Version 1 mixed the servers of a model, so it is not read."""

MIN_LEARNED = 500
"""Estimated tokens below which a request teaches nothing: it is mostly fixed overhead."""


@functools.cache
def encoding() -> tiktoken.Encoding:
    """Return the shipped ``o200k_base``; the first call takes about 0.3 s.

    Raises:
        ReviewbotError: the file in the package is not the one that was shipped.
    """
    import tiktoken  # lazy, like the ranks below: most reviews never need them

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
    """Token estimator of one model; a :class:`reviewbot.core.plan.weigh.TokenCount`.

    Args:
        factor: the model's tokens per o200k token (``ModelInfo.token_factor``).
        correction: factor learned from earlier reviews (:meth:`Calibration.correction`).
    """

    factor: float
    correction: float = 1.0

    @property
    def per_byte(self) -> float:
        """Tokens per byte of UTF-8 for text that is not tokenized. Loads no encoding."""
        return self.correction / BYTES_PER_TOKEN

    def count(self, text: str) -> int:
        """Return the tokens of ``text``, rounded up. The time is linear for any ``str``.

        Lone surrogates count as the replacement character, and special tokens as ordinary text.
        """
        encode = encoding().encode_ordinary
        total = sum(
            len(encode(text[start : start + PIECE])) for start in range(0, len(text), PIECE)
        )
        # Corrections come mostly from estimates by bytes, which are high on purpose. So a
        # correction may raise an exact count, but never lower it.
        return math.ceil(total * self.factor * max(1.0, self.correction))


def endpoint_key(model: str, base_url: str | None) -> str:
    """Return the name of a model on a server, under which its correction is kept.

    Servers count differently, a test server may count at random, and the same name may mean another
    model. The address is hashed, because it may contain a password.
    """
    if base_url is None:
        return model
    return f"{model}@{hashlib.sha256(base_url.rstrip('/').encode()).hexdigest()[:12]}"


@dataclass(slots=True)
class Calibration:
    """Correction per model and server, learned from the token counts of servers.

    A review learns only for later reviews: :meth:`correction` uses the file as it was when this
    object was created, so that a plan does not change during its review.

    Args:
        path: the state file; None keeps nothing.
    """

    path: Path | None
    _known: dict[str, float] = field(init=False)
    _samples: list[tuple[str, float]] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self._known = _read_corrections(self.path)

    def correction(self, key: str) -> float:
        """Return the factor for estimates; 1.0 for an unknown :func:`endpoint_key`."""
        return self._known.get(key, 1.0)

    def learn(self, key: str, *, estimated: int, actual: int) -> None:
        """Record the error of one estimate, unless it is absurd.

        Args:
            key: the :func:`endpoint_key` of the model.
            estimated: tokens as estimated with :meth:`correction` applied.
            actual: ``usage`` input tokens, cache reads and writes included.
        """
        if estimated < MIN_LEARNED or actual <= 0:
            return
        low, high = CORRECTION_BOUNDS
        sample = self.correction(key) * min(actual, 10 * estimated) / estimated
        if low <= sample <= high:
            self._samples.append((key, sample))

    def save(self) -> None:
        """Save the learned corrections, merged with those that other processes saved.

        The file is replaced atomically: readers see the old or the new file. If two processes save
        at the same time, one correction may be lost, but never the file.

        Raises:
            OSError: the state folder cannot be written.
        """
        if self.path is None or not self._samples:
            return
        known = _read_corrections(self.path)
        for key, sample in self._samples:
            before = known.get(key, 1.0)
            known[key] = _bounded(before + LEARNING_RATE * (sample - before))
        self._samples.clear()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"version": _VERSION, "corrections": known}, indent=2, sort_keys=True)
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
    """Return the corrections in ``path``; empty if the file is missing or invalid.

    Corrections are a cache that later requests rebuild, so an invalid file is not an error.
    """
    if path is None:
        return {}
    try:
        data: Any = json.loads(path.read_text(encoding="utf-8"))
        items = data["corrections"].items() if data["version"] == _VERSION else ()
        return {str(key): _bounded(float(value)) for key, value in items}
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
        raise ValueError(f"{correction} is not a correction")
    return min(max(correction, low), high)
