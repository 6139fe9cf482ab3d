"""Budgets, alerts and price tables in a run config: every form of them, and every mistake with its line."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from vlmhb.cards import load_registry
from vlmhb.config import read_run_config
from vlmhb.config.money import Money, money_of
from vlmhb.config.resolve import Roots, resolve
from vlmhb.contracts import Alerts, Budgets, RunConfig
from vlmhb.errors import VlmhbError
from vlmhb.pricing.asked import MoneyOptions, PricedRun, price_run

TABLE = "currency: USD\ndate: 2026-01-02\nsource: a list\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5", Money(amount=5.0)),
        (" 0,5 ", Money(amount=0.5)),
        ("5.25 usd", Money(amount=5.25, currency="USD")),
        ("EUR 3", Money(amount=3.0, currency="EUR")),
        (".5", Money(amount=0.5)),
    ],
)
def test_amounts_are_read_as_people_write_them(text: str, expected: Money) -> None:
    assert money_of(text, what="budget", where="here") == expected


@pytest.mark.parametrize("text", ["-1", "5 $", "five", "USD 5 USD", "1e3", "nan", "1,000", "5 dollars"])
def test_what_is_no_clear_amount_is_refused(text: str) -> None:
    with pytest.raises(VlmhbError, match="VHB104: budget "):
        money_of(text, what="budget", where="here")


def read(tmp_path: Path, text: str) -> tuple[RunConfig | None, list[str]]:
    path = tmp_path / "my.yaml"
    path.write_text(text + "evaluations: [{dataset: pages, model_name: api}]\n")
    found = read_run_config(path)
    return found.config, [error.line() for error in found.errors]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("budget: 5\n", Budgets(run=5.0)),
        ("budget: 5 USD\n", Budgets(run=5.0, currency="USD")),
        (
            "budget: {run: 5, day: 20 USD, evaluation: 0.5}\n",
            Budgets(run=5, day=20, evaluation=0.5, currency="USD"),
        ),
        ("budget:\n", Budgets()),
        ("budget: {day: }\n", Budgets()),
    ],
)
def test_every_form_of_a_budget(tmp_path: Path, text: str, expected: Budgets) -> None:
    config, errors = read(tmp_path, text)
    assert config is not None and errors == []
    assert config.budget == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("budget:\n  run: 5\n  month: 9\n", "VHB103: a budget has no scope 'month'"),
        ("budget:\n  run: 5\n  day: -1\n", "VHB104: budget.day '-1' is not an amount of money"),
        ("budget: [5]\n", "VHB104: budget is not an amount or a mapping"),
        ("budget: {run: 5 USD, day: 5 EUR}\n", "VHB104: one budget in EUR and USD"),
        ("alerts: {mail: me}\n", "VHB103: alerts have no key 'mail'"),
        ("alerts: {command: notify me}\n", "VHB106: alerts.command is not a list of words"),
        ("alerts: {webhook: example.org}\n", "VHB104: alerts.webhook 'example.org' is not a URL"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    _, (line,) = read(tmp_path, text)
    assert line.startswith(said)
    assert f"row {text.count(chr(10)) if text.count(chr(10)) > 1 else 1}" in line


def test_alerts_are_a_program_and_a_url_which_may_be_a_secret(tmp_path: Path) -> None:
    config, errors = read(tmp_path, "alerts: {command: [notify, --to, me], webhook: secret:HOOK}\n")
    assert config is not None and errors == []
    assert config.alerts == Alerts(command=("notify", "--to", "me"), webhook="secret:HOOK")


class Site:
    """A workspace with an API model `api`, a model `own` on a GPU, and a price table."""

    def __init__(self, root: Path) -> None:
        self.root = root
        cards = root / "cards"
        cards.mkdir()
        common = {"framework": "test", "tasks": ["vqa"]}
        api = {"name": "api", "interface": "openai", "base_url": "http://127.0.0.1:1/v1", **common}
        own = {
            "name": "own", "interface": "python", "class_path": "a:B", "path": "../code", "image": "stages", "gpus": 1,
            **common,
        }  # fmt: skip
        bench = {
            "name": "pages",
            "task_type": "vqa",
            "loader": "jsonl",
            "path": str(root / "data"),
            "metrics": ["cer"],
        }
        for card in (api, {**api, "name": "spare"}, own, bench):
            (cards / f"{card['name']}.yaml").write_text(json.dumps(card))
        (root / "code").mkdir()
        (root / "data").mkdir()
        (root / "data" / "samples.jsonl").write_text('{"id": "a", "question": "?", "answer": "x"}\n')

    def price(
        self, table: str | None, *rows: dict[str, Any], given: MoneyOptions | None = None, **top: Any
    ) -> PricedRun:
        if table is not None:
            (self.root / "prices.yaml").write_text(TABLE + table)
            top["prices"] = "prices.yaml"
        path = self.root / "my.json"
        path.write_text(json.dumps({**top, "evaluations": [{"dataset": "pages", **row} for row in rows]}))
        config = read_run_config(path).config
        assert config is not None
        registry = load_registry(user_dirs=(self.root / "cards",))
        found = resolve(config, registry=registry, roots=Roots.around(path), workspace=self.root)
        assert found.errors == ()
        return price_run(
            config,
            found.evaluations,
            options=given or MoneyOptions(),
            workspace=self.root,
            today=date(2026, 2, 1),
        )


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_each_evaluation_gets_its_price_and_its_budget(site: Site) -> None:
    found = site.price(
        "models: {api: {input: 2, output: 8}}\nresources: {gpu_hour: 3}\n",
        {"model_name": "api", "budget": "0.5 USD"},
        {"model_name": "own"},
        budget={"run": 5, "evaluation": 1},
    )
    api, own = found.evaluations
    assert api.price is not None and (api.price.input, api.price.output) == (2, 8)
    assert (api.budget, own.budget) == (0.5, 1.0)
    assert api.machine is None and own.price is None
    assert own.machine is not None and own.machine.gpu_hour_of("any") == 3
    assert found.warnings == ()


def test_an_option_goes_before_the_config(site: Site) -> None:
    given = MoneyOptions(budget="7 USD", budget_day="30")
    found = site.price("models: {api: {}}\n", {"model_name": "api"}, given=given, budget={"run": 5, "day": 9})
    assert found.config.budget == Budgets(run=7, day=30, currency="USD")


@pytest.mark.parametrize("top", [{"budget": 5}, {"budget": {"day": 5}}, {"budget": {"evaluation": 5}}])
def test_a_budget_that_could_not_be_kept_is_refused(site: Site, top: dict[str, Any]) -> None:
    with pytest.raises(VlmhbError, match=r"VHB121: a budget needs a price of model 'api'.*--prices FILE"):
        site.price(None, {"model_name": "api"}, **top)
    with pytest.raises(VlmhbError, match=r"VHB121: .*add it to the price table"):
        site.price("models: {other: {}}\n", {"model_name": "api"}, **top)


def test_a_model_without_a_price_is_told_once(site: Site) -> None:
    rows = [{"model_name": "api", "limit": number} for number in (1, 2)]
    assert len(site.price("", *rows).warnings) == 1
    own = site.price("", {"model_name": "own"}, budget=5).warnings
    assert len(own) == 1 and own[0].startswith("budget: nothing of model 'own' is priced")


@pytest.mark.parametrize("top", [{"budget": "5 EUR"}, {}])
def test_a_budget_in_another_currency_is_refused(site: Site, top: dict[str, Any]) -> None:
    row = {"model_name": "api"} if top else {"model_name": "api", "budget": "5 EUR"}
    with pytest.raises(VlmhbError, match=r"VHB104: the budget is in EUR, the prices are in USD"):
        site.price("models: {api: {}}\n", row, **top)
