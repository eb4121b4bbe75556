"""The files marketing and sales write, read and checked: campaigns, scoring, segments, prices, solutions, sales."""
