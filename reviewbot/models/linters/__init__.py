"""Linters that run on single files of a change, each in a confined process.

``linters`` has the class that callers use. Each linter has one adapter module, which is pure: its
command, the files that it reads, and the parser of its output. ``rules.toml`` lists the rules.
"""
