"""Skull-strip scans."""
