"""Meta variables in the patterns and texts of rules, such as ``$NAME`` and ``$$$ARGUMENTS``."""

from __future__ import annotations

import re
from typing import Final

META_VARIABLE: Final = re.compile(r"(\$\$\$|\$)([A-Z_][A-Z0-9_]*)")
