"""The OpenAI-compatible server around a `ModelInterface`: protocol, queue, sockets."""
