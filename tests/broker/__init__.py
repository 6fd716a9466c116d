"""Tests of the Broker."""
