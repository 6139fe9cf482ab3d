"""The report stage: sealed artifacts in, report.html, report.md, report.json and summary.csv out."""

from vlmhb_stages.report.stage import run

__all__ = ["run"]
