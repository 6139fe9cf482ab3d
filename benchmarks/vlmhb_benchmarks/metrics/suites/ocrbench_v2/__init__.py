"""The rules of OCRBench v2, a module per kind of answer."""
