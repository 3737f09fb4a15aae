"""Prepare scans."""
