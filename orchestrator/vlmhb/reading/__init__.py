"""Reads users' text files: encodings, delimiters, line numbers of every value, nearest names."""
