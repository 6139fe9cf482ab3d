"""The driver of the infer stage: samples in, one record per sample out, whatever happens in between."""

from vlmhb_stages.infer.driver import run

__all__ = ["run"]
