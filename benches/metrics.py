"""Scoring 100,000 answers of field length, beside a bare loop over rapidfuzz's C++ distance.

Two baselines, both plain Python loops over the same pairs, in the same run:
- `distance`: one `Levenshtein.distance(reference, answer)` per pair and nothing else, the least that any edit-distance
  metric must do (rapidfuzz's own batch call, `process.cpdist`, is shown too; it is no faster on such short texts);
- `ANLS rule`: what ANLS asks for, written down directly: lower case, white space collapsed, one `Levenshtein.distance`,
  one division and a comparison.
All figures are CPU seconds. Ours gives values, additive parts, matched references and flags, for each sample.

With VLMHB_BENCH_PEERS=1 EvalScope and lmms-eval are installed from the package index into an environment of the bench's
own and score the same pairs with their own ANLS functions. (lmms-eval imports torch, which scoring does not need: an
empty module stands in for it.)
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import time
import venv
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cpdist
from vlmhb_benchmarks.metrics import get_metric
from vlmhb_benchmarks.metrics.batch import score_all

from benches.timing import Row

PAIRS = 100_000
RUNS = 7
RUSSIAN = "абвгдежзийклмнопрстуфхцчшщъыьэюя"
ENGLISH = "abcdefghijklmnopqrstuvwxyz"
DIGITS = "0123456789"
OURS = ("cer", "anls", "anls_docvqa", "edit_similarity", "exact_match", "wer", "cer_norm")
PEERS = {"evalscope": "evalscope==1.14.1", "lmms_eval": "lmms-eval==0.7.3"}
# What lmms-eval's metrics module imports; the rest of its requirements are model packages.
PEER_EXTRAS = (
    "evaluate",
    "loguru",
    "pytz",
    "sacrebleu",
    "scikit-learn",
    "sqlitedict",
    "tenacity",
    "rapidfuzz",
)
PEER_PROGRAM = """
import importlib.util, json, sys, time, types
import numpy
answers, golds = json.load(open(sys.argv[1]))
if sys.argv[2] == "evalscope":
    from evalscope.metrics.nlp.metrics import ANLS
    golds = [json.dumps([gold]) for gold in golds]
    work = lambda: ANLS().apply(answers, golds)
else:
    import evaluate
    if importlib.util.find_spec("torch") is None:
        stub = types.ModuleType("torch")
        stub.__getattr__ = lambda name: type(name, (), {})
        stub.__path__ = []
        sys.modules.update({"torch": stub, "torch.distributed": stub, "torch.nn": stub, "torch.utils": stub})
    from lmms_eval.api.metrics import anls
    work = lambda: [anls([gold], [answer]) for gold, answer in zip(golds, answers)]
started = time.process_time()
work()
print(time.process_time() - started)
"""


@dataclass(frozen=True, kw_only=True)
class Fields:
    """Answers and their references, pair by pair."""

    answers: list[str]
    golds: list[str]


def measure(folder: Path) -> list[Row]:
    fields = {"Russian and English": make_fields(RUSSIAN + ENGLISH), "English": make_fields(ENGLISH)}
    rows = [row for label, pairs in fields.items() for row in measure_ours(pairs, label=label)]
    if os.environ.get("VLMHB_BENCH_PEERS"):
        rows += measure_peers(folder, fields["Russian and English"])
    return rows


def make_fields(alphabet: str) -> Fields:
    """Words and numbers, 21 characters on average; half of the answers are right, the others have 1 to 4 errors."""
    rng = random.Random(1)
    golds = [_field(alphabet, rng) for _ in range(PAIRS)]
    return Fields(answers=[_misread(gold, alphabet, rng) for gold in golds], golds=golds)


def _field(letters: str, rng: random.Random) -> str:
    """Up to four words, one of them a number now and then."""
    sources = rng.choices((letters, DIGITS), weights=(3, 1), k=rng.randint(2, 4))
    return " ".join("".join(rng.choices(source, k=rng.randint(3, 10))).capitalize() for source in sources)


def _misread(text: str, letters: str, rng: random.Random) -> str:
    """A wrong answer half of the time, and then in upper case half of the time."""
    if rng.random() < 0.5:
        return str(text)
    chars = list(text)
    for _ in range(rng.randint(1, 4)):
        chars[rng.randrange(len(chars))] = rng.choice(letters)
    wrong = "".join(chars)
    return wrong.upper() if rng.random() < 0.5 else wrong


def measure_ours(fields: Fields, *, label: str) -> list[Row]:
    references = [[gold] for gold in fields.golds]
    candidates: dict[str, Callable[[], object]] = {
        "loop over Levenshtein.distance": lambda: distances(fields),
        "rapidfuzz.process.cpdist, one thread": lambda: cpdist(
            fields.golds, fields.answers, scorer=Levenshtein.distance, workers=1
        ),
        "loop of the ANLS rule": lambda: anls_rule(fields),
    }
    for name in OURS:
        candidates[f"ours: {name}"] = partial(score_all, get_metric(name), fields.answers, references)
    rows = compare_cpu(candidates)
    rule = next(row.median for row in rows if row.name == "loop of the ANLS rule")
    return [_noted(row, label=label, rule=rule) for row in rows]


def compare_cpu(candidates: dict[str, Callable[[], object]]) -> list[Row]:
    """CPU seconds of this process, in turn: other processes on the machine disturb wall time much more."""
    seen: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(RUNS):
        for name, work in candidates.items():
            started = time.process_time()
            work()
            seen[name].append(time.process_time() - started)
    base = statistics.median(next(iter(seen.values())))
    return [
        Row(
            name=name,
            minimum=min(times),
            median=statistics.median(times),
            maximum=max(times),
            runs=RUNS,
            ratio=statistics.median(times) / base if number else None,
        )
        for number, (name, times) in enumerate(seen.items())
    ]


def _noted(row: Row, *, label: str, rule: float) -> Row:
    note = f"{row.median / rule:.2f} x the loop of the ANLS rule" if "anls" in row.name else ""
    return replace(row, name=f"{row.name}, {PAIRS:,} pairs, {label}", note=note)


def distances(fields: Fields) -> list[int]:
    return [
        Levenshtein.distance(gold, answer) for answer, gold in zip(fields.answers, fields.golds, strict=True)
    ]


def anls_rule(fields: Fields) -> list[float]:
    found = []
    for answer, gold in zip(fields.answers, fields.golds, strict=True):
        first, second = " ".join(gold.lower().split()), " ".join(answer.lower().split())
        longest = max(len(first), len(second))
        value = 1 - Levenshtein.distance(first, second) / longest if longest else 1.0
        found.append(value if value >= 0.5 else 0.0)
    return found


def measure_peers(folder: Path, fields: Fields) -> list[Row]:
    """Seconds of their ANLS functions alone, without the start of the interpreter."""
    venv.create(folder / "peers", with_pip=True)
    python = str(folder / "peers" / "bin" / "python")
    install = [python, "-m", "pip", "install", "--quiet"]
    for wanted in (
        [PEERS["evalscope"]],
        PEER_EXTRAS,
        ["--no-deps", PEERS["lmms_eval"]],
    ):  # together pip searches long
        subprocess.run([*install, *wanted], check=True)
    (folder / "pairs.json").write_text(json.dumps([fields.answers, fields.golds]))
    base = compare_cpu({"loop": lambda: distances(fields)})[0].median
    rows = []
    for module, package in PEERS.items():
        argv = [python, "-c", PEER_PROGRAM, str(folder / "pairs.json"), module]
        done = subprocess.run(argv, check=True, capture_output=True, text=True)
        seconds = float(done.stdout.split()[-1])
        name = f"{package}: ANLS, {PAIRS:,} pairs, Russian and English"
        rows.append(
            Row(name=name, minimum=seconds, median=seconds, maximum=seconds, runs=1, ratio=seconds / base)
        )
    return rows
