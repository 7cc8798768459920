"""The lab: six concepts of a streaming reviewer, each shown on the user's own diff."""
