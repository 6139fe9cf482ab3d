"""The parts of the generator of the demo documents (see tools/make_docs_mini.py)."""
