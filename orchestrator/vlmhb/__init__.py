"""VLMHyperBench host orchestrator: plans a run and starts one isolated container per stage."""

__version__ = "0.2.0"
