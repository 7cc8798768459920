"""Code at a commit: local git, definitions, imports, and code that may be quoted to a model."""
