"""`vlmhb doctor`: what this machine can do, and what to do about what it cannot."""

from __future__ import annotations

import typer


def doctor() -> None:
    """Check engines, GPUs, disk and Python, with hints."""
    from vlmhb.engines.doctor import doctor_checks

    for check in doctor_checks():
        mark = "ok  " if check.ok else "no  "
        typer.echo(f"{mark}{check.name}: {check.detail}")
        if not check.ok and check.hint:
            typer.echo(f"      hint: {check.hint}")
