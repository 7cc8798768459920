"""The cache: keys, entries and what of a diff was reviewed before."""
