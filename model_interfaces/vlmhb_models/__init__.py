"""Model interfaces and the OpenAI-compatible server around them (standard library only)."""
