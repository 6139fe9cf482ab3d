"""Building images ahead of runs, and finding the built ones by content."""
