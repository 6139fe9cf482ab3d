"""What runs inside stage containers: prepare, infer, evaluate, report, and the small kit they share."""
