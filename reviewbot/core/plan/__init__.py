"""Plans of reviews: files, their models and their chunks."""
