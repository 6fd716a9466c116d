"""Ends that take long, exits that come from Futures, calls that run serially: what a person is told."""

from __future__ import annotations
