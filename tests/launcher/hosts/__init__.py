"""Tests of the hosts of a run."""
