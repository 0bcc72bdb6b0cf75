"""chatloom's own addresses: conversations and turns read back, keys, accounts, budgets."""
