"""How fast the networks are and what they cost, beside others' of the same kind."""
