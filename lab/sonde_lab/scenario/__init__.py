"""Scenarios: who is there, what goes wrong when, and what must hold; run on a stage, told as a report.

Owns the format, the runner, the expectations and the real stage. The stage on virtual time is the simulation's.
"""
