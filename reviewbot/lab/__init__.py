"""The lab: seven concepts of a streaming reviewer, shown on the user's own diff."""
