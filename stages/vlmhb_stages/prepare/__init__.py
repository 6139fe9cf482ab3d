"""Stage `prepare`: from a dataset in any layout to inputs for the models and, apart from them, labels."""

from vlmhb_stages.prepare.stage import run

__all__ = ["run"]
