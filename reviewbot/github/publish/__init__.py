"""Publishing: the check run, the review comments and the summary comment."""
