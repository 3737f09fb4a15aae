"""Layouts of the data sets that commands read."""

LAYOUTS = ("auto", "scan", "folder", "list", "bids", "oasis3")
"""``auto`` tells the others by what is there."""
