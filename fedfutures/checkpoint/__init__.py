"""Checkpoints: the results of finished Futures in a file, by the content of their calls (:doc:`checkpoints`)."""
