"""Which signals are precomputed, at which labels and windows; and the registry that answers with them."""
