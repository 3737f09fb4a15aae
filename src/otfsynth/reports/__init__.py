"""Reports: tables and pictures as HTML pages that open without a network."""

from otfsynth.reports.page import Card, Cell, Column, Link, Page, Picture, Section, Table
from otfsynth.reports.rendering import ReportError, write_page

__all__ = ["Card", "Cell", "Column", "Link", "Page", "Picture", "ReportError", "Section", "Table", "write_page"]
