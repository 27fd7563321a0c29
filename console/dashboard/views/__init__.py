"""The pages. Thin: parse, call one query or service, render."""
