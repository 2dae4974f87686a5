"""Rows out to other tools and in from them: one module a format, `formats.FORMATS` is their table."""
