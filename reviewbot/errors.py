"""Every error that reviewbot raises on purpose, as one tree, and the exit code each leads to.

::

    ReviewbotError                      exit 2: one clear sentence, no traceback
      ConfigError                       .reviewbot.yml, the environment or a flag is wrong
      SourceError                       the diff could not be had, or the output not written
      DiffError                         the bytes are not a diff that can be read whole
      ModelFault                        a request failed; stays in the pipeline (models.base)
      ToolStreamError                   a report cannot be read further (core.findings.toolstream)
      GitHubError                       GitHub refused, or did not answer (github.client.errors)
      NotAnsweredError                  exit 3: no model has answered (action.command)

A review that ran but could not cover everything is no exception: its outcome is ``incomplete``
and the command line exits with :data:`EXIT_INCOMPLETE`.
"""

from __future__ import annotations

EXIT_OK = 0
EXIT_FINDINGS = 1
EXIT_USAGE = 2
EXIT_INCOMPLETE = 3
EXIT_INTERRUPTED = 130


class ReviewbotError(Exception):
    """Anything the user can act on. ``str(error)`` is the sentence that is shown."""

    exit_code = EXIT_USAGE


class ConfigError(ReviewbotError):
    """A setting is wrong.

    Args:
        message: the problem and the remedy.
        source: where it was set, for example ``.reviewbot.yml`` or ``--fail-on``.
        key: dotted name of the setting.
        line: 1-based line within ``source``, if it is a file.
    """

    def __init__(
        self,
        message: str,
        *,
        source: str | None = None,
        key: str | None = None,
        line: int | None = None,
    ) -> None:
        self.message, self.source, self.key, self.line = message, source, key, line
        place = f"{source}:{line}" if source and line else source
        super().__init__(": ".join(part for part in (place, key, message) if part))


class SourceError(ReviewbotError):
    """The diff could not be read."""


class DiffError(ReviewbotError):
    """The input is not a diff that can be read whole.

    Args:
        message: the expected and the actual input.
        line: 1-based line of the input.
    """

    def __init__(self, message: str, *, line: int) -> None:
        self.message, self.line = message, line
        super().__init__(f"line {line} of the diff: {message}")
