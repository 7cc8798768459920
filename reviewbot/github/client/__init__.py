"""HTTP client for GitHub with threads, rate limits and safe retries."""
