"""Static figures of the report, drawn with matplotlib's object-oriented interface only."""
