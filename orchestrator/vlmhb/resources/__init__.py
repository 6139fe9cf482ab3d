"""What the machine has: GPUs, who uses them, and what running containers use."""
