"""Shared basics of `fusion`: settings, errors, files, devices, processes."""
