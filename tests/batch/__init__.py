"""Jobs of real batch systems, on clusters of the laboratory."""
