"""Price tables: what they take, what they refuse and where, and which price a model gets."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from vlmhb.errors import VlmhbError
from vlmhb.modelcard import ModelCard
from vlmhb.pricing.find import find_prices
from vlmhb.pricing.machines import machine_cost
from vlmhb.pricing.read import read_prices
from vlmhb.pricing.table import PriceTable

HEAD = "currency: usd\ndate: 2026-01-02\nsource: a list\n"


def table(tmp_path: Path, text: str, *, head: str = HEAD) -> PriceTable:
    path = tmp_path / "prices.yaml"
    path.write_text(head + text)
    return read_prices(path)


def refused(tmp_path: Path, text: str, *, head: str = HEAD) -> list[str]:
    with pytest.raises(VlmhbError) as caught:
        table(tmp_path, text, head=head)
    return caught.value.line().splitlines()


def model(name: str, framework: str = "API", **params: str) -> ModelCard:
    return ModelCard(name=name, framework=framework, interface="openai", tasks=("vqa",), params=params)


def test_a_price_is_found_by_framework_and_name_then_by_name_then_by_the_name_sent(tmp_path: Path) -> None:
    prices = table(
        tmp_path,
        "models:\n  Hugging Face/m: {input: 1}\n  m: {input: 2, source: another list}\n"
        "  org/m: {input: 3}\n  sent: {input: 4}\n",
    )

    def of(card: ModelCard) -> float | None:
        found = prices.price_of(card)
        return found.input if found else None

    assert of(model("m", "hf")) == 1
    assert of(model("m")) == 2
    assert of(model("org/m")) == 3
    assert of(model("mine", model="sent")) == 4
    assert of(model("other")) is None
    found = prices.price_of(model("m"))
    assert found is not None
    assert (found.currency, found.source) == ("USD", "prices.yaml, 2026-01-02: another list")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("models: {m: {input: -1}}\n", "row 4; hint: write a number that is not negative"),
        ("models:\n  m: {output: .nan}\n", "models.m.output must be a finite number, in"),
        ("models:\n  m: {output: .inf}\n", "models.m.output must be a finite number, in"),
        ("models: {m: {input: yes}}\n", "models.m.input must be a number, not yes or no"),
        ("models: {m: {inputs: 1}}\n", "knows no models.m.inputs"),
        ("resources: {gpu_hour: {'*': -2}}\n", "resources.gpu_hour.* must be greater than or equal to 0"),
        ("resources: {gpuhour: 2}\n", "did you mean 'gpu_hour' or"),
        ("model: {}\n", "did you mean 'models'?"),
    ],
)
def test_a_wrong_price_is_one_line_with_its_row(tmp_path: Path, text: str, said: str) -> None:
    (line,) = refused(tmp_path, text)
    assert line.startswith("VHB120: ") and said in line


def test_all_mistakes_are_told_at_once_and_a_table_without_a_day_is_none(tmp_path: Path) -> None:
    lines = refused(tmp_path, "currency: dollars\nmodels: {m: {input: x}}\n", head="")
    assert len(lines) == 4
    assert any("there is no date" in line for line in lines)
    assert any("currency must be a code like USD" in line for line in lines)
    assert refused(tmp_path, "", head="currency: USD\nsource: x\ndate: 20260102\n")[0].startswith(
        "VHB120: date must be a day"
    )
    assert "one YAML mapping" in refused(tmp_path, "- 1\n", head="")[0]


def test_old_prices_and_those_of_tomorrow_are_doubted(tmp_path: Path) -> None:
    prices = table(tmp_path, "")
    assert prices.warnings(date(2026, 7, 1)) == ()
    assert "181 days old" in prices.warnings(date(2026, 7, 2))[0]
    assert "in the future" in prices.warnings(date(2026, 1, 1))[0]


def test_a_table_is_a_file_or_a_name_in_the_workspace(tmp_path: Path) -> None:
    (tmp_path / "prices").mkdir()
    (tmp_path / "prices" / "lab.yaml").write_text(HEAD)
    (tmp_path / "mine.yaml").write_text(HEAD)

    def find(name: str) -> Path:
        return find_prices(name, beside=(tmp_path,), workspace=tmp_path, where="my.yaml")

    assert find("lab") == tmp_path / "prices" / "lab.yaml"
    assert find("mine.yaml") == tmp_path / "mine.yaml"
    with pytest.raises(
        VlmhbError, match=r"there is no price table 'laab', in my\.yaml; hint: did you mean 'lab'"
    ):
        find("laab")


def test_machines_cost_by_the_hour_of_each_gpu_the_energy_and_the_cores(tmp_path: Path) -> None:
    prices = table(
        tmp_path, "resources: {gpu_hour: {'*h100*': 3, 'A*': 1.5}, kwh: 0.2, cpu_hour: 0.36}\n"
    ).resources
    used = {
        "gpus": {"GPU-1": {"name": "NVIDIA H100 80GB"}, "GPU-2": {"name": "A100"}},
        "gpu_seconds": 2 * 1800.0,
        "energy_j": 7.2e6,
        "containers": {"server-0": {"cpu_s": 100.0}, "infer": {"cpu_s": 20.0}},
    }
    assert machine_cost(prices, used) == pytest.approx({"gpu_hour": 2.25, "kwh": 0.4, "cpu_hour": 0.012})
    assert machine_cost(prices, {}) == {}
    assert prices.gpu_hour_of("Tesla T4") is None and prices.dearest_gpu_hour == 3
    assert table(tmp_path, "resources: {gpu_hour: 2}\n").resources.gpu_hour_of("anything") == 2
