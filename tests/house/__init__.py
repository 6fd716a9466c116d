"""The walls of the house: what each part may hold, write and import, and the figures of its structure."""
