"""Dialogue about findings: who gets an answer to a reply, and what the answer says."""
