"""The user's run config: CSV, JSON or YAML to typed rows, and rows to resolved evaluations."""

from .read import ConfigResult, read_run_config

__all__ = ["ConfigResult", "read_run_config"]
