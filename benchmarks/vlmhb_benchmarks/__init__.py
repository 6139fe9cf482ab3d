"""Benchmark loaders, metrics and cards."""
