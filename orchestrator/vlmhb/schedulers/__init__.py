"""Where a container is started: here."""
