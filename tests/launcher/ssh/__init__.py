"""Tests of sessions over ssh."""
