"""Confine processes that read strangers' text, with Landlock and seccomp of Linux."""
