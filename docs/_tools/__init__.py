"""What the documentation needs of Sphinx beyond its own: pages made from the sources, and drawings made from data."""
