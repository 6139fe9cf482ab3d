"""The score stage reads what `evaluate` reads: its tests build their inputs with the same helper."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "evaluate"))
