"""The page as a file and as a server: its parts, posters, addresses of media, and what is sent live."""
