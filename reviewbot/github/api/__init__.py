"""GitHub API calls by subject. Each call is one request or one list."""
