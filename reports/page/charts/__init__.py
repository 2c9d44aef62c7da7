"""Charts as inline SVG; a function each, numbers in, markup out."""
