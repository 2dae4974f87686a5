"""Faults that an admin injects into one session, where the gateway was started with them allowed.

Owns what goes wrong and when, on the gateway's side. Each act is told on `$faults` and counted, so that nobody takes it
for a real failure. Nothing here is on the way of a session that has no fault.
"""
