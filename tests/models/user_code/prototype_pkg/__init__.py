"""A prototype user's own model package, written without any knowledge of this project."""
