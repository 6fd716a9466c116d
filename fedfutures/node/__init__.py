"""The rules of every node that submits or executes Futures: what it holds, says and does. Pure."""
