"""The async half of rivya-batch: the only place with await, time, files, network and environment."""
