"""Standing Federations: they outlive programs, and programs join them (docs/standing.rst)."""
