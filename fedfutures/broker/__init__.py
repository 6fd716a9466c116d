"""The Broker: takes Futures in and gives them out. Never runs user code, never unpickles."""
