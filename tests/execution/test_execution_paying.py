"""An inference that is paid: grants reach the driver, its events reach the ledger, and GPUs stop at their limit."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path

import pytest
from vlmhb.budget.alerts import Messenger
from vlmhb.budget.keeper import BudgetKeeper
from vlmhb.budget.ledger import Ledger
from vlmhb.budget.scopes import Limits
from vlmhb.errors import BudgetReached
from vlmhb.execution.paying import Paying, Payment, gpu_rate
from vlmhb.execution.stages import Companion
from vlmhb.pricing.machines import MachinePrices
from vlmhb.resources.gpus import Gpu
from vlmhb.resources.pool import Leased

MACHINE = MachinePrices.model_validate({"currency": "USD", "gpu_hour": {"*H100*": 3.6, "A*": 1.8}})
NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)


class TwoGpus(Companion):
    """A model server on an H100 and on a GPU whose name no pattern fits."""

    def leased(self) -> Leased:
        names = ("NVIDIA H100 80GB", "Tesla T4")
        return Leased(
            copies=(tuple(Gpu(index=str(n), uuid=f"GPU-{n}", name=name) for n, name in enumerate(names)),)
        )


class Desk:
    def __init__(
        self, root: Path, limits: Limits, *, machine: MachinePrices | None = None, parallel: bool = False
    ):
        self.root, self.now, self.said = root, 0.0, []
        (root / "control").mkdir()
        self.keeper = BudgetKeeper(
            ledger=Ledger(root / "costs"),
            run_id="run-1",
            currency="USD",
            limits=limits,
            messenger=Messenger(tell=self.said.append),
            parallel=parallel,
            now=lambda: NOON,
            out_of=lambda _name: root,
        )
        payment = Payment(evaluation="e", artifact="a" * 64, machine=machine)
        inner = TwoGpus() if machine else Companion()
        self.paying = Paying(
            payment, keeper=self.keeper, inner=inner, folder=root / "control", clock=lambda: self.now
        )

    def grant(self) -> dict[str, object]:
        value: dict[str, object] = json.loads((self.root / "control" / "budget.json").read_text())
        return value

    def entries(self) -> list[dict[str, object]]:
        value = json.loads((self.root / "costs" / "2026-03-01.json").read_text())
        return list(value["entries"].values())


def test_a_grant_counts_from_what_the_artifact_had_spent_before(tmp_path: Path) -> None:
    (tmp_path / "spending.json").write_text('{"spent": 2.0, "reserved": 0.5}')
    desk = Desk(tmp_path, Limits(run=1.0))
    desk.paying.begin()
    assert desk.grant() == {"granted": 3.5, "final": True}
    assert [mount.target for mount in desk.paying.mounts()] == ["/vlmhb/control"]
    desk.paying.on_event({"type": "budget", "spent": 2.9, "reserved": 0.0, "need": 2.9})
    desk.now = 2.0
    desk.paying.tick()
    assert desk.entries()[0]["spent"] == pytest.approx(0.4)
    (tmp_path / "spending.json").write_text('{"spent": 3.25, "reserved": 0.0}')
    desk.paying.end()
    assert desk.entries()[0]["spent"] == pytest.approx(0.75)


def test_who_shares_gets_more_when_it_asks(tmp_path: Path) -> None:
    desk = Desk(tmp_path, Limits(run=1.0), parallel=True)
    desk.paying.begin()
    assert desk.grant() == {"granted": 0.25, "final": False}
    desk.paying.on_event({"type": "budget", "spent": 0.2, "reserved": 0.1, "need": 0.6})
    assert desk.grant() == {"granted": 0.6, "final": False}
    desk.paying.on_event({"type": "budget", "spent": 0.6, "reserved": 0.3, "need": 1.2})
    assert desk.grant() == {"granted": 1.0, "final": True}


def test_a_grant_that_somebody_has_removed_is_written_again(tmp_path: Path) -> None:
    desk = Desk(tmp_path, Limits(run=1.0))
    desk.paying.begin()
    (tmp_path / "control" / "budget.json").unlink()
    desk.now = 2.0
    desk.paying.tick()
    assert desk.grant() == {"granted": 1.0, "final": True}
    (tmp_path / "control" / "budget.json").unlink()
    (tmp_path / "control").rmdir()
    desk.now = 4.0
    desk.paying.tick()  # the driver tells that it is gone


def test_without_limits_the_driver_is_not_told_and_its_spending_is_kept(tmp_path: Path) -> None:
    desk = Desk(tmp_path, Limits())
    desk.paying.begin()
    assert desk.paying.mounts() == () and not (tmp_path / "control" / "budget.json").exists()
    desk.paying.on_event({"type": "progress", "done": 1, "total": 2, "cost": 0.3})
    desk.now = 2.0
    desk.paying.tick()
    assert desk.entries()[0]["spent"] == 0.3


def test_gpus_cost_by_the_hour_and_stop_when_the_money_is_used_up(tmp_path: Path) -> None:
    assert gpu_rate(MACHINE, TwoGpus().leased()) == pytest.approx(2 * 3.6 / 3600)  # unknown: as the dearest
    desk = Desk(tmp_path, Limits(run=0.02), machine=MACHINE)
    desk.paying.begin()
    assert desk.paying.mounts() == ()
    for desk.now in (3.0, 6.0, 9.0):
        desk.paying.tick()
    desk.now = 10.5
    with pytest.raises(BudgetReached, match=r"the budget of the run is used up: 0\.021 of 0\.02 USD spent"):
        desk.paying.tick()
    desk.paying.end()
    assert desk.entries()[0]["spent"] == pytest.approx(0.021)
    assert desk.said[-1] == "the budget of run run-1 is used up: 0.021 of 0.02 USD"
