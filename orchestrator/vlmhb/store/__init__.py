"""The workspace: artifacts addressed by fingerprint, manifests sealed last, locks, runs."""
