"""What the page shows: plain values of a run in, one JSON-able model and one HTML text out."""
