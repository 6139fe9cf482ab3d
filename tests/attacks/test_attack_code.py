"""What the code itself must not do, whatever it is given: load code with data, start a shell, believe a zip's names."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("orchestrator", "stages", "model_interfaces", "benchmarks")
# Calls that run what they read. `multiprocessing` passes pickles between processes of our own only.
FORBIDDEN = {
    "eval", "exec", "pickle.load", "pickle.loads", "pickle.Unpickler", "marshal.load", "marshal.loads", "shelve.open",
    "joblib.load", "dill.load", "dill.loads", "torch.load", "os.system", "os.popen", "yaml.load", "yaml.load_all",
    "yaml.unsafe_load", "yaml.full_load", "tempfile.mktemp", "telnetlib.Telnet", "pandas.read_pickle", "pd.read_pickle",
    "subprocess.getoutput", "subprocess.getstatusoutput",
}  # fmt: skip
UNPACKING = (
    "extract",
    "extractall",
    "unpack_archive",
)  # ours: benchmarks/vlmhb_benchmarks/loaders/archives.py


def calls() -> Iterator[tuple[str, ast.Call]]:
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call):
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", node


CALLS = tuple(calls())


def test_nothing_that_is_read_is_run() -> None:
    found = [place for place, call in CALLS if ast.unparse(call.func) in FORBIDDEN]
    assert found == []


@pytest.mark.parametrize(
    ("option", "bad"), [("shell", "True"), ("allow_pickle", "True"), ("weights_only", "False")]
)
def test_no_call_switches_a_guard_off(option: str, bad: str) -> None:
    found = [
        place
        for place, call in CALLS
        for word in call.keywords
        if word.arg == option and ast.unparse(word.value) == bad
    ]
    assert found == []


def test_archives_are_unpacked_in_one_place() -> None:
    found = [
        place for place, call in CALLS if isinstance(call.func, ast.Attribute) and call.func.attr in UNPACKING
    ]
    assert found == []


def test_arrays_are_loaded_without_pickles() -> None:
    loads = [call for _, call in CALLS if ast.unparse(call.func) in ("np.load", "numpy.load")]
    told = [{word.arg: ast.unparse(word.value) for word in call.keywords} for call in loads]
    assert told and all(words.get("allow_pickle") == "False" for words in told)


def test_pickled_weights_are_refused_before_any_library_sees_them(tmp_path: Path) -> None:
    from vlmhb_models.base import LoadError
    from vlmhb_models.transformers_load import load
    from vlmhb_models.transformers_settings import Settings

    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04cposix\nsystem\n(S'touch pwned'\ntR.")
    with pytest.raises(LoadError, match="pickled weights can run code"):
        load(str(tmp_path), settings=Settings(), trust_remote_code=True, gpus=0)
