"""The wire language: frames, codes, states and the pure arithmetic on them. No loop, socket, clock or log."""
