"""The fault engine: rules that make things go wrong on purpose, the same way each time.

Owns no socket and no clock: `now` goes in, effects and the next deadline come out. The proxy is its first shell.
"""
