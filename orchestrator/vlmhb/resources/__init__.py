"""What the machine has: GPUs."""
