"""How a container is started: Docker, Podman, or a venv on this machine."""
