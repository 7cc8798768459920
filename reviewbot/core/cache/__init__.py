"""The review cache: keys, entries, and hunks that were reviewed before."""
