"""Segment scans."""
