"""What is asked of GitHub, by subject: each call is one request, or one list."""
