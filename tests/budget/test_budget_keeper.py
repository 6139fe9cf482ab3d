"""The keeper: whatever order money is asked for, spent and returned in, no limit is ever passed."""

from __future__ import annotations

import json
import socket
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vlmhb.budget.alerts import Messenger
from vlmhb.budget.keeper import Account, BudgetKeeper
from vlmhb.budget.ledger import Ledger
from vlmhb.budget.scopes import Limits

NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)


class Desk:
    """One workspace; `now` may be moved. Artifacts' own records are written by `spend`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.now = NOON
        self.said: list[str] = []

    def keeper(self, run: str = "run-1", **changes: Any) -> BudgetKeeper:
        values: dict[str, Any] = {
            "ledger": Ledger(self.root / "costs"),
            "run_id": run,
            "currency": "USD",
            "limits": Limits(),
            "messenger": Messenger(tell=self.said.append),
            "now": lambda: self.now,
            "out_of": self.out_of,
        }
        return BudgetKeeper(**{**values, **changes})

    def out_of(self, artifact: str) -> Path:
        folder = self.root / artifact
        folder.mkdir(exist_ok=True)
        return folder

    def record(self, artifact: str, *, spent: float, reserved: float = 0.0) -> None:
        text = json.dumps({"spent": spent, "reserved": reserved})
        (self.out_of(artifact) / "spending.json").write_text(text)

    def days(self) -> dict[str, dict[str, float]]:
        """What was spent by day and evaluation."""
        found: dict[str, dict[str, float]] = {}
        for path in sorted((self.root / "costs").glob("*.json")):
            day = found.setdefault(path.stem, {})
            for entry in json.loads(path.read_text())["entries"].values():
                name = entry["evaluation"]
                day[name] = round(day.get(name, 0.0) + entry["spent"], 9)
        return found


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def opened(keeper: BudgetKeeper, name: str, *, limit: float | None = None) -> Account:
    return keeper.open(evaluation=name, artifact=f"artifact-{name}", limit=limit, metered=True)


def test_one_inference_alone_gets_everything_at_once(desk: Desk) -> None:
    account = opened(desk.keeper(limits=Limits(run=5.0)), "a")
    assert (account.granted, account.final) == (5.0, True)


def test_several_get_shares_and_what_one_returns_goes_to_the_other(desk: Desk) -> None:
    keeper = desk.keeper(limits=Limits(run=8.0), parallel=True)
    one, other = opened(keeper, "a"), opened(keeper, "b")
    assert 0 < one.granted < 8 and 0 < other.granted < 8 and not one.final and not other.final
    other.needed = 8.0 - one.granted
    keeper.update(other)
    assert one.granted + other.granted == pytest.approx(8.0)
    one.needed = one.granted + 0.5
    keeper.update(one)
    assert one.needed > one.granted and not one.final  # the other may yet return something
    desk.record("artifact-b", spent=1.0)
    other.spent = 1.0
    keeper.close(other)
    keeper.update(one)
    assert one.granted >= one.needed


def test_when_all_wait_for_each_other_one_is_told_that_nothing_will_come(desk: Desk) -> None:
    keeper = desk.keeper(limits=Limits(run=1.0), parallel=True)
    one, other = opened(keeper, "a"), opened(keeper, "b")
    one.needed = other.needed = 0.95
    keeper.update(one)
    keeper.update(other)
    assert other.final and not one.final
    desk.record("artifact-b", spent=0.05)
    keeper.close(other)
    keeper.update(one)
    assert one.granted == pytest.approx(0.95)


def test_an_evaluation_has_a_limit_of_its_own(desk: Desk) -> None:
    keeper = desk.keeper(limits=Limits(run=8.0))
    account = opened(keeper, "a", limit=0.5)
    assert (account.granted, account.final) == (0.5, True)
    assert account.ended_by is not None and account.ended_by.name == "evaluation"


def test_the_same_run_started_again_goes_on_where_its_budget_stood(desk: Desk) -> None:
    keeper = desk.keeper(limits=Limits(run=5.0))
    account = opened(keeper, "a")
    desk.record("artifact-a", spent=4.5)
    keeper.close(account)
    assert opened(desk.keeper(limits=Limits(run=5.0)), "a").granted == 0.5
    assert opened(desk.keeper(run="run-2", limits=Limits(run=5.0)), "b").granted == 5.0


def test_the_records_of_an_artifact_that_others_have_paid_for_are_not_counted_again(desk: Desk) -> None:
    desk.record("artifact-a", spent=3.0)
    keeper = desk.keeper(limits=Limits(run=5.0))
    account = opened(keeper, "a")
    assert (account.base, account.granted) == (3.0, 5.0)
    desk.record("artifact-a", spent=3.25)
    keeper.close(account)
    assert desk.days() == {"2026-03-01": {"a": 0.25}}


def test_a_kill_is_made_good_by_the_records_and_counted_once(desk: Desk) -> None:
    """The keeper died a while after its last word: what was spent and what may have been counts, once."""
    gone = f"{socket.gethostname()}-1-0"  # process 1 is there, but did not start then
    keeper = desk.keeper(limits=Limits(run=5.0), owner=gone)
    account = opened(keeper, "a")
    account.spent = 1.0
    keeper.update(account)
    desk.record("artifact-a", spent=1.5, reserved=0.1)
    for _ in range(2):
        desk.keeper().reconcile()
        assert desk.days() == {"2026-03-01": {"a": 1.6}}
    again = opened(desk.keeper(limits=Limits(run=5.0)), "a")
    assert again.granted == pytest.approx(3.4)
    assert again.base == pytest.approx(1.6)


def test_whoever_starts_the_artifact_again_closes_what_was_left_open(desk: Desk) -> None:
    """It has the artifact's lock, so its last owner is done, whatever its process looks like."""
    opened(desk.keeper(limits=Limits(run=5.0)), "a")
    desk.record("artifact-a", spent=2.0)
    again = opened(desk.keeper(limits=Limits(run=5.0)), "a")
    assert again.granted == 3.0
    assert desk.days() == {"2026-03-01": {"a": 2.0}}


def test_a_day_has_a_limit_over_all_runs_and_is_new_at_midnight(desk: Desk) -> None:
    limits = Limits(day=4.0)
    first = desk.keeper(limits=limits)
    account = opened(first, "a")
    account.needed = 3.0
    first.update(account)
    second = desk.keeper(run="run-2", limits=limits)
    other = opened(second, "b")
    other.needed = 2.0
    second.update(other)
    assert account.granted + other.granted <= 4.0 and other.granted < 2.0
    account.spent = 2.5
    desk.now = NOON + timedelta(hours=13)
    first.update(account)  # 0.5 of it and all of tomorrow's spending are tomorrow's
    second.update(other)
    assert other.granted >= 2.0
    desk.record("artifact-a", spent=3.0)
    first.close(account)
    assert desk.days()["2026-03-01"]["a"] == 2.5
    assert desk.days()["2026-03-02"]["a"] == 0.5


def test_each_warning_is_given_once(desk: Desk) -> None:
    keeper = desk.keeper(limits=Limits(run=10.0))
    account = opened(keeper, "a")
    for spent in (1.0, 5.0, 5.5, 7.9, 8.0, 9.4, 9.6):
        account.spent = spent
        keeper.update(account)
    desk.record("artifact-a", spent=9.9)
    keeper.stopped(account)
    keeper.close(account)
    keeper.stopped(account)
    assert [line.rpartition(" of 10 ")[0] for line in desk.said] == [
        "the budget of run run-1 has reached 50 %: 5",
        "the budget of run run-1 has reached 80 %: 8",
        "the budget of run run-1 has reached 95 %: 9.6",
        "the budget of run run-1 pays no further request: 9.9",
    ]
    more = desk.keeper(limits=Limits(run=12.0))
    opened(more, "a")
    assert "80 %" in desk.said[-1] and " of 12 " in desk.said[-1]


def test_money_of_another_currency_is_another_budget(desk: Desk) -> None:
    account = opened(desk.keeper(currency="EUR", limits=Limits(day=4.0)), "a")
    desk.record("artifact-a", spent=4.0)
    desk.keeper().close(account)
    fresh = opened(desk.keeper(run="run-2", currency="USD", limits=Limits(run=4.0)), "b")
    assert fresh.granted == 4.0


steps = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from(["need", "spend", "close", "open", "kill", "later"]),
        st.floats(0, 1),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(steps=steps, run=st.floats(0, 6), day=st.none() | st.floats(0, 6), own=st.none() | st.floats(0, 3))
def test_no_order_of_events_passes_a_limit(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[int, str, float]],
    run: float,
    day: float | None,
    own: float | None,
) -> None:
    """Four inferences of two runs; each spends only what it was granted, as the driver does."""
    desk = Desk(tmp_path_factory.mktemp("desk"))
    limits = Limits(run=run, day=day)
    keepers = [desk.keeper(run=f"run-{number}", limits=limits, parallel=True) for number in range(2)]
    accounts: dict[int, Account] = {}
    for number, action, amount in steps:
        keeper = keepers[number % 2]
        account = accounts.get(number)
        if account is None:
            if action == "open":
                accounts[number] = keeper.open(
                    evaluation=str(number), artifact=f"artifact-{number}", limit=own, metered=True
                )
            continue
        assert account.base is not None
        if action == "need":
            account.needed = account.spent + amount
            keeper.update(account)
        elif action == "spend":
            account.spent += amount * (account.granted - account.spent)
            desk.record(f"artifact-{number}", spent=account.base + account.spent)
            keeper.update(account)
        elif action == "close":
            keeper.close(accounts.pop(number))
        elif action == "kill":  # nobody closes it; the next one to open it finds it
            del accounts[number]
        elif action == "later":
            desk.now += timedelta(hours=amount * 10)
        check(desk, run=run, day=day, own=own)


def check(desk: Desk, *, run: float, day: float | None, own: float | None) -> None:
    by_run: dict[str, float] = {}
    by_evaluation: dict[str, float] = {}
    for path in (desk.root / "costs").glob("*.json"):
        held = 0.0
        for entry in json.loads(path.read_text())["entries"].values():
            amount = max(entry["spent"], entry["granted"])
            held += amount
            by_run[entry["run"]] = by_run.get(entry["run"], 0.0) + amount
            by_evaluation[entry["evaluation"]] = by_evaluation.get(entry["evaluation"], 0.0) + amount
        assert day is None or held <= day + 1e-8
    assert all(amount <= run + 1e-8 for amount in by_run.values())
    assert own is None or all(amount <= own + 1e-8 for amount in by_evaluation.values())
