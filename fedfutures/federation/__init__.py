"""What is true of every link between two nodes, and of the tree they form. Pure."""
