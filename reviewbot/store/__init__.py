"""What a server remembers: reviews, their events, what batches came to, keys and what they used."""
