"""The pure core: no I/O, clock, randomness or environment. Imports only itself and the errors."""
