"""The evaluate stage. The only one that sees labels."""

from vlmhb_stages.evaluate.run import run

__all__ = ["run"]
