"""Plans: which files are reviewed, by which model, in which chunks."""
