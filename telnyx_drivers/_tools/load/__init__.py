"""Many calls at once, on purpose: how many a machine carries, and what becomes of them."""
