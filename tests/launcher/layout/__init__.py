"""Tests of the tree and of who gets what."""
