"""Seeing into a run: who is asked (:mod:`.runs`), what they say put together (:mod:`.picture`), and words for it."""
