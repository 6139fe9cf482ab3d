"""Tells people how much of a budget is used up: a line on the screen, a command, a webhook."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

from vlmhb.budget.grants import ScopeName
from vlmhb.command import run_command

STEPS = (50, 80, 95, 100)  # percent
TIMEOUT_S = 20.0


@dataclass(frozen=True, kw_only=True)
class Alert:
    """The message. `name`: which evaluation, day or run; `percent`: the step that was reached."""

    run_id: str
    scope: ScopeName
    name: str
    spent: float
    limit: float
    currency: str
    percent: int
    time: str  # ISO 8601, local

    def line(self) -> str:
        ended = "is used up" if self.spent >= self.limit else "pays no further request"
        used = ended if self.percent >= 100 else f"has reached {self.percent} %"
        return f"the budget of {self.scope} {self.name} {used}: {self.spent:.6g} of {self.limit:g} {self.currency}"


def steps_reached(*, spent: float, limit: float, told: int) -> int | None:
    """The highest step that `spent` has reached and that is above `told`."""
    share = 100 * spent / limit if limit > 0 else 100.0
    reached = [step for step in STEPS if share >= step - 1e-9 and step > told]
    return max(reached, default=None)


class Messenger:
    """Sends alerts one after another, beside the run; one that cannot be sent is a warning, never an error.

    Use as a context: leaving it waits for those on their way."""

    def __init__(
        self,
        *,
        command: tuple[str, ...] = (),
        webhook: str | None = None,
        tell: Callable[[str], None],
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._command, self._webhook = command, webhook
        self._tell, self._timeout_s = tell, timeout_s
        self._sender = ThreadPoolExecutor(1, thread_name_prefix="alerts")

    def __enter__(self) -> Messenger:
        return self

    def __exit__(self, *_: object) -> None:
        self._sender.shutdown()

    def send(self, alert: Alert) -> None:
        self._tell(alert.line())
        text = json.dumps(asdict(alert), ensure_ascii=False)
        if self._command:
            self._sender.submit(self._run, text)
        if self._webhook is not None:
            self._sender.submit(self._post, self._webhook, text)

    def _run(self, text: str) -> None:
        try:
            done = run_command(self._command, timeout_s=self._timeout_s, input_text=text)
        except OSError as error:  # not executable, and the like
            self._tell(f"alert not sent: {self._command[0]}: {error.strerror}")
            return
        if not done.ok:
            words = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.code}"]
            self._tell(f"alert not sent: {self._command[0]}: {words[0][:200]}")

    def _post(self, url: str, text: str) -> None:
        """The URL may be a secret: it is never repeated."""
        try:
            request = urllib.request.Request(
                url, data=text.encode(), headers={"Content-Type": "application/json"}, method="POST"
            )
            with urllib.request.urlopen(request, timeout=self._timeout_s):
                pass
        except urllib.error.HTTPError as error:
            self._tell(f"alert not sent: the webhook answered {error.code}")
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or type(error).__name__
            self._tell(f"alert not sent: the webhook cannot be reached ({reason})")
