"""Where everything is kept: one contract, one test suite, a folder a backend."""
