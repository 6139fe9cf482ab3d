"""The unit tests of olmOCR-Bench."""
