"""Reports: tables and pictures as HTML pages that open without a network."""
