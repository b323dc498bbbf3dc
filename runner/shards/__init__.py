"""One run on several machines: who hands its shards out, and who works on them. The ledger is the truth throughout."""
