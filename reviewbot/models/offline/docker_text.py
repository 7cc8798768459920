"""Checks of the instructions of Dockerfiles, for which ast-grep has no grammar."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from reviewbot.core.late_pattern import late_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

UNVERIFIED: Final = "docker/verification-off"
PLAIN: Final = "docker/plain-download"
WRITABLE: Final = "docker/world-writable"
COPIED: Final = "docker/secret-copied"
UPDATE: Final = "docker/update-alone"
CD: Final = "docker/cd-lost"
IGNORED: Final = "docker/failure-ignored"

_INSTRUCTION: Final = late_pattern(r"\s*(?P<name>[A-Za-z]{2,12})(?=\s)")
VERIFICATION_OFF: Final = late_pattern(
    r"""(?P<option>\bcurl\b(?=[^|;&\n]*\s(?:--insecure\b|-[A-Za-z]*k[A-Za-z]*(?=\s)))
      | \bwget\b[^|;&\n]*--no-check-certificate\b
      | \bhttp\.sslVerify[=\s]+["']?false\b
      | \bstrict-ssl[=\s]+["']?false\b
      | \bNODE_TLS_REJECT_UNAUTHORIZED[=\s]+["']?0
      | \bGIT_SSL_NO_VERIFY[=\s]+["']?(?:1|true)\b
      | \bPYTHONHTTPSVERIFY[=\s]+["']?0
      | --trusted-host\b
      | \bStrictHostKeyChecking[=\s]+no\b
      | --allow-un(?:authenticated|trusted)\b | --force-yes\b | --no-?gpg-?check\b)""",
    re.VERBOSE,
)
PLAIN_DOWNLOAD: Final = late_pattern(
    r"(?:\b(?:curl|wget)\b[^|;&\n]{0,500}|\bADD\s+)(?P<address>http://(?!localhost|127\.|archive\.|deb\.|security\.)[\w.-]+)"
    r"(?P<rest>[^|;&\n]{0,300}\|\s*(?:sudo\s+)?(?:ba|da|z)?sh\b|[^|;&\n]{0,300}\.(?:sh|tar|gz|tgz|xz|zip|deb|rpm|jar)\b)"
)
_WRITABLE: Final = late_pattern(r"\bchmod\s+(?:-\w+\s+)*(?P<mode>0?777|a\+rwx|ugo\+rwx|o\+w)\s")
_COPIED: Final = late_pattern(
    r"(?i)^\s*(?:COPY|ADD)\s+(?!--from)(?:[^\s]+\s+){0,20}?"
    r"(?P<file>(?:[\w./-]*/)?(?:id_(?:rsa|dsa|ecdsa|ed25519)|\.env(?:\.(?:prod|production|local))?|\.netrc|\.git-credentials|"
    r"\.aws|\.ssh|\.kube|[\w-]*(?:private|secret)[\w-]*\.(?:pem|key)))/?\s+\S"
)
_UPDATE: Final = late_pattern(
    r"(?i)^\s*RUN\s+(?:sudo\s+)?apt(?:-get)?\s+(?:-\S+\s+)*update(?:\s+-\S+)*\s*$"
)
_CD: Final = late_pattern(r"(?i)^\s*RUN\s+cd\s+[^\s&|;]+\s*$")
_IGNORED: Final = late_pattern(
    r"""\b(?P<command>(?:(?:sha\d+|md5)sum\s+(?:-c|--check)|gpg\b[^&|;\n]*--verify
      |npm\s+(?:ci|install|test|run\s+build)|pip3?\s+install|pytest|go\s+test|make\s+test
      |cargo\s+(?:test|build)|bundle\s+install)\b)[^&|;\n]*\|\|\s*(?:true|:)(?=[\s);]|$)""",
    re.VERBOSE,
)
_INSTALL: Final = late_pattern(r"(?i)^\s*RUN\s+(?:sudo\s+)?apt(?:-get)?\s+(?:-\S+\s+)*install\b")


def check_dockerfile(lines: Sequence[str]) -> Iterator[tuple[str, int, dict[str, str]]]:
    """Yield the problems of the instructions in the new side of a hunk.

    Yields:
        The rule's id, the index of the line, and values for the rule's texts.
    """
    updated: int | None = None
    for index, line in enumerate(lines):
        if line.lstrip().startswith("#"):
            continue
        if match := VERIFICATION_OFF.search(line):
            yield UNVERIFIED, index, {"OPTION": " ".join(match["option"].split())}
        elif match := PLAIN_DOWNLOAD.search(line):
            yield PLAIN, index, {"ADDRESS": match["address"]}
        if match := _WRITABLE.search(line):
            yield WRITABLE, index, {"MODE": match["mode"]}
        if match := _COPIED.match(line):
            yield COPIED, index, {"FILE": match["file"]}
        if _CD.match(line):
            yield CD, index, {}
        if match := _IGNORED.search(line):
            yield IGNORED, index, {"COMMAND": match["command"]}
        if _UPDATE.match(line):
            updated = index
        elif updated is not None and _INSTRUCTION.match(line):
            if _INSTALL.match(line):
                yield UPDATE, updated, {}
            updated = None
