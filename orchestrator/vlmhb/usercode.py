"""Finds the code of a user's metric on this machine without running any of it: neither import nor build."""

from __future__ import annotations

import ast
import sys
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path

EVERYWHERE = ("vlmhb_benchmarks", "vlmhb_stages")  # in the kit that every stage has
_SOURCE = "*.py"


class CodeMissing(LookupError):
    """The module, the file or the attribute is not there; the message says which."""


@dataclass(frozen=True, kw_only=True)
class FoundCode:
    """What to mount so that a module can be imported. `path` None: every image has it.

    `inside`: its place below the folder that goes onto `sys.path`. `source`: the module's own file, if it is text."""

    path: Path | None = None
    inside: str = ""
    source: Path | None = None


def find_module(module: str, *, folders: Sequence[Path]) -> FoundCode:
    """An installed module, or one in `folders`. Raises `CodeMissing`.

    Only the first part is looked up by Python's own finders: for `a.b` they would import `a`."""
    top, *rest = module.split(".")
    if top in EVERYWHERE or top in sys.stdlib_module_names:
        return FoundCode()
    spec = _spec(top) or PathFinder.find_spec(top, [str(folder) for folder in folders])
    if spec is None:
        raise CodeMissing(f"no module {top}")
    if spec.submodule_search_locations is None:
        if rest or spec.origin is None:
            raise CodeMissing(f"module {top} has no {'.'.join(rest) or 'file'}")
        single = Path(spec.origin)
        return FoundCode(path=single, inside=single.name, source=_text(single))
    for package in map(Path, spec.submodule_search_locations):
        file = file_of(package, rest)
        if file is not None:
            return FoundCode(path=package, inside=top, source=_text(file))
    raise CodeMissing(f"no module {module} in {', '.join(spec.submodule_search_locations)}")


def file_of(package: Path, parts: Sequence[str]) -> Path | None:
    """The file of a module inside a package's folder."""
    if not parts:
        return _first(package / "__init__.py")
    folder = package.joinpath(*parts)
    return _first(folder / "__init__.py", folder.with_name(folder.name + ".py"), *_extensions(folder))


def check_attribute(source: Path | None, attribute: str) -> None:
    """Raises `CodeMissing` unless the module binds that name; what cannot be read as Python is not judged."""
    if source is None:
        return
    try:
        module = ast.parse(source.read_bytes())
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        raise CodeMissing(f"{source}{f', line {line}' if line else ''} is not Python: {error}") from None
    names = set(_bound(module.body))
    first = attribute.partition(".")[0]
    if first not in names and not names & {"*", "__getattr__"}:
        raise CodeMissing(f"{source} defines no {first}")


def wheel_member(wheel: Path, module: str) -> str | None:
    """The file of `module` in a wheel; None when there is none. Raises `CodeMissing` for a file that is no wheel."""
    base = module.replace(".", "/")
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, OSError) as error:
        raise CodeMissing(f"{wheel} is no wheel: {error}") from None
    return next((name for name in (f"{base}/__init__.py", f"{base}.py") if name in names), None)


def source_names(path: Path) -> tuple[str, ...] | None:
    """Files of a folder that are its content, what Python writes beside them left out; None for a file."""
    if path.is_file():
        return None
    found = (file.relative_to(path) for file in sorted(path.rglob("*")) if file.is_file())
    return tuple(
        file.as_posix()
        for file in found
        if not any(part == "__pycache__" or part.startswith(".") for part in file.parts)
    )


def _spec(top: str) -> ModuleSpec | None:
    try:
        return find_spec(top)
    except ValueError:  # a module in memory without a spec, such as `__main__`
        return None


def _first(*paths: Path) -> Path | None:
    return next((path for path in paths if path.is_file()), None)


def _extensions(folder: Path) -> list[Path]:
    return sorted(folder.parent.glob(f"{folder.name}.*.so")) if folder.parent.is_dir() else []


def _text(file: Path) -> Path | None:
    return file if file.match(_SOURCE) else None


def _bound(body: Sequence[ast.stmt]) -> Iterator[str]:
    """Names that statements of a module bind, those under `if`, `try`, `with` and `for` as well."""
    for statement in body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield statement.name
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in statement.names)
        else:
            yield from _targets(statement)
            for part in ("body", "orelse", "finalbody"):
                yield from _bound(getattr(statement, part, []))
            for handler in getattr(statement, "handlers", []):
                yield from _bound(handler.body)


def _targets(statement: ast.stmt) -> Iterator[str]:
    found = getattr(statement, "targets", None) or [getattr(statement, "target", None)]
    for target in found:
        if target is not None:
            yield from (node.id for node in ast.walk(target) if isinstance(node, ast.Name))
