"""The folders in which files named by a run config are looked for, the prototype's layouts included."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from vlmhb.cards import find_vlm_base

_DATA = ("", "data_dirs", "vlmhyperbench/data_dirs", "vlmhyperbench")  # newest layout before older ones


@dataclass(frozen=True, kw_only=True)
class Roots:
    """`config_dir`: folder of the run config. Both are absolute."""

    config_dir: Path
    cwd: Path

    @staticmethod
    def around(config: Path) -> Roots:
        """For a run config, seen from the current folder."""
        return Roots(config_dir=config.absolute().parent, cwd=Path.cwd())

    @property
    def bases(self) -> tuple[Path, ...]:
        """Where the prototype's data folders may lie, best first."""
        folders = (base / data for base in (self.config_dir, self.cwd) for data in _DATA)
        return tuple(dict.fromkeys(folders))

    @property
    def vlm_base(self) -> Path | None:
        """The prototype's model database, if there is one."""
        return find_vlm_base((self.config_dir, self.cwd))

    def beside(self, name: str) -> tuple[Path, ...]:
        """Where a path given by the user may lie: from the current folder, from the config's folder."""
        return tuple(dict.fromkeys((self.cwd / name, self.config_dir / name)))


def first_existing(paths: Iterable[Path]) -> Path | None:
    """The first that exists, absolute and without `..`."""
    for path in paths:
        try:
            if path.exists():
                return path.resolve()
        except OSError:  # a name longer than the file system takes, a folder that may not be entered
            continue
    return None
