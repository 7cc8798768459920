"""What a pull request changes, as a diff."""
