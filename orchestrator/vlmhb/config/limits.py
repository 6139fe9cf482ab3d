"""`budget` and `alerts` of a JSON or YAML run config: what may be spent, and who is told."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from vlmhb.contracts import Alerts, Budgets, Place
from vlmhb.errors import BadList, BadValue, UnknownColumn
from vlmhb.reading.names import name_hint, shown
from vlmhb.reading.nodes import Node
from vlmhb.reading.secretref import is_secret_reference

from .money import Money, money_of

BUDGET_SCOPES = {
    "run": "this run, all its restarts together",
    "day": "one calendar day, local time, over the whole workspace",
    "evaluation": "each evaluation without a budget of its own",
}
SCOPES = tuple(BUDGET_SCOPES)
_BUDGET_FORM = "write budget: 5, or budget: {run: 5, day: 20, evaluation: 1}"
_ALERT_KEYS = ("command", "webhook")
_ALERT_FORM = "write alerts: {command: [notify, --budget], webhook: https://...}"


def budgets_of(node: Node, *, file: str) -> Budgets:
    """One amount is for the run. Raises `BadValue` or `UnknownColumn`."""
    where = str(Place(file=file, row=node.line))
    if node.is_scalar:
        return budgets_from({"run": node.text or ""}.items(), where=where) if node.text else Budgets()
    if node.fields is None:
        raise BadValue("budget is not an amount or a mapping", where=where, hint=_BUDGET_FORM)
    for name, item in node.fields.items():
        place = str(Place(file=file, row=item.line))
        if name not in SCOPES:
            raise UnknownColumn(f"a budget has no scope '{name}'", where=place, hint=name_hint(name, SCOPES))
        if not item.is_scalar:
            raise BadValue(f"budget.{name} takes one amount", where=place, hint=_BUDGET_FORM)
        if item.text:
            money_of(item.text, what=f"budget.{name}", where=place)
    return budgets_from(((name, item.text or "") for name, item in node.fields.items()), where=where)


def budgets_from(amounts: Iterable[tuple[str, str]], *, where: str) -> Budgets:
    """Of texts by scope; an empty one is no limit. Raises `BadValue` where currencies differ."""
    given: dict[str, Money] = {
        scope: money_of(text, what=f"budget.{scope}", where=where) for scope, text in amounts if text.strip()
    }
    currencies = {money.currency for money in given.values() if money.currency is not None}
    if len(currencies) > 1:
        what = f"one budget in {' and '.join(sorted(currencies))}"
        raise BadValue(what, where=where, hint="write all amounts in the currency of the price table")
    limits = {scope: money.amount for scope, money in given.items()}
    return Budgets.model_validate({**limits, "currency": next(iter(currencies), None)})


def alerts_of(node: Node, *, file: str) -> Alerts:
    """Raises `BadValue`, `BadList` or `UnknownColumn`."""
    where = str(Place(file=file, row=node.line))
    if node.is_scalar and node.text is None:
        return Alerts()
    if node.fields is None:
        raise BadValue("alerts is not a mapping", where=where, hint=_ALERT_FORM)
    for name, item in node.fields.items():
        if name not in _ALERT_KEYS:
            place = str(Place(file=file, row=item.line))
            raise UnknownColumn(
                f"alerts have no key '{name}'", where=place, hint=name_hint(name, _ALERT_KEYS)
            )
    command, webhook = (node.fields.get(name) for name in _ALERT_KEYS)
    return Alerts(
        command=_command(command, file=file) if command is not None else (),
        webhook=_webhook(webhook, file=file) if webhook is not None else None,
    )


def _command(node: Node, *, file: str) -> tuple[str, ...]:
    """A list of words: a single text would need a shell to be taken apart."""
    where = str(Place(file=file, row=node.line))
    if node.is_scalar and node.text is None:
        return ()
    if node.items is None or not node.items or not all(item.is_scalar and item.text for item in node.items):
        raise BadList("alerts.command is not a list of words", where=where, hint="write [program, argument]")
    return tuple(item.text or "" for item in node.items)


def _webhook(node: Node, *, file: str) -> str | None:
    where = str(Place(file=file, row=node.line))
    if not node.is_scalar:
        raise BadValue("alerts.webhook takes one URL", where=where)
    if node.text is None or is_secret_reference(node.text):
        return node.text
    try:
        url = urlsplit(node.text)
        good = url.scheme in ("http", "https") and bool(url.hostname)
    except ValueError:
        good = False
    if not good:
        hint = "write https://..., or secret:NAME where the URL itself is a secret"
        raise BadValue(f"alerts.webhook {shown(node.text)} is not a URL", where=where, hint=hint)
    return node.text
