"""Budgets on the host: who may spend how much, the ledger of what was spent, and who is told."""
