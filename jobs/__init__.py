"""The pure half of rivya-batch: values in, values out. Nothing here waits, reads a clock, or opens a file."""
