"""The import stage: another tool's prediction file becomes an answers file of ours."""

from vlmhb_stages.import_.stage import run

__all__ = ["run"]
