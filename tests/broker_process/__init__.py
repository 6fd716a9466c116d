"""Tests of the Broker's process."""
