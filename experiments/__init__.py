"""Runs that take longer than a page may: each script leaves a data file that a chapter reads."""
