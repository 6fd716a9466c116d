"""What travels: the messages, their encoding, and the payloads that only Workers open."""
