"""Repro bundles: one file with a slice of a capture, the scenario that brings the drop about again, and how it went.

`opened` reads one that anybody may have made, `pack` writes one. Nothing in a bundle runs by itself, and nothing in it
is believed.
"""

from sonde_lab.bundle.manifest import SUFFIX, BundleRefused, Manifest
from sonde_lab.bundle.opening import Bundle, captured_in, is_bundle, opened
from sonde_lab.bundle.packing import Contents, Packed, pack

__all__ = [
    "SUFFIX", "Bundle", "BundleRefused", "Contents", "Manifest", "Packed", "captured_in", "is_bundle", "opened", "pack",
]  # fmt: skip
