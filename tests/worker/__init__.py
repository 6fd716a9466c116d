"""Tests of Workers."""
