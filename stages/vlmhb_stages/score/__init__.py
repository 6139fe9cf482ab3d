"""The score stage: a metric backend. Scores what `evaluate` would, in a container with packages of its own."""

from vlmhb_stages.score.run import run

__all__ = ["run"]
