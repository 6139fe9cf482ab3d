"""The parts of the generator and the training of the tiny VLM (see tools/make_tiny_vlm.py)."""
