"""Pages for people: blocks of text, tables and charts, and what writes them out."""
