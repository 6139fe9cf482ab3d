"""How a model is asked: fallbacks, what may be changed, modes, limits; the row over the card, and every mistake."""

from __future__ import annotations

from pathlib import Path

import pytest
from vlmhb.cards import load_registry
from vlmhb.config import read_run_config
from vlmhb.config.quantities import rate_of, slo_of
from vlmhb.config.resolve import ResolveResult, Roots, resolve
from vlmhb.contracts import ResolvedEvaluation
from vlmhb.errors import BadValue
from vlmhb.plan.fallbacks import fallback_places, fallback_targets, secret_references
from vlmhb_stages.specs import BreakerPolicy, Decoding, Manner, RateLimit, RetryPolicy, Slo

CARDS = """\
name: main-api
framework: API
interface: openai
base_url: https://one.example/v1
fallback_urls: [https://two.example/v1]
api_key: secret:MAIN_KEY
tasks: [ocr]
overflow: [shrink_images]
max_image_side: 2000
warmup: 3
rate: {requests_per_minute: 30}
---
name: claude
framework: API
interface: anthropic
base_url: https://three.example
api_key: secret:OTHER_KEY
params: {model: claude-x}
tasks: [ocr]
---
name: free
framework: API
interface: openai
base_url: http://127.0.0.1:8000
tasks: [ocr]
---
name: careful
framework: API
interface: openai
base_url: http://127.0.0.1:8000
tasks: [ocr]
concurrency: 3
adaptive: false
rate: {requests_per_minute: 5}
breaker: {failures: 2}
retry: {attempts: 7}
max_image_side: 500
overflow: [drop_oldest_turns]
on_oom: [images]
capabilities: [structured]
decoding: {temperature: 0.7, max_tokens: 50}
---
name: nowhere
framework: API
interface: openai
tasks: [ocr]
---
name: local
framework: hf
interface: python
class_path: mine:Model
image: mine:1
tasks: [ocr]
---
name: local-with-url
framework: hf
interface: python
class_path: mine:Model
image: mine:1
fallback_urls: [https://four.example]
tasks: [ocr]
---
name: leaky
framework: API
interface: gemini
base_url: https://five.example/v1?key=abc123
tasks: [ocr]
---
name: vendors
framework: vLLM
interface: server
server: {command: [serve]}
image: mine:1
params: {dtype: bfloat16}
tasks: [ocr]
---
name: tuned
framework: API
interface: openai
base_url: http://127.0.0.1:8000
params: {model: x, max_pixels: 5}
tasks: [ocr]
---
name: recorded
framework: Files
interface: replay
tasks: [ocr]
---
name: asks-only
framework: API
interface: openai
base_url: http://127.0.0.1:8000
tasks: [vqa]
"""
BENCHMARK = """\
name: pages
task: OCR
task_type: ocr
loader: jsonl
path: data
prompt: Read it.
metrics: [cer]
"""


class World:
    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "cards/models").mkdir(parents=True)
        (root / "cards/benchmarks").mkdir(parents=True)
        (root / "cards/models/all.yaml").write_text(CARDS)
        (root / "cards/benchmarks/pages.yaml").write_text(BENCHMARK)
        (root / "cards/benchmarks/data").mkdir()
        (root / "data").mkdir()

    def resolve(self, model: str, **cells: str) -> ResolveResult:
        row = {"dataset": "pages", "model_name": model, "dataset_path": str(self.root / "data"), **cells}
        config = self.root / "u.csv"
        config.write_text(";".join(row) + "\n" + ";".join(row.values()) + "\n")
        read = read_run_config(config)
        assert read.errors == () and read.config is not None
        roots = Roots(config_dir=self.root, cwd=self.root)
        registry = load_registry(user_dirs=[self.root / "cards"], vlm_base=None)
        return resolve(read.config, registry=registry, roots=roots, workspace=self.root / "w")

    def one(self, model: str, **cells: str) -> ResolvedEvaluation:
        result = self.resolve(model, **cells)
        assert [error.line() for error in result.errors] == []
        return result.evaluations[0]

    def error(self, model: str, **cells: str) -> str:
        (error,) = self.resolve(model, **cells).errors
        return error.line().replace(f"{self.root}/", "")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_the_card_decides_where_the_row_says_nothing(world: World) -> None:
    found = world.one("main-api")
    assert found.overflow == ("shrink_images",)
    assert (found.max_image_side, found.warmup, found.mode) == (2000, 3, "throughput")
    assert found.rate == RateLimit(requests_per_minute=30)
    assert (found.slo, found.fallbacks) == (Slo(), ())


def test_the_row_over_the_card(world: World) -> None:
    found = world.one(
        "main-api",
        overflow="drop_oldest_turns, shrink_images",
        max_image_side="800",
        mode="Benchmark",
        warmup="0",
        slo="ttft=0.5, latency=2000ms",
        rate_limit="60 requests, 100k tokens",
        fallbacks="claude, free",
    )
    assert found.overflow == ("drop_oldest_turns", "shrink_images")
    assert (found.max_image_side, found.warmup, found.mode) == (800, 0, "benchmark")
    assert found.slo == Slo(ttft_s=0.5, latency_s=2)
    assert found.rate == RateLimit(requests_per_minute=60, tokens_per_minute=100_000)
    assert [card.name for card in found.fallbacks] == ["claude", "free"]


def test_an_empty_list_takes_the_cards_policy_away(world: World) -> None:
    assert world.one("main-api", overflow="[]").overflow == ()


def test_targets_are_other_urls_first_each_with_its_own_key(world: World) -> None:
    found = world.one("main-api", fallbacks="claude, free")
    targets = fallback_targets(found)
    assert [(target.name, target.backend.dialect, target.model) for target in targets] == [
        ("two.example", "openai", "main-api"),
        ("claude", "anthropic", "claude-x"),
        ("free", "openai", "free"),
    ]
    assert [target.backend.api_key_file for target in targets] == [
        "/vlmhb/secrets/api_key",
        "/vlmhb/secrets/api_key_1",
        None,
    ]
    assert secret_references(found) == {"api_key": "secret:MAIN_KEY", "api_key_1": "secret:OTHER_KEY"}
    assert targets[0].rate == found.rate and targets[1].rate == RateLimit()
    assert targets[0].manner is None  # as the model that it is
    assert len({target.model_identity for target in targets}) == 3


def test_the_places_as_a_plan_names_them(world: World) -> None:
    assert fallback_places(world.one("main-api", fallbacks="claude")) == (
        "main-api at two.example",
        "claude at three.example",
    )
    assert fallback_places(world.one("free", base_url="http://own.example/v1")) == ()


def test_a_fallback_is_asked_as_its_own_card_says(world: World) -> None:
    target = fallback_targets(world.one("main-api", fallbacks="careful"))[1]
    assert target.rate == RateLimit(requests_per_minute=5)
    assert target.manner == Manner(
        decoding=Decoding(temperature=0.7, max_tokens=50),
        structured=True,
        overflow=("drop_oldest_turns",),
        shrink_on_oom=True,
        max_image_side=500,
        concurrency=3,
        adaptive=False,
        breaker=BreakerPolicy(failures=2),
        retry=RetryPolicy(attempts=7),
    )


def test_what_the_row_says_holds_for_every_place(world: World) -> None:
    cells = {
        "temperature": "0.1",
        "concurrency": "4",
        "rate_limit": "9 requests",
        "max_image_side": "300",
        "overflow": "shrink_images",
    }
    target = fallback_targets(world.one("main-api", fallbacks="careful", **cells))[1]
    assert target.rate == RateLimit(requests_per_minute=9) and target.manner is not None
    manner = target.manner
    assert manner.decoding == Decoding(temperature=0.1, max_tokens=50)  # the row's, the card's
    assert (manner.concurrency, manner.max_image_side) == (4, 300)
    assert manner.overflow == ("shrink_images",)
    alone = fallback_targets(world.one("main-api", fallbacks="careful", mode="benchmark"))[1]
    assert alone.manner is not None and alone.manner.concurrency == 1


@pytest.mark.parametrize("cells", [{"base_url": "https://mine.example/v1"}, {"api_key": "secret:MINE"}])
def test_a_key_of_the_row_never_goes_to_other_hosts_of_the_card(world: World, cells: dict[str, str]) -> None:
    found = world.one("main-api", **cells)
    assert fallback_targets(found) == ()
    assert any("fallback_urls of the card are left out" in warning for warning in found.warnings)


def test_benchmark_mode_asks_one_at_a_time_and_says_so(world: World) -> None:
    found = world.one("main-api", mode="benchmark", concurrency="8")
    assert "concurrency is not used" in found.warnings[0]


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        ({"fallbacks": "cloude"}, "VHB201: no model 'cloude'"),
        ({"fallbacks": "main-api"}, "VHB104: model 'main-api' cannot stand in for itself"),
        ({"fallbacks": "free, free"}, "VHB104: a model stands twice in fallbacks"),
        ({"fallbacks": "local"}, "VHB104: model 'local' is not behind a URL"),
        ({"fallbacks": "nowhere"}, "VHB105: model 'nowhere' needs the URL of its server"),
        ({"fallbacks": "asks-only"}, "VHB203: model 'asks-only' takes vqa"),
        ({"overflow": "shrink"}, "VHB104: 'shrink' is no way out"),
        ({"mode": "fast"}, "VHB104: 'fast' is not a mode"),
        ({"mode": "benchmark", "replicas": "2"}, "VHB104: mode benchmark sends one request at a time"),
        ({"slo": "ttft"}, "VHB104: 'ttft' is not a limit"),
        ({"slo": "speed=3"}, "VHB104: no limit is called 'speed'"),
        ({"rate_limit": "60"}, "VHB104: '60' is not a rate limit"),
        ({"rate_limit": "60 pages"}, "VHB104: '60 pages' is not a rate limit"),
        ({"rate_limit": "0 requests"}, "VHB104: '0 requests' lets nothing pass"),
    ],
)
def test_mistakes(world: World, cells: dict[str, str], told: str) -> None:
    line = world.error("main-api", **cells)
    assert line.startswith(told), line
    if "takes vqa" not in line:
        assert f"u.csv, row 2, column {next(iter(cells))}" in line


def test_a_model_that_runs_here_has_no_other_url(world: World) -> None:
    assert world.error("local-with-url").startswith("VHB202: model 'local-with-url' runs here")


@pytest.mark.parametrize(
    ("text", "requests", "tokens"),
    [
        ("60 requests", 60, None),
        ("60rpm, 100k tpm", 60, 100_000),
        ("1.5M tokens/min; 10 req per minute", 10, 1_500_000),
        ("500 Requests", 500, None),
    ],
)
def test_ways_to_write_a_rate(text: str, requests: float | None, tokens: float | None) -> None:
    assert rate_of(text, where="w") == RateLimit(requests_per_minute=requests, tokens_per_minute=tokens)


@pytest.mark.parametrize("text", ["5 rpm, 6 requests", "-5 rpm", "k requests", "rpm", "1_000 rpm"])
def test_ways_not_to_write_a_rate(text: str) -> None:
    with pytest.raises(BadValue):
        rate_of(text, where="w")


@pytest.mark.parametrize("text", ["ttft=0.5s", "ttft: 500 ms", "TTFT <= 0.5", "ttft_s=0.5"])
def test_ways_to_write_an_slo(text: str) -> None:
    assert slo_of(text, where="w") == Slo(ttft_s=0.5)


def test_a_key_in_the_url_of_a_card_never_gets_into_a_spec(world: World) -> None:
    for told in (world.error("leaky"), world.error("main-api", fallbacks="leaky")):
        assert told.startswith("VHB109: base_url holds a secret, in cards/models/")
        assert "abc123" not in told


def test_recorded_answers_have_no_stand_in(world: World) -> None:
    (world.root / "a.csv").write_text("id;model_answer\n0;A\n", encoding="utf-8")
    told = world.error("recorded", answers_file="a.csv", fallbacks="free")
    assert told.startswith("VHB104: no model is asked here, so fallbacks mean nothing")


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("vendors", "VHB110: 'vendors' is a server of its own, where dtype is not sent"),
        ("tuned", "VHB110: 'tuned' is behind a URL, where max_pixels is not sent"),
    ],
)
def test_parameters_of_a_card_that_nobody_would_read_are_refused(world: World, model: str, told: str) -> None:
    assert world.error(model).startswith(told)
