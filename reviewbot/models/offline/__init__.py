"""The offline rules engine and the processes in which it parses source code."""
