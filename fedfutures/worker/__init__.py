"""The Worker: executes Futures, may submit more. The Origin is one with no Demand."""
