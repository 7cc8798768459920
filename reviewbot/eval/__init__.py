"""Evaluation: scores of review tools on cases with known problems."""
