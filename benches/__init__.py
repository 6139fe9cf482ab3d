"""Performance measurements: ratios to a baseline of the same run, never pass or fail."""
