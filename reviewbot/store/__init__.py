"""The database of a server: reviews, events, batch results, keys and budgets."""
