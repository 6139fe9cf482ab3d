"""Carrying out a plan: containers, model servers, retries of hung stages, sealing."""
