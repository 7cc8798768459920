"""Reviews on GitHub: pull requests in, check runs and comments out."""
