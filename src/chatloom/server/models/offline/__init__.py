"""The offline models: always there, deterministic, and faulty when asked to be."""
