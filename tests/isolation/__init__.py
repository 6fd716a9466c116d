"""Tests of what Futures find around them and leave behind."""
