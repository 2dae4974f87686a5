"""Clients and gateways as they are, over a network that is not there and on a time that nobody waits for.

The one room that sees both sides. Owns the virtual loop, the network, the world in which everything runs, the
schedule of what goes wrong in it, and the hunt for a schedule that breaks a promise.
"""
